//! Network load balancers, refused hosts, web ACLs and the choice of targets.

use ingress_core::{
    Defaults, Denial, Ec2Filter, FixedResponse, IpAddressType, LoadBalancerType,
    NetworkLoadBalancers, NodeSelector, WebAcl, ZoneAffinity, ec2_filters,
};

use super::check::Check;
use crate::args::{Args, DenialArgs, NlbArgs, TargetArgs};
use crate::watch::{Name, TargetPods};

impl Check<'_> {
    /// What an Ingress gets where it does not say.
    pub(super) fn defaults(&mut self, args: &Args) -> Defaults {
        let balancer = &args.load_balancer;
        Defaults {
            ip_address_type: match balancer.ip_addr_type.as_str() {
                "dualstack" => IpAddressType::Dualstack,
                _ => IpAddressType::Ipv4,
            },
            kind: match balancer.load_balancer_type.as_str() {
                "network" => LoadBalancerType::Network,
                _ => LoadBalancerType::Application,
            },
            web_acl: self.web_acl(&args.denial.aws_waf_web_acl_id),
        }
    }

    fn web_acl(&mut self, text: &str) -> Option<WebAcl> {
        if text.is_empty() {
            return None;
        }
        let acl = text.parse();
        if let Err(wrong) = &acl {
            self.0.push("aws-waf-web-acl-id", text, wrong);
        }
        acl.ok()
    }

    pub(super) fn network_load_balancers(&mut self, args: &NlbArgs) -> NetworkLoadBalancers {
        if args.nlb_http_target_port != 0 && !args.nlb_http_enabled {
            let allowed = "nothing without --nlb-http-enabled";
            self.0
                .push("nlb-http-target-port", args.nlb_http_target_port, allowed);
        }
        let affinity = ZoneAffinity::NAMES
            .iter()
            .find(|(name, _)| *name == args.nlb_zone_affinity);
        NetworkLoadBalancers {
            http: args.nlb_http_enabled,
            cross_zone: args.nlb_cross_zone,
            zone_affinity: affinity.map(|(_, value)| *value).unwrap_or_default(),
        }
    }

    pub(super) fn denial(&mut self, args: &DenialArgs) -> Option<Denial> {
        const BODY: &str = "deny-internal-domains-response";
        let domains = args.internal_domains.iter().filter(|d| !d.is_empty());
        for domain in domains.clone().filter(|d| !Denial::is_host_pattern(d)) {
            let allowed = "a host with at most 5 of * and ?, at most 128 characters";
            self.0.push("internal-domains", domain, allowed);
        }
        let (body, content_type, status) = (
            &args.deny_internal_domains_response,
            &args.deny_internal_domains_response_content_type,
            args.deny_internal_domains_response_status_code,
        );
        if body.len() > FixedResponse::MAX_BODY {
            self.0.push(BODY, body, "at most 1024 characters");
        }
        if !FixedResponse::CONTENT_TYPES.contains(&content_type.as_str()) {
            let allowed = FixedResponse::CONTENT_TYPES.join(", ");
            let flag = "deny-internal-domains-response-content-type";
            self.0.push(flag, content_type, allowed);
        }
        if !matches!(status, 200..=299 | 400..=599) {
            let flag = "deny-internal-domains-response-status-code";
            self.0.push(flag, status, "2xx, 4xx or 5xx");
        }
        args.deny_internal_domains.then(|| Denial {
            domains: domains.map(|domain| domain.to_ascii_lowercase()).collect(),
            response: FixedResponse {
                status,
                content_type: content_type.clone(),
                body: body.clone(),
            },
        })
    }

    /// `CUSTOM_FILTERS`, if it is set.
    pub(super) fn instance_filters(&mut self, args: &TargetArgs) -> Option<Vec<Ec2Filter>> {
        const FLAG: &str = "custom-filters";
        if args.custom_filters.trim().is_empty() {
            return None;
        }
        let filters = ec2_filters(&args.custom_filters);
        if let Err(wrong) = &filters {
            let allowed = "name=value,value … such as tag:role=worker tag-key=k8s.io/role/node";
            self.0.push(FLAG, wrong, allowed);
        }
        filters.ok()
    }

    /// The ConfigMap with alarms.
    pub(super) fn alarms(&mut self, text: &str) -> Option<Name> {
        if text.is_empty() {
            return None;
        }
        let legal = |part: &str| {
            let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
            (1..=253).contains(&part.len()) && part.bytes().all(inner)
        };
        match text.split_once('/') {
            Some((namespace, name)) if legal(namespace) && legal(name) => Some(Name {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            }),
            _ => {
                let flag = "cloudwatch-alarms-config-map";
                self.0.push(flag, text, "namespace/name of a ConfigMap");
                None
            }
        }
    }

    /// The pods of AWSCNI.
    pub(super) fn target_pods(&mut self, args: &TargetArgs) -> Option<TargetPods> {
        if args.target_access_mode != "AWSCNI" {
            return None;
        }
        if args.target_cni_namespace.is_empty() {
            let allowed = "the namespace of the pods";
            self.0
                .push("target-cni-namespace", &args.target_cni_namespace, allowed);
        }
        let selector = &args.target_cni_pod_labelselector;
        if !is_label_selector(selector) {
            let allowed = "a label selector, which AWSCNI needs, such as application=skipper";
            self.0
                .push("target-cni-pod-labelselector", selector, allowed);
        }
        Some(TargetPods {
            namespace: args.target_cni_namespace.clone(),
            selector: selector.clone(),
        })
    }
}

/// Whether the API server understands it, and it does not select everything:
/// `a=b,c in (d,e),f`.
fn is_label_selector(text: &str) -> bool {
    let mut depth = 0_usize;
    let parts = text.split(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    // An empty one selects everything, and so would an empty part.
    let legal = |part: &str| {
        !part.is_empty() && (part.parse::<NodeSelector>().is_ok() || is_set_based(part))
    };
    parts.into_iter().all(|part| legal(part.trim()))
}

/// `key in (a, b)` or `key notin (a, b)`.
fn is_set_based(text: &str) -> bool {
    let word = |text: &str| {
        let text = text.trim();
        !text.is_empty() && !text.contains(['=', '!', ' ', '(', ')'])
    };
    let Some((left, values)) = text.split_once('(') else {
        return false;
    };
    let mut left = left.split_whitespace();
    let (key, operator, rest) = (left.next(), left.next(), left.next());
    key.is_some_and(word)
        && matches!(operator, Some("in" | "notin"))
        && rest.is_none()
        && values
            .trim_end()
            .strip_suffix(')')
            .is_some_and(|values| values.split(',').all(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_selectors() {
        for (text, legal) in [
            ("application=skipper", true),
            ("application=skipper,component in (ingress, edge)", true),
            ("a notin (b),!c", true),
            ("", false),
            ("a in b", false),
            ("a in (b", false),
            ("a=b,", false),
            ("in (a)", false),
        ] {
            assert_eq!(is_label_selector(text), legal, "{text}");
        }
    }
}
