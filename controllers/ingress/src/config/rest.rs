//! Flags that mean nothing here, or nothing yet.

use std::time::Duration;

use super::check::Check;
use crate::args::{Args, RestArgs};

impl Check<'_> {
    /// What other values would mean is not built yet: better no start than another meaning.
    pub(super) fn unsupported(&mut self, args: &Args) {
        let other = |value: &str, supported: &[&str]| match supported.contains(&value) {
            true => String::new(),
            false => value.to_owned(),
        };
        let kind = other(&args.load_balancer.load_balancer_type, &["application"]);
        let mode = other(&args.target.target_access_mode, &["HostPort", "Legacy"]);
        self.unsupported_values([
            ("load-balancer-type", kind, "application"),
            ("target-access-mode", mode, "HostPort, Legacy"),
        ]);
        self.unsupported_rest(&args.rest);
        self.threshold(
            "nlb-healthy-threshold-count",
            args.rest.nlb_healthy_threshold_count,
        );
        if args.rest.creation_timeout.0 < Duration::from_secs(60) {
            self.0
                .push("creation-timeout", args.rest.creation_timeout, "1m or more");
        }
    }

    fn unsupported_rest(&mut self, rest: &RestArgs) {
        let port = |port: u16| {
            if port == 0 {
                String::new()
            } else {
                port.to_string()
            }
        };
        let deny = if rest.deny_internal_domains {
            "true"
        } else {
            ""
        };
        let alarms = &rest.cloudwatch_alarms_config_map;
        self.unsupported_values([
            (
                "api-server-base-url",
                rest.api_server_base_url.clone(),
                "nothing; use --kubeconfig",
            ),
            (
                "custom-filters",
                rest.custom_filters.clone(),
                "nothing; use --target-node-selector",
            ),
            ("alb-http-target-port", port(rest.alb_http_target_port), "0"),
            ("nlb-http-target-port", port(rest.nlb_http_target_port), "0"),
            ("deny-internal-domains", deny.to_owned(), "false"),
            (
                "aws-waf-web-acl-id",
                rest.aws_waf_web_acl_id.clone(),
                "nothing",
            ),
            ("cloudwatch-alarms-config-map", alarms.clone(), "nothing"),
        ]);
    }

    /// Flag, value or nothing, what is supported.
    fn unsupported_values<const N: usize>(&mut self, values: [(&str, String, &str); N]) {
        for (flag, value, supported) in values {
            if !value.is_empty() {
                let what = format_args!("{value:?} is not supported yet; allowed: {supported}");
                self.0.say(flag, what);
            }
        }
    }
}

/// What was given and means nothing here, one line each.
pub(super) fn without_effect(args: &Args) -> Vec<String> {
    let rest = &args.rest;
    let no_nlb = "there are no network load balancers";
    let instances = "targets are instances";
    let no_cni = rest.target_cni_namespace != "kube-system";
    let stacks = rest.creation_timeout.0 != Duration::from_secs(300);
    let zones = rest.nlb_zone_affinity != "any_availability_zone";
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
            !rest.target_cni_pod_labelselector.is_empty(),
            "target-cni-pod-labelselector",
            instances,
        ),
        (
            rest.nlb_healthy_threshold_count != 3,
            "nlb-healthy-threshold-count",
            no_nlb,
        ),
        (zones, "nlb-zone-affinity", no_nlb),
        (rest.nlb_cross_zone, "nlb-cross-zone", no_nlb),
        (rest.nlb_http_enabled, "nlb-http-enabled", no_nlb),
        (
            args.target.target_access_mode == "Legacy",
            "target-access-mode Legacy",
            "it means HostPort",
        ),
    ];
    let mut lines: Vec<_> = given
        .into_iter()
        .filter(|(given, _, _)| *given)
        .map(|(_, flag, why)| format!("--{flag} has no effect: {why}"))
        .collect();
    lines.extend(denial_without_effect(rest));
    lines
}

/// How requests for internal domains would be refused, which is not asked for.
fn denial_without_effect(rest: &RestArgs) -> Option<String> {
    let given = rest.internal_domains != ["*.cluster.local"]
        || rest.deny_internal_domains_response != "Unauthorized"
        || rest.deny_internal_domains_response_content_type != "text/plain"
        || rest.deny_internal_domains_response_status_code != 401;
    given.then(|| {
        "--internal-domains and --deny-internal-domains-response* have no effect: \
         --deny-internal-domains is not given"
            .to_owned()
    })
}
