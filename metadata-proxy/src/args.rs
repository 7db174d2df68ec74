//! The flags: kube2iam's, by its names, and a few more.

use std::net::IpAddr;
use std::path::PathBuf;

use isthmus_core::GoDuration;
use isthmus_runtime::CommonArgs;
use metadata_proxy_core::{BaseArn, Interface, STS_AUDIENCE, Secret};

/// Whether requests without a session token are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ImdsV2Arg {
    /// They are.
    Optional,
    /// They get a 401.
    Required,
}

/// Whose word STS is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SourceArg {
    /// The node's.
    AssumeRole,
    /// The pod's own token.
    WebIdentity,
}

/// How the entries of a namespace's allow-list are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FormatArg {
    /// With `*` and `**`.
    Glob,
    /// Regular expressions that match the whole role.
    Regexp,
}

/// Every flag of the binary.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten, next_help_heading = "Where pods ask")]
    pub(crate) listen: ListenArgs,
    #[command(flatten, next_help_heading = "Roles")]
    pub(crate) roles: RoleArgs,
    #[command(flatten, next_help_heading = "Instance metadata")]
    pub(crate) metadata: MetadataArgs,
    #[command(flatten, next_help_heading = "Redirection")]
    pub(crate) redirect: RedirectArgs,
    #[command(flatten, next_help_heading = "Kubernetes")]
    pub(crate) kubernetes: KubernetesArgs,
    #[command(flatten, next_help_heading = "Accepted for kube2iam's sake")]
    pub(crate) kube2iam: Kube2iamArgs,
    #[command(flatten, next_help_heading = "Options of all binaries")]
    pub(crate) common: CommonArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListenArgs {
    /// The port that pods' requests come in at; 0 for a free one.
    #[arg(long, value_name = "PORT", default_value_t = 8181)]
    pub(crate) app_port: u16,

    /// The one address to listen on; otherwise every address of the node.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub(crate) bind_address: Option<IpAddr>,

    /// A name under which pods may reach the proxy, besides the addresses of the service; repeatable.
    #[arg(long, value_name = "NAME")]
    pub(crate) allowed_host: Vec<String>,

    /// Whether requests without a session token of IMDSv2 are answered.
    #[arg(long, value_enum, value_name = "MODE", default_value = "optional")]
    pub(crate) imds_v2: ImdsV2Arg,

    /// How many requests a second are answered of one address; 0 for any number. Twice as many may come at
    /// once. The rest get a 503, which SDKs try again.
    #[arg(long, value_name = "REQUESTS", default_value_t = 200)]
    pub(crate) pod_request_rate: u32,

    /// Whether pods are answered at a real-time priority, before everything else on the node, where the kernel
    /// permits it (CAP_SYS_NICE), and as long as that takes less than half of one CPU.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    pub(crate) realtime: bool,

    /// How long a request waits for a pod that the watch has not shown yet, before it gets a 503.
    #[arg(long, value_name = "DURATION", default_value = "800ms")]
    pub(crate) backoff_max_elapsed_time: GoDuration,

    /// How long a request is held in all, STS included, before it gets a 503. SDKs give up after a second.
    #[arg(long, value_name = "DURATION", default_value = "900ms")]
    pub(crate) answer_timeout: GoDuration,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RoleArgs {
    /// What completes a role that is no ARN: arn:aws:iam::ACCOUNT:role/.
    #[arg(long, value_name = "ARN", value_parser = base_arn)]
    pub(crate) base_role_arn: Option<BaseArn>,

    /// Take the base ARN from the instance profile.
    #[arg(long)]
    pub(crate) auto_discover_base_arn: bool,

    /// The role of pods that have no role annotation.
    #[arg(long, value_name = "ROLE")]
    pub(crate) default_role: Option<String>,

    /// Take the node's own role as the default role.
    #[arg(long)]
    pub(crate) auto_discover_default_role: bool,

    /// The annotation that names the role, of a pod or of its service account.
    #[arg(long, value_name = "KEY", default_value = "iam.amazonaws.com/role")]
    pub(crate) iam_role_key: String,

    /// Whether a service account's annotation counts for pods that have none.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    pub(crate) service_account_roles: bool,

    /// Whether roles are assumed with the node's own credentials or with each pod's own token.
    #[arg(long, value_enum, value_name = "SOURCE", default_value = "assume-role")]
    pub(crate) credential_source: SourceArg,

    /// The audience of the tokens of pods.
    #[arg(long, value_name = "AUDIENCE", default_value = STS_AUDIENCE)]
    pub(crate) token_audience: String,

    /// The kubelet's folder, with the volumes of pods; read with --credential-source=web-identity.
    #[arg(long, value_name = "PATH", default_value = "/var/lib/kubelet")]
    pub(crate) kubelet_root: PathBuf,

    /// The pod annotation that names the external id.
    #[arg(
        long,
        value_name = "KEY",
        default_value = "iam.amazonaws.com/external-id"
    )]
    pub(crate) iam_external_id: String,

    /// The life that is left at least in credentials that are handed out. Sessions are asked for twice as long.
    #[arg(long, value_name = "DURATION", default_value = "30m")]
    pub(crate) iam_role_session_ttl: GoDuration,

    /// How long a denial of STS is remembered; 0 for one second, doubled up to a minute.
    #[arg(long, value_name = "DURATION", default_value = "0")]
    pub(crate) iam_role_error_ttl: GoDuration,

    /// Ask STS as soon as a pod with a role appears, and not only when it asks.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    pub(crate) prefetch: bool,

    /// Send session tags, in the names that EKS Pod Identity uses. Trust policies have to allow sts:TagSession.
    #[arg(long)]
    pub(crate) session_tags: bool,

    /// Allow pods only the roles that their namespace allows.
    #[arg(long)]
    pub(crate) namespace_restrictions: bool,

    /// How a namespace's list is read.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "glob")]
    pub(crate) namespace_restriction_format: FormatArg,

    /// Let * in a glob stand for / too, as kube2iam does.
    #[arg(long)]
    pub(crate) namespace_glob_spans_slashes: bool,

    /// The namespace annotation that lists the allowed roles, as a JSON array.
    #[arg(
        long,
        value_name = "KEY",
        default_value = "iam.amazonaws.com/allowed-roles"
    )]
    pub(crate) namespace_key: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct MetadataArgs {
    /// The real instance metadata; otherwise AWS_EC2_METADATA_SERVICE_ENDPOINT, otherwise 169.254.169.254.
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) metadata_addr: Option<String>,

    /// A path of the instance metadata that pods may read, such as meta-data/mac; repeatable.
    #[arg(long, value_name = "PATH")]
    pub(crate) allow_metadata_path: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RedirectArgs {
    /// Lead pods' requests for the metadata addresses here, by iptables and ip6tables.
    #[arg(long)]
    pub(crate) iptables: bool,

    /// Lead requests for the container endpoint, 169.254.170.23 and fd00:ec2::23, here too. Not beside the agent of EKS Pod Identity.
    #[arg(long)]
    pub(crate) container_endpoint: bool,

    /// Take the rules away at the end. Otherwise they stay: without a proxy nothing reaches the real service.
    #[arg(long)]
    pub(crate) iptables_remove: bool,

    /// How often it is looked whether the rules are in place, and first.
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    pub(crate) iptables_check_interval: GoDuration,

    /// The node's address; one of each family, separated by a comma.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', value_parser = address)]
    pub(crate) host_ip: Vec<IpAddr>,

    /// The interface that pods come in by; a + at the end for all that begin so, a ! in front for all but it.
    #[arg(long, value_name = "NAME", default_value = "docker0", value_parser = interface)]
    pub(crate) host_interface: Interface,
}

