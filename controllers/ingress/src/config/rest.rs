//! Flags that mean nothing here.

use std::time::Duration;

use isthmus_runtime::CommonArgs;

use super::check::Check;
use crate::args::{Args, DenialArgs};

impl Check<'_> {
    /// Flags without effect have their limits all the same.
    pub(super) fn rest(&mut self, args: &Args) {
        if args.rest.creation_timeout.0 < Duration::from_secs(60) {
            self.0
                .push("creation-timeout", args.rest.creation_timeout, "1m or more");
        }
    }

    /// `--api-server-base-url`, which is there for proxies that know whom they are for:
    /// nothing is presented to it.
    pub(super) fn api_server(&mut self, url: &str, common: &CommonArgs) -> Option<kube::Config> {
        const FLAG: &str = "api-server-base-url";
        if url.is_empty() {
            return None;
        }
        if common.kubeconfig.is_some() {
            self.0.push(FLAG, url, "nothing beside --kubeconfig");
        }
        let host = |rest: &str| {
            let begins = rest.starts_with(|c: char| c.is_alphanumeric() || c == '[');
            begins && !rest.contains(['@', '?', '#'])
        };
        let known = ["http://", "https://"].iter();
        let legal = known.filter_map(|s| url.strip_prefix(s)).any(host);
        let server = url.trim_end_matches('/').parse().ok().filter(|_| legal);
        if server.is_none() {
            self.0.push(FLAG, url, "http://… or https://… and a host");
        }
        server.map(kube::Config::new)
    }
}

/// What was given and means nothing here, one line each.
pub(super) fn without_effect(args: &Args) -> Vec<String> {
    let rest = &args.rest;
    let target = &args.target;
    let instances = "targets are instances";
    let pods = "targets are pods";
    let cni = target.target_access_mode == "AWSCNI";
    let no_cni = !cni && target.target_cni_namespace != "kube-system";
    let stacks = rest.creation_timeout.0 != Duration::from_secs(300);
    let selected = !target.custom_filters.trim().is_empty();
    let given = [
        (
            rest.ingress_api_version != "networking.k8s.io/v1",
            "ingress-api-version",
            "Ingresses are read as networking.k8s.io/v1",
        ),
        (
            stacks,
            "creation-timeout",
            "nothing is made through CloudFormation",
        ),
        (
            rest.disable_instrumented_http_client,
            "disable-instrumented-http-client",
            "calls are always counted",
        ),
        (no_cni, "target-cni-namespace", instances),
        (
            !cni && !target.target_cni_pod_labelselector.is_empty(),
            "target-cni-pod-labelselector",
            instances,
        ),
        (cni && selected, "custom-filters", pods),
        (
            cni && !target.target_node_selector.is_empty(),
            "target-node-selector",
            pods,
        ),
        (
            !cni && selected && !target.target_node_selector.is_empty(),
            "target-node-selector",
            "--custom-filters selects the instances",
        ),
        (
            target.target_access_mode == "Legacy",
            "target-access-mode Legacy",
            "it means HostPort",
        ),
    ];
    let mut lines: Vec<_> = given
        .into_iter()
        .filter(|(given, _, _)| *given)
        .map(|(_, flag, why)| format!("--{flag} has no effect: {why}"))
        .collect();
    lines.extend(denial_without_effect(&args.denial));
    lines
}

/// How requests for internal domains would be refused, which is not asked for.
fn denial_without_effect(args: &DenialArgs) -> Option<String> {
    let given = args.internal_domains != ["*.cluster.local"]
        || args.deny_internal_domains_response != "Unauthorized"
        || args.deny_internal_domains_response_content_type != "text/plain"
        || args.deny_internal_domains_response_status_code != 401;
    (given && !args.deny_internal_domains).then(|| {
        "--internal-domains and --deny-internal-domains-response* have no effect: \
         --deny-internal-domains is not given"
            .to_owned()
    })
}
