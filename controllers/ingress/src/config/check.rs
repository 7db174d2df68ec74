//! Flags one by one: what is wrong with each, and what is right.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ingress_core::{
    AccessLogs, Arn, ClassFilter, HealthCheck, NodeSelector, Protocol, SslPolicy, TargetConfig,
    TargetType,
};
use isthmus_core::{GoDuration, Ownership};
use isthmus_runtime::Problems;

use crate::args::{Args, CertificateArgs, LoadBalancerArgs, TargetArgs};

/// Reads flags and collects what is wrong.
pub(super) struct Check<'a>(pub(super) &'a mut Problems);

impl Check<'_> {
    pub(super) fn decisions(&mut self, args: &Args) -> Option<ingress_core::Config> {
        let balancer = &args.load_balancer;
        let max = self.max_certificates(&args.certificates);
        let blacklist = self.blacklist(&args.certificates.blacklist_certificate_arns);
        let ssl_policy = self.ssl_policy(&balancer.ssl_policy);
        let nodes = self.node_selector(&args.target.target_node_selector);
        let extra_tags = self.tags(&balancer.additional_stack_tags);
        let idle = self.seconds(
            "idle-connection-timeout",
            balancer.idle_connection_timeout,
            (1, 4000),
        );
        let nlb_threshold = self.threshold(
            "nlb-healthy-threshold-count",
            args.nlb.nlb_healthy_threshold_count,
        );
        let target = TargetConfig {
            nlb_http_port: not_zero(args.nlb.nlb_http_target_port),
            nlb_threshold,
            ..self.target(&args.target)
        };
        let defaults = self.defaults(args);
        let denial = self.denial(&args.denial);
        let network_load_balancers = self.network_load_balancers(&args.nlb);
        let access_logs = self.access_logs(balancer);
        self.controller_id(&balancer.controller_id);
        Some(ingress_core::Config {
            ownership: Ownership::new(Ownership::DEFAULT_TAG_PREFIX, "", &balancer.controller_id),
            vpc: String::new(),
            classes: ClassFilter::new(&args.source.ingress_class_filter),
            cluster_local_domain: not_empty(&args.source.cluster_local_domain),
            defaults,
            max_certificates: max,
            blacklist,
            ssl_policy: ssl_policy?,
            redirect_http: balancer.redirect_http_to_https,
            denial,
            alarms: !args.load_balancer.cloudwatch_alarms_config_map.is_empty(),
            network_load_balancers,
            target,
            nodes: nodes?,
            idle_timeout: idle,
            access_logs,
            deletion_protection: balancer.stack_termination_protection,
            extra_tags,
            grace: args.certificates.cert_ttl_timeout.0,
            min_age: balancer.min_load_balancer_age.0,
        })
    }

    fn target(&mut self, args: &TargetArgs) -> TargetConfig {
        let protocol = if args.target_https {
            Protocol::Https
        } else {
            Protocol::Http
        };
        let interval = self.seconds(
            "health-check-interval",
            args.health_check_interval,
            (5, 300),
        );
        let timeout = self.seconds("health-check-timeout", args.health_check_timeout, (2, 120));
        if (2..=120).contains(&timeout) && (5..=timeout).contains(&interval) {
            let allowed = format!("less than --health-check-interval, {interval}s");
            self.0
                .push("health-check-timeout", args.health_check_timeout, allowed);
        }
        let path = &args.health_check_path;
        let legal = path.len() <= 1024 && path.bytes().all(|b| b.is_ascii_graphic());
        if !path.starts_with('/') || !legal {
            self.0.push(
                "health-check-path",
                path,
                "a path that begins with /, at most 1024 characters",
            );
        }
        TargetConfig {
            port: args.target_port,
            alb_http_port: not_zero(args.alb_http_target_port),
            nlb_http_port: None,
            nlb_threshold: 0,
            protocol,
            kind: match args.target_access_mode.as_str() {
                "AWSCNI" => TargetType::Ip,
                _ => TargetType::Instance,
            },
            health_check: HealthCheck {
                protocol,
                path: path.clone(),
                port: args.health_check_port,
                interval,
                timeout: Some(timeout),
                healthy_threshold: self.threshold(
                    "alb-healthy-threshold-count",
                    args.alb_healthy_threshold_count,
                ),
                unhealthy_threshold: self.threshold(
                    "alb-unhealthy-threshold-count",
                    args.alb_unhealthy_threshold_count,
                ),
            },
            deregistration_delay: self.seconds(
                "deregistration-delay-timeout",
                args.deregistration_delay_timeout,
                (1, 3600),
            ),
        }
    }

    pub(super) fn not_zero(&mut self, flag: &str, value: GoDuration) {
        if value.0 < Duration::from_secs(1) {
            self.0.push(flag, value, "1s or more");
        }
    }

    /// AWS takes whole seconds.
    fn seconds(&mut self, flag: &str, value: GoDuration, (from, to): (u32, u32)) -> u32 {
        let seconds = u32::try_from(value.0.as_secs()).unwrap_or(u32::MAX);
        if value.0.subsec_nanos() != 0 || !(from..=to).contains(&seconds) {
            self.0.push(
                flag,
                value,
                format_args!("{from}s to {to}s, in whole seconds"),
            );
        }
        seconds
    }

    fn threshold(&mut self, flag: &str, value: u32) -> u32 {
        if !(2..=10).contains(&value) {
            self.0.push(flag, value, "2 to 10");
        }
        value
    }

    fn max_certificates(&mut self, args: &CertificateArgs) -> usize {
        if !(1..=24).contains(&args.max_certs_alb) {
            self.0.push("max-certs-alb", args.max_certs_alb, "1 to 24");
        }
        if args.disable_sni_support {
            1
        } else {
            args.max_certs_alb
        }
    }

    fn blacklist(&mut self, arns: &[String]) -> BTreeSet<Arn> {
        let mut blacklist = BTreeSet::new();
        for arn in arns.iter().filter(|arn| !arn.is_empty()) {
            if arn.starts_with("arn:") {
                blacklist.insert(Arn::new(arn));
            } else {
                self.0.push(
                    "blacklist-certificate-arns",
                    arn,
                    "the ARN of a certificate",
                );
            }
        }
        blacklist
    }

    fn ssl_policy(&mut self, name: &str) -> Option<SslPolicy> {
        let policy = name.parse();
        if policy.is_err() {
            self.0.push("ssl-policy", name, SslPolicy::allowed());
        }
        policy.ok()
    }

    fn node_selector(&mut self, text: &str) -> Option<NodeSelector> {
        let selector = text.parse();
        if selector.is_err() {
            self.0.push(
                "target-node-selector",
                text,
                "requirements such as a=b,c!=d,e,!f",
            );
        }
        selector.ok()
    }

    pub(super) fn certificate_tag(&mut self, text: &str) -> Option<(String, String)> {
        let tag = text.split_once('=').filter(|(key, _)| !key.is_empty());
        if tag.is_none() && !text.is_empty() {
            self.0.push("cert-filter-tag", text, "key=value");
        }
        tag.map(|(key, value)| (key.to_owned(), value.to_owned()))
    }

    /// AWS allows 50 tags on a resource; ours and those that come and go need room.
    fn tags(&mut self, tags: &[String]) -> BTreeMap<String, String> {
        const FLAG: &str = "additional-stack-tags";
        const MOST: usize = 15;
        let mut found = BTreeMap::new();
        for tag in tags {
            match tag.split_once('=') {
                Some((key, value)) if legal_tag(key, value) => {
                    found.insert(key.to_owned(), value.to_owned());
                }
                _ => self.0.push(
                    FLAG,
                    tag,
                    "key=value, where the key does not begin with aws:",
                ),
            }
        }
        if found.len() > MOST {
            self.0.push(
                FLAG,
                format_args!("{} tags", found.len()),
                format_args!("at most {MOST}"),
            );
        }
        found
    }

    fn access_logs(&mut self, args: &LoadBalancerArgs) -> Option<AccessLogs> {
        if args.logs_s3_bucket.is_empty() && !args.logs_s3_prefix.is_empty() {
            let allowed = "nothing without --logs-s3-bucket";
            self.0.push("logs-s3-prefix", &args.logs_s3_prefix, allowed);
        }
        not_empty(&args.logs_s3_bucket).map(|bucket| AccessLogs {
            bucket,
            prefix: args.logs_s3_prefix.clone(),
        })
    }

    fn controller_id(&mut self, id: &str) {
        if id.is_empty() || id.len() > 255 {
            self.0.push("controller-id", id, "1 to 255 characters");
        }
    }

    pub(super) fn cluster_id(&mut self, id: Option<&str>) {
        if let Some(id) = id.filter(|id| id.is_empty() || id.len() > 100) {
            self.0.push("cluster-id", id, "1 to 100 characters");
        }
    }

    pub(super) fn vpc(&mut self, id: Option<&str>) {
        let legal = |id: &str| {
            let digits = id.strip_prefix("vpc-").unwrap_or_default();
            !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        if let Some(id) = id.filter(|id| !legal(id)) {
            self.0.push("vpc-id", id, "the id of a VPC, vpc-…");
        }
    }
}

fn legal_tag(key: &str, value: &str) -> bool {
    !key.is_empty() && key.len() <= 128 && value.len() <= 256 && !key.starts_with("aws:")
}

fn not_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn not_zero(port: u16) -> Option<u16> {
    (port != 0).then_some(port)
}
