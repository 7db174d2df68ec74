//! Services.

use dns_core::snapshot::{Address, Service, ServiceKind};
use isthmus_core::ObjectRef;
use k8s_openapi::api::core::v1 as core;
use kube::ResourceExt;

use super::slim_metadata;

/// Removes what is not read.
pub(super) fn slim(service: &mut core::Service) {
    slim_metadata(&mut service.metadata);
    if let Some(spec) = &mut service.spec {
        spec.selector = None;
        spec.session_affinity_config = None;
        spec.load_balancer_source_ranges = None;
    }
    if let Some(status) = &mut service.status {
        status.conditions = None;
    }
}

/// What decides about a Service.
pub(super) fn to_service(service: &core::Service) -> Service {
    let metadata = &service.metadata;
    let namespace = metadata.namespace.clone().unwrap_or_default();
    let uid = metadata.uid.clone().unwrap_or_default();
    let nothing = core::ServiceSpec::default();
    let spec = service.spec.as_ref().unwrap_or(&nothing);
    let cluster_ip = spec.cluster_ip.as_deref();
    let parse = |ip: &String| ip.parse().ok();
    let status = service.status.as_ref();
    let status = status.and_then(|status| status.load_balancer.as_ref());
    let points = status.and_then(|status| status.ingress.as_ref());
    let ports = spec.ports.iter().flatten();
    Service {
        object: ObjectRef::new("v1", "Service", namespace, service.name_any()).with_uid(uid),
        annotations: metadata.annotations.clone().unwrap_or_default(),
        labels: metadata.labels.clone().unwrap_or_default(),
        kind: match spec.type_.as_deref() {
            Some("LoadBalancer") => ServiceKind::LoadBalancer,
            Some("NodePort") => ServiceKind::NodePort,
            Some("ExternalName") => ServiceKind::ExternalName,
            _ if cluster_ip == Some("None") => ServiceKind::Headless,
            _ => ServiceKind::ClusterIp,
        },
        cluster_ip: cluster_ip.and_then(|ip| ip.parse().ok()),
        external_ips: spec
            .external_ips
            .iter()
            .flatten()
            .filter_map(parse)
            .collect(),
        external_name: spec.external_name.clone().filter(|name| !name.is_empty()),
        addresses: points.into_iter().flatten().flat_map(addresses).collect(),
        node_ports: ports.filter_map(node_port).collect(),
        local: spec.external_traffic_policy.as_deref() == Some("Local"),
        publish_not_ready: spec.publish_not_ready_addresses == Some(true),
        ipv6: spec
            .ip_families
            .iter()
            .flatten()
            .any(|family| family == "IPv6"),
    }
}

fn node_port(port: &core::ServicePort) -> Option<(String, u16)> {
    let number = u16::try_from(port.node_port?)
        .ok()
        .filter(|port| *port > 0)?;
    let protocol = port.protocol.clone();
    Some((protocol.unwrap_or_else(|| "TCP".to_owned()), number))
}

/// An entry may have an address, a host name or both.
fn addresses(point: &core::LoadBalancerIngress) -> Vec<Address> {
    let ip = point.ip.as_ref().and_then(|ip| ip.parse().ok());
    let host = point.hostname.clone().filter(|host| !host.is_empty());
    let ip = ip.map(Address::Ip).into_iter();
    ip.chain(host.map(Address::Host)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_read_is_kept() {
        let service: core::Service = serde_json::from_value(serde_json::json!({
            "metadata": {"namespace": "shop", "name": "web", "uid": "u-1", "managedFields": [{"manager": "kubectl"}]},
            "spec": {
                "type": "NodePort", "clusterIP": "10.0.0.7", "selector": {"app": "web"},
                "ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP"}, {"port": 81}],
                "externalIPs": ["192.0.2.1"], "externalTrafficPolicy": "Local", "ipFamilies": ["IPv4", "IPv6"],
            },
            "status": {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}, {"ip": "192.0.2.9"}]}},
        }))
        .unwrap();
        let mut slimmed = service.clone();
        slim(&mut slimmed);
        assert!(slimmed.spec.as_ref().unwrap().selector.is_none());
        let read = to_service(&slimmed);
        assert_eq!(
            read,
            to_service(&service),
            "slimming takes away nothing that counts"
        );
        assert_eq!(read.kind, ServiceKind::NodePort);
        assert_eq!(read.node_ports, [("TCP".to_owned(), 30080)]);
        assert!(read.local && read.ipv6 && !read.publish_not_ready);
        assert_eq!(read.addresses.len(), 2);
        assert_eq!(read.external_ips.len(), 1);
    }

    #[test]
    fn a_cluster_ip_of_none_is_headless() {
        let service: core::Service = serde_json::from_value(serde_json::json!({
            "metadata": {"namespace": "shop", "name": "web"},
            "spec": {"type": "ClusterIP", "clusterIP": "None"},
        }))
        .unwrap();
        let read = to_service(&service);
        assert_eq!((read.kind, read.cluster_ip), (ServiceKind::Headless, None));
    }
}
