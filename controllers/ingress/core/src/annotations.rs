//! The annotations of kube-ingress-aws-controller, read strictly.

use std::collections::BTreeMap;

use isthmus_core::{AnnotationError, Annotations};

use crate::{
    Arn, IpAddressType, LoadBalancerType, Scheme, SecurityGroupId, SslPolicy, WebAcl, WebAclChoice,
};

pub use reference::annotation_reference;

mod reference;

const PREFIX: &str = "zalando.org/aws-load-balancer-";
const SCHEME: &str = "zalando.org/aws-load-balancer-scheme";
const SHARED: &str = "zalando.org/aws-load-balancer-shared";
const TYPE: &str = "zalando.org/aws-load-balancer-type";
const HTTP2: &str = "zalando.org/aws-load-balancer-http2";
const SECURITY_GROUP: &str = "zalando.org/aws-load-balancer-security-group";
const SSL_POLICY: &str = "zalando.org/aws-load-balancer-ssl-policy";
const SSL_CERT: &str = "zalando.org/aws-load-balancer-ssl-cert";
/// Gone from kube-ingress-aws-controller since 0.7 and ignored there: kept legal
/// so that old manifests go on working.
const SSL_CERT_DOMAIN: &str = "zalando.org/aws-load-balancer-ssl-cert-domain";
const WAF: &str = "zalando.org/aws-waf-web-acl-id";
const IP_ADDRESS_TYPE: &str = "alb.ingress.kubernetes.io/ip-address-type";

/// What an Ingress gets where it does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// `--ip-addr-type`.
    pub ip_address_type: IpAddressType,
    /// `--load-balancer-type`.
    pub kind: LoadBalancerType,
    /// `--aws-waf-web-acl-id`.
    pub web_acl: Option<WebAcl>,
}

/// What an Ingress asks of its load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Who can reach it.
    pub scheme: Scheme,
    /// Its type.
    pub kind: LoadBalancerType,
    /// Its addresses.
    pub ip_address_type: IpAddressType,
    /// Whether other Ingresses may be on it.
    pub shared: bool,
    /// Whether clients may speak HTTP/2.
    pub http2: bool,
    /// A security group instead of the one found by tags.
    pub security_group: Option<SecurityGroupId>,
    /// A policy instead of `--ssl-policy`.
    pub ssl_policy: Option<SslPolicy>,
    /// A certificate instead of those found by host.
    pub certificate: Option<Arn>,
    /// A web ACL other than the default one; [`WebAclChoice::Default`] on an NLB, which has none.
    pub web_acl: WebAclChoice,
}

/// Reads the annotations of one Ingress.
///
/// # Errors
///
/// Every value that is not allowed, and every key that starts like one of these
/// annotations and is none: a typo in `scheme` must never make a load balancer public.
pub fn settings(
    map: &BTreeMap<String, String>,
    defaults: &Defaults,
) -> Result<Settings, Vec<AnnotationError>> {
    let mut read = Annotations::new(Some(map));
    let scheme = read.one_of(SCHEME, &Scheme::NAMES);
    let annotated_kind = read.one_of(TYPE, &LoadBalancerType::NAMES);
    let ip_address_type = read.one_of(IP_ADDRESS_TYPE, &IpAddressType::NAMES);
    let shared = read.boolean(SHARED);
    let http2 = read.boolean(HTTP2);
    let security_group = read.parse(SECURITY_GROUP, "one security group's id, sg-…", |text| {
        text.parse().ok()
    });
    let ssl_policy = read.parse(SSL_POLICY, &SslPolicy::allowed(), |text| text.parse().ok());
    let certificate = read.parse(
        SSL_CERT,
        "the ARN of a certificate of ACM or IAM",
        Arn::certificate,
    );
    let web_acl = web_acl(&mut read);
    let kind = load_balancer_type(&mut read, annotated_kind, scheme, defaults);
    reject_unknown(&mut read, map);
    read.finish()?;
    Ok(Settings {
        scheme: scheme.unwrap_or(Scheme::InternetFacing),
        kind,
        ip_address_type: ip_address_type.unwrap_or(defaults.ip_address_type),
        shared: shared.unwrap_or(true),
        http2: http2.unwrap_or(true),
        security_group,
        ssl_policy,
        certificate,
        web_acl: match kind {
            LoadBalancerType::Application => WebAclChoice::new(web_acl, defaults.web_acl.as_ref()),
            LoadBalancerType::Network => WebAclChoice::Default,
        },
    })
}

/// What the annotation says of a web ACL: nothing, none, or which.
fn web_acl(read: &mut Annotations<'_>) -> Option<Option<WebAcl>> {
    let text = read.get(WAF)?;
    if text.is_empty() {
        return Some(None);
    }
    match text.parse() {
        Ok(acl) => Some(Some(acl)),
        Err(wrong) => {
            read.reject(WAF, text, &wrong.to_string());
            None
        }
    }
}

/// Security groups and web ACLs are for ALBs: an Ingress that asks for one gets an
/// ALB, and so does an internal one; but not against its own word.
fn load_balancer_type(
    read: &mut Annotations<'_>,
    annotated: Option<LoadBalancerType>,
    scheme: Option<Scheme>,
    defaults: &Defaults,
) -> LoadBalancerType {
    let asked = |key: &&str| read.get(key).is_some_and(|value| !value.is_empty());
    let for_albs: Vec<&str> = [SECURITY_GROUP, WAF].into_iter().filter(asked).collect();
    if annotated == Some(LoadBalancerType::Network) && !for_albs.is_empty() {
        let allowed = format!(
            "alb, since a network load balancer has no {}; take one of the annotations away",
            for_albs.join(" and no ")
        );
        read.reject(TYPE, "nlb", &allowed);
    }
    let needs_alb = !for_albs.is_empty() || scheme == Some(Scheme::Internal);
    match annotated {
        Some(kind) => kind,
        None if needs_alb => LoadBalancerType::Application,
        None => defaults.kind,
    }
}