#[derive(Debug, clap::Args)]
pub(crate) struct KubernetesArgs {
    /// The node whose pods are served. Without it every pod of the cluster is watched.
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) node: String,

    /// The key of a taint that is taken off --node as soon as its pods are served, and whenever it comes back.
    #[arg(long, value_name = "KEY")]
    pub(crate) startup_taint: Option<String>,

    /// The URL of the API server; otherwise the kubeconfig.
    #[arg(long, value_name = "URL")]
    pub(crate) api_server: Option<String>,

    /// The token for --api-server.
    #[arg(long, value_name = "TOKEN", value_parser = secret, hide_env_values = true)]
    pub(crate) api_token: Option<Secret>,

    /// Do not check the certificate of --api-server.
    #[arg(long)]
    pub(crate) insecure: bool,

    /// Ask the API server which pod has an address where the watch shows more than one.
    #[arg(long)]
    pub(crate) resolve_duplicate_cache_ips: bool,
}

/// Flags without an effect of their own here.
#[derive(Debug, clap::Args)]
pub(crate) struct Kube2iamArgs {
    /// The port of --metrics-address, where it is not --app-port: metrics are never served to pods.
    #[arg(long, value_name = "PORT")]
    pub(crate) metrics_port: Option<u16>,

    /// No effect: pods never see what the proxy knows.
    #[arg(long)]
    pub(crate) debug: bool,

    /// As --log-level debug.
    #[arg(long)]
    pub(crate) verbose: bool,

    /// No effect: STS is always asked in the own region.
    #[arg(long)]
    pub(crate) use_regional_sts_endpoint: bool,

    /// No effect: a watch is resumed where it ended.
    #[arg(long, value_name = "DURATION")]
    pub(crate) cache_resync_period: Option<GoDuration>,

    /// No effect: a request that waits is told when a pod appears.
    #[arg(long, value_name = "DURATION")]
    pub(crate) backoff_max_interval: Option<GoDuration>,
}

fn address(text: &str) -> Result<IpAddr, &'static str> {
    text.parse().map_err(|_| "an IP address")
}

fn base_arn(text: &str) -> Result<BaseArn, &'static str> {
    BaseArn::parse(text).map_err(|_| "arn:<partition>:iam::<account>:role/[<path>/]")
}

fn interface(text: &str) -> Result<Interface, &'static str> {
    Interface::parse(text)
        .ok_or("the name of a network interface, with + behind or ! in front of it")
}

fn secret(text: &str) -> Result<Secret, &'static str> {
    Ok(Secret::new(text))
}
