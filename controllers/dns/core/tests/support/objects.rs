//! Kubernetes objects in their own shape, as the snapshot has them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use dns_core::Snapshot;
use dns_core::snapshot::{
    Address, DnsEndpoint, Endpoint, EndpointSpec, Ingress, Node, Pod, RouteGroup, Service,
    ServiceKind,
};
use isthmus_core::ObjectRef;
use serde_yaml_ng::Value;

/// Adds an object to the snapshot; the kind if it is not known.
pub(super) fn add(snapshot: &mut Snapshot, document: &Value) -> Result<(), String> {
    match document["kind"].as_str().unwrap_or_default() {
        "Ingress" => snapshot.ingresses.push(ingress(document)),
        "RouteGroup" => snapshot.route_groups.push(route_group(document)),
        "Service" => snapshot.services.push(service(document)),
        "EndpointSlice" => snapshot.endpoints.extend(endpoints(document)),
        "Pod" => snapshot.pods.push(pod(document)),
        "Node" => snapshot.nodes.push(node(document)),
        "DNSEndpoint" => snapshot.dns_endpoints.push(dns_endpoint(document)),
        other => return Err(other.to_owned()),
    }
    Ok(())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn maybe(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn items(value: &Value) -> &[Value] {
    value.as_sequence().map_or(&[], Vec::as_slice)
}

fn texts(value: &Value) -> Vec<String> {
    items(value).iter().map(text).collect()
}

fn map(value: &Value) -> BTreeMap<String, String> {
    serde_yaml_ng::from_value(value.clone()).unwrap_or_default()
}

fn ip(value: &Value) -> Option<IpAddr> {
    value.as_str()?.parse().ok()
}

fn object(document: &Value, api_version: &'static str, kind: &'static str) -> ObjectRef {
    let metadata = &document["metadata"];
    ObjectRef::new(
        api_version,
        kind,
        text(&metadata["namespace"]),
        text(&metadata["name"]),
    )
}

fn addresses(entries: &Value) -> Vec<Address> {
    let entry = |entry: &Value| match ip(&entry["ip"]) {
        Some(ip) => Address::Ip(ip),
        None => Address::Host(text(&entry["hostname"])),
    };
    items(entries).iter().map(entry).collect()
}

fn ingress(document: &Value) -> Ingress {
    let spec = &document["spec"];
    Ingress {
        object: object(document, "networking.k8s.io/v1", "Ingress"),
        annotations: map(&document["metadata"]["annotations"]),
        labels: map(&document["metadata"]["labels"]),
        class: maybe(&spec["ingressClassName"]),
        rule_hosts: items(&spec["rules"])
            .iter()
            .map(|rule| text(&rule["host"]))
            .collect(),
        tls_hosts: items(&spec["tls"])
            .iter()
            .flat_map(|tls| texts(&tls["hosts"]))
            .collect(),
        addresses: addresses(&document["status"]["loadBalancer"]["ingress"]),
    }
}

fn route_group(document: &Value) -> RouteGroup {
    RouteGroup {
        object: object(document, "zalando.org/v1", "RouteGroup"),
        annotations: map(&document["metadata"]["annotations"]),
        labels: map(&document["metadata"]["labels"]),
        hosts: texts(&document["spec"]["hosts"]),
        addresses: addresses(&document["status"]["loadBalancer"]["routegroup"]),
    }
}

fn service(document: &Value) -> Service {
    let spec = &document["spec"];
    let headless = spec["clusterIP"].as_str() == Some("None");
    let port = |port: &Value| {
        let number = u16::try_from(port["nodePort"].as_u64()?).ok()?;
        Some((
            maybe(&port["protocol"]).unwrap_or_else(|| "TCP".into()),
            number,
        ))
    };
    Service {
        object: object(document, "v1", "Service"),
        annotations: map(&document["metadata"]["annotations"]),
        labels: map(&document["metadata"]["labels"]),
        kind: match spec["type"].as_str() {
            Some("LoadBalancer") => ServiceKind::LoadBalancer,
            Some("NodePort") => ServiceKind::NodePort,
            Some("ExternalName") => ServiceKind::ExternalName,
            _ if headless => ServiceKind::Headless,
            _ => ServiceKind::ClusterIp,
        },
        cluster_ip: ip(&spec["clusterIP"]),
        external_ips: items(&spec["externalIPs"]).iter().filter_map(ip).collect(),
        external_name: maybe(&spec["externalName"]),
        addresses: addresses(&document["status"]["loadBalancer"]["ingress"]),
        node_ports: items(&spec["ports"]).iter().filter_map(port).collect(),
        local: spec["externalTrafficPolicy"].as_str() == Some("Local"),
        publish_not_ready: spec["publishNotReadyAddresses"].as_bool() == Some(true),
        ipv6: texts(&spec["ipFamilies"]).contains(&"IPv6".to_owned()),
    }
}

fn endpoints(document: &Value) -> Vec<Endpoint> {
    let service = text(&document["metadata"]["labels"]["kubernetes.io/service-name"]);
    let endpoint = |endpoint: &Value| {
        Some(Endpoint {
            namespace: text(&document["metadata"]["namespace"]),
            service: service.clone(),
            address: ip(items(&endpoint["addresses"]).first()?)?,
            pod: maybe(&endpoint["targetRef"]["name"]),
            node: maybe(&endpoint["nodeName"]),
            ready: endpoint["conditions"]["ready"].as_bool() != Some(false),
        })
    };
    items(&document["endpoints"])
        .iter()
        .filter_map(endpoint)
        .collect()
}

fn pod(document: &Value) -> Pod {
    Pod {
        namespace: text(&document["metadata"]["namespace"]),
        name: text(&document["metadata"]["name"]),
        annotations: map(&document["metadata"]["annotations"]),
        hostname: maybe(&document["spec"]["hostname"]),
        node: maybe(&document["spec"]["nodeName"]),
        host_ip: ip(&document["status"]["hostIP"]),
    }
}

fn node(document: &Value) -> Node {
    let of = |kind: &str| -> Vec<IpAddr> {
        let addresses = items(&document["status"]["addresses"]).iter();
        let of_kind = addresses.filter(|address| address["type"].as_str() == Some(kind));
        of_kind
            .filter_map(|address| ip(&address["address"]))
            .collect()
    };
    Node {
        name: text(&document["metadata"]["name"]),
        external: of("ExternalIP"),
        internal: of("InternalIP"),
    }
}

fn dns_endpoint(document: &Value) -> DnsEndpoint {
    let spec = |endpoint: &Value| EndpointSpec {
        dns_name: text(&endpoint["dnsName"]),
        record_type: text(&endpoint["recordType"]),
        targets: texts(&endpoint["targets"]),
        ttl: endpoint["recordTTL"].as_i64().unwrap_or(0),
        set_identifier: maybe(&endpoint["setIdentifier"]),
        properties: items(&endpoint["providerSpecific"])
            .iter()
            .map(|property| (text(&property["name"]), text(&property["value"])))
            .collect(),
        labels: map(&endpoint["labels"]),
    };
    DnsEndpoint {
        object: object(document, "externaldns.k8s.io/v1alpha1", "DNSEndpoint"),
        annotations: map(&document["metadata"]["annotations"]),
        labels: map(&document["metadata"]["labels"]),
        endpoints: items(&document["spec"]["endpoints"])
            .iter()
            .map(spec)
            .collect(),
    }
}