fn reject_unknown(read: &mut Annotations<'_>, map: &BTreeMap<String, String>) {
    const KNOWN: [&str; 8] = [
        SCHEME,
        SHARED,
        TYPE,
        HTTP2,
        SECURITY_GROUP,
        SSL_POLICY,
        SSL_CERT,
        SSL_CERT_DOMAIN,
    ];
    for (key, value) in map {
        if key.starts_with(PREFIX) && !KNOWN.contains(&key.as_str()) {
            let names: Vec<_> = KNOWN
                .iter()
                .filter_map(|k| k.strip_prefix(PREFIX))
                .collect();
            read.reject(
                key,
                value,
                &format!("{PREFIX} with one of {}", names.join(", ")),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: Defaults = Defaults {
        ip_address_type: IpAddressType::Ipv4,
        kind: LoadBalancerType::Application,
        web_acl: None,
    };
    const ACL: &str = "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/web/0a";

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        let map = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        settings(&map, &DEFAULTS).map_err(|e| e.iter().map(|e| e.key.clone()).collect())
    }

    #[test]
    fn nothing_said_is_a_shared_public_alb() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.scheme, Scheme::InternetFacing);
        assert!(settings.shared && settings.http2);
        assert_eq!(settings.certificate, None);
    }

    #[test]
    fn every_annotation_is_understood() {
        let arn = "arn:aws:acm:eu-central-1:123456789012:certificate/a";
        let settings = read(&[
            (SCHEME, "internal"),
            (SHARED, "false"),
            (TYPE, "alb"),
            (HTTP2, "false"),
            (SECURITY_GROUP, "sg-0a"),
            (SSL_POLICY, "ELBSecurityPolicy-FS-2018-06"),
            (SSL_CERT, arn),
            (SSL_CERT_DOMAIN, "ignored.example.org"),
            (IP_ADDRESS_TYPE, "dualstack"),
            (WAF, ""),
        ])
        .unwrap();
        assert_eq!(settings.scheme, Scheme::Internal);
        assert!(!settings.shared && !settings.http2);
        assert_eq!(settings.ip_address_type, IpAddressType::Dualstack);
        assert_eq!(settings.security_group.unwrap().as_str(), "sg-0a");
        assert_eq!(settings.certificate, Some(Arn::new(arn)));
        assert_eq!(
            settings.ssl_policy.unwrap().to_string(),
            "ELBSecurityPolicy-FS-2018-06"
        );
    }

    #[test]
    fn every_wrong_value_is_refused() {
        for (key, value) in [
            (SCHEME, "Internal"),
            (SCHEME, ""),
            (SHARED, "no"),
            (TYPE, "ALB"),
            (TYPE, "network"),
            (HTTP2, "off"),
            (SECURITY_GROUP, "default"),
            (SSL_POLICY, "modern"),
            (SSL_CERT, "shop.example.org"),
            (IP_ADDRESS_TYPE, "foo"),
            (WAF, "11111111-2222-3333-4444-555555555555"),
            ("zalando.org/aws-load-balancer-schema", "internal"),
        ] {
            assert_eq!(read(&[(key, value)]), Err(vec![key.to_owned()]), "{value}");
        }
    }

    #[test]
    fn all_mistakes_are_named_and_other_systems_keys_are_not_ours() {
        let errors = read(&[
            (SCHEME, "public"),
            (SHARED, "1"),
            ("zalando.org/skipper-filter", "x"),
        ]);
        assert_eq!(errors, Err(vec![SCHEME.to_owned(), SHARED.to_owned()]));
        assert!(read(&[("alb.ingress.kubernetes.io/scheme", "internal")]).is_ok());
    }

    #[test]
    fn an_nlb_has_neither_security_group_nor_web_acl() {
        assert_eq!(
            read(&[(TYPE, "nlb")]).unwrap().kind,
            LoadBalancerType::Network
        );
        for (key, value) in [(SECURITY_GROUP, "sg-0a"), (WAF, ACL)] {
            let refused = read(&[(TYPE, "nlb"), (key, value)]);
            assert_eq!(refused, Err(vec![TYPE.to_owned()]), "{key}");
        }
        assert!(read(&[(TYPE, "nlb"), (WAF, "")]).is_ok());
    }

    #[test]
    fn the_default_type_gives_way_to_what_needs_an_alb() {
        let nlb = Defaults {
            kind: LoadBalancerType::Network,
            ..DEFAULTS
        };
        for (pairs, kind) in [
            (vec![], LoadBalancerType::Network),
            (vec![(SCHEME, "internet-facing")], LoadBalancerType::Network),
            (vec![(SCHEME, "internal")], LoadBalancerType::Application),
            (
                vec![(SCHEME, "internal"), (TYPE, "nlb")],
                LoadBalancerType::Network,
            ),
            (
                vec![(SECURITY_GROUP, "sg-0a")],
                LoadBalancerType::Application,
            ),
            (vec![(WAF, ACL)], LoadBalancerType::Application),
        ] {
            let map = pairs
                .iter()
                .map(|(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned()))
                .collect();
            assert_eq!(settings(&map, &nlb).unwrap().kind, kind, "{pairs:?}");
        }
    }
}
