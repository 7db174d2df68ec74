//! From flags to a configuration: parse, don't validate.

mod cluster;
mod metadata;
mod roles;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use hyper::Uri;
use isthmus_core::GoDuration;
use isthmus_runtime::{CommonArgs, ListenAddress, LogLevel, Problems};
use metadata_proxy_core::{
    AllowedHosts, CachePolicy, ImdsV2, Redirect, RoleRules, Secret, UpstreamPaths,
};

use crate::args::{Args, ImdsV2Arg, Kube2iamArgs};

/// Flags that were found to be right.
#[derive(Debug)]
pub(crate) struct Config {
    /// Where requests come in.
    pub(crate) listen: ListenAddress,
    /// The `Host` headers that are answered.
    pub(crate) hosts: AllowedHosts,
    /// What `/healthz` says.
    pub(crate) host_ip: String,
    pub(crate) imds_v2: ImdsV2,
    pub(crate) waits: Waits,
    /// Requests a second of one address; 0 for any number.
    pub(crate) request_rate: u32,
    /// Whether the thread that answers pods goes first.
    pub(crate) realtime: bool,
    pub(crate) roles: Roles,
    pub(crate) keys: AnnotationKeys,
    pub(crate) credentials: CredentialsConfig,
    /// `http://host:port` of the real instance metadata.
    pub(crate) imds: Uri,
    pub(crate) upstream: UpstreamPaths,
    /// One for each family; empty without `--iptables`.
    pub(crate) redirects: Vec<Redirect>,
    pub(crate) remove_redirects: bool,
    /// How often it is looked whether the rules are in place.
    pub(crate) redirect_interval: Duration,
    pub(crate) cluster: Cluster,
    /// The addresses that are the node's own.
    pub(crate) host_addresses: Vec<IpAddr>,
    pub(crate) common: CommonArgs,
    /// What the log says about flags without an effect.
    pub(crate) notes: Vec<&'static str>,
}

/// How long a request may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits {
    /// For a pod that the watch has not shown.
    pub(crate) pod: Duration,
    /// In all.
    pub(crate) answer: Duration,
}

/// The rules, and what of them has to be discovered first.
#[derive(Clone, Debug)]
pub(crate) struct Roles {
    pub(crate) rules: RoleRules,
    /// `--service-account-roles`
    pub(crate) of_service_accounts: bool,
    pub(crate) discover_base: bool,
    pub(crate) discover_default: bool,
}

/// What of pods and namespaces is read.
#[derive(Clone, Debug)]
pub(crate) struct AnnotationKeys {
    /// `--token-audience`: the projected tokens that count.
    pub(crate) audience: String,
    pub(crate) role: String,
    pub(crate) external_id: String,
    pub(crate) allowed_roles: String,
}

/// How credentials are got and held.
#[derive(Clone, Debug)]
pub(crate) struct CredentialsConfig {
    /// `--kubelet-root`
    pub(crate) kubelet_root: PathBuf,
    /// What STS is asked for.
    pub(crate) session: Duration,
    pub(crate) policy: CachePolicy,
    pub(crate) prefetch: bool,
}

/// The cluster, and the part of it that is watched.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    /// Empty for all nodes.
    pub(crate) node: String,
    /// The key of the taint that goes once pods are served.
    pub(crate) startup_taint: Option<String>,
    /// `--api-server` and what belongs to it.
    pub(crate) server: Option<ApiServer>,
    pub(crate) resolve_duplicates: bool,
}

/// `--api-server`, `--api-token`, `--insecure`.
#[derive(Clone, Debug)]
pub(crate) struct ApiServer {
    pub(crate) url: Uri,
    pub(crate) token: Option<Secret>,
    pub(crate) insecure: bool,
}

const LONGEST_WAIT: Duration = Duration::from_secs(60);

