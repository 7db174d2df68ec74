//! Ingresses.

use dns_core::snapshot::{Address, Ingress};
use isthmus_core::ObjectRef;
use k8s_openapi::api::networking::v1 as networking;
use kube::ResourceExt;

use super::slim_metadata;

/// Removes what is not read.
pub(super) fn slim(ingress: &mut networking::Ingress) {
    slim_metadata(&mut ingress.metadata);
    if let Some(spec) = &mut ingress.spec {
        spec.default_backend = None;
        for rule in spec.rules.iter_mut().flatten() {
            rule.http = None;
        }
    }
}

/// What decides about an Ingress.
pub(super) fn to_ingress(ingress: &networking::Ingress) -> Ingress {
    let metadata = &ingress.metadata;
    let namespace = metadata.namespace.clone().unwrap_or_default();
    let uid = metadata.uid.clone().unwrap_or_default();
    let spec = ingress.spec.as_ref();
    let rules = spec
        .and_then(|spec| spec.rules.as_ref())
        .into_iter()
        .flatten();
    let tls = spec
        .and_then(|spec| spec.tls.as_ref())
        .into_iter()
        .flatten();
    let status = ingress
        .status
        .as_ref()
        .and_then(|status| status.load_balancer.as_ref());
    let points = status
        .and_then(|status| status.ingress.as_ref())
        .into_iter()
        .flatten();
    Ingress {
        object: ObjectRef::new(
            "networking.k8s.io/v1",
            "Ingress",
            namespace,
            ingress.name_any(),
        )
        .with_uid(uid),
        annotations: metadata.annotations.clone().unwrap_or_default(),
        labels: metadata.labels.clone().unwrap_or_default(),
        class: spec.and_then(|spec| spec.ingress_class_name.clone()),
        rule_hosts: rules.filter_map(|rule| rule.host.clone()).collect(),
        tls_hosts: tls
            .flat_map(|tls| tls.hosts.clone().unwrap_or_default())
            .collect(),
        addresses: points.flat_map(addresses).collect(),
    }
}

/// An entry may have an address, a host name or both.
fn addresses(point: &networking::IngressLoadBalancerIngress) -> Vec<Address> {
    let ip = point
        .ip
        .as_ref()
        .and_then(|ip| ip.parse().ok())
        .map(Address::Ip);
    let host = point
        .hostname
        .clone()
        .filter(|host| !host.is_empty())
        .map(Address::Host);
    ip.into_iter().chain(host).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ingress() -> networking::Ingress {
        serde_json::from_value(serde_json::json!({
            "metadata": {
                "namespace": "shop", "name": "web", "uid": "u-1",
                "labels": {"team": "edge"},
                "annotations": {"a": "b", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
                "managedFields": [{"manager": "kubectl"}],
            },
            "spec": {
                "ingressClassName": "skipper",
                "rules": [{"host": "a.example.org", "http": {"paths": []}}, {"http": {"paths": []}}],
                "tls": [{"hosts": ["b.example.org"]}, {}],
            },
            "status": {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}, {"ip": "192.0.2.1"}, {"hostname": ""}]}},
        }))
        .unwrap()
    }

    #[test]
    fn only_what_is_read_is_kept() {
        let mut slimmed = ingress();
        slim(&mut slimmed);
        assert!(slimmed.metadata.managed_fields.is_none());
        assert_eq!(slimmed.annotations().len(), 1);
        let read = to_ingress(&slimmed);
        let mut before = to_ingress(&ingress());
        before
            .annotations
            .remove("kubectl.kubernetes.io/last-applied-configuration");
        assert_eq!(read, before, "slimming takes away nothing that counts");
        assert_eq!(
            (read.object.to_string().as_str(), read.object.uid.as_str()),
            ("Ingress shop/web", "u-1")
        );
        assert_eq!(
            (read.rule_hosts, read.tls_hosts),
            (
                vec!["a.example.org".to_owned()],
                vec!["b.example.org".to_owned()]
            )
        );
        assert_eq!(
            read.addresses,
            [
                Address::Host("lb.example.com".into()),
                Address::Ip("192.0.2.1".parse().unwrap())
            ]
        );
        assert_eq!(read.class.as_deref(), Some("skipper"));
    }
}