impl Config {
    /// Reads flags. `endpoint` is the value of `AWS_EC2_METADATA_SERVICE_ENDPOINT`.
    /// Every problem is pushed; what is returned is of use only if there was none.
    pub(crate) fn read(
        args: Args,
        endpoint: Option<&str>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let host_addresses = args.redirect.host_ip.clone();
        let mut common = args.common.clone();
        let mut notes = Vec::new();
        kube2iam(
            &args.kube2iam,
            args.listen.app_port,
            &mut common,
            &mut notes,
        );
        if args.listen.app_port != 0 && args.listen.app_port == common.metrics_address.port {
            problems.push(
                "app-port",
                args.listen.app_port,
                "any port but that of --metrics-address",
            );
        }
        let upstream =
            UpstreamPaths::new(args.metadata.allow_metadata_path.iter().map(String::as_str))
                .map_err(|error| problems.say("allow-metadata-path", error));
        let imds = metadata::imds(args.metadata.metadata_addr.as_deref(), endpoint, problems);
        let redirects = metadata::redirects(&args, problems);
        let roles = roles::roles(&args.roles, &common, problems);
        let credentials = roles::credentials(&args.roles, problems);
        let cluster = cluster::cluster(&args, problems);
        let imds = imds?;
        let own_names = host_addresses.iter().map(ToString::to_string);
        let names = own_names
            .chain(imds.host().map(str::to_owned))
            .chain(args.listen.allowed_host.clone());
        Some(Self {
            hosts: AllowedHosts::new(names),
            listen: ListenAddress {
                host: args
                    .listen
                    .bind_address
                    .map_or_else(String::new, |address| address.to_string()),
                port: args.listen.app_port,
            },
            host_ip: host_addresses
                .first()
                .map_or_else(String::new, ToString::to_string),
            imds_v2: match args.listen.imds_v2 {
                ImdsV2Arg::Optional => ImdsV2::Optional,
                ImdsV2Arg::Required => ImdsV2::Required,
            },
            waits: waits(&args, problems),
            request_rate: args.listen.pod_request_rate,
            realtime: args.listen.realtime,
            roles,
            keys: AnnotationKeys {
                audience: args.roles.token_audience,
                role: args.roles.iam_role_key,
                external_id: args.roles.iam_external_id,
                allowed_roles: args.roles.namespace_key,
            },
            credentials,
            upstream: upstream.ok()?,
            imds,
            redirects,
            remove_redirects: args.redirect.iptables_remove,
            redirect_interval: args.redirect.iptables_check_interval.0,
            cluster: cluster?,
            host_addresses,
            common,
            notes,
        })
    }
}

/// Flags that have no effect, or another one than they had.
fn kube2iam(
    args: &Kube2iamArgs,
    app_port: u16,
    common: &mut CommonArgs,
    notes: &mut Vec<&'static str>,
) {
    let default_address = common.metrics_address == ListenAddress::port(7979);
    match args.metrics_port {
        Some(port) if port == app_port => {
            notes.push("--metrics-port has no effect: it is --app-port, where metrics are never served; see --metrics-address");
        }
        Some(port) if default_address => common.metrics_address = ListenAddress::port(port),
        Some(_) => notes.push("--metrics-port has no effect next to --metrics-address"),
        None => {}
    }
    if args.verbose {
        common.log_level = LogLevel::Debug;
    }
    for (given, note) in [
        (
            args.debug,
            "--debug has no effect: /debug/store is never served",
        ),
        (
            args.use_regional_sts_endpoint,
            "--use-regional-sts-endpoint has no effect: STS is always asked in the own region",
        ),
        (
            args.cache_resync_period.is_some(),
            "--cache-resync-period has no effect: a watch is resumed where it ended",
        ),
        (
            args.backoff_max_interval.is_some(),
            "--backoff-max-interval has no effect: a waiting request is told of a new pod",
        ),
    ] {
        if given {
            notes.push(note);
        }
    }
}

fn waits(args: &Args, problems: &mut Problems) -> Waits {
    let flags = [
        (
            "backoff-max-elapsed-time",
            args.listen.backoff_max_elapsed_time,
        ),
        ("answer-timeout", args.listen.answer_timeout),
    ];
    let [pod, answer] = flags.map(|(flag, GoDuration(wait))| {
        if wait > LONGEST_WAIT {
            problems.push(flag, GoDuration(wait), "up to 1m");
        }
        wait
    });
    Waits {
        pod,
        answer: answer.max(pod),
    }
}
