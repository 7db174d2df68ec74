//! Objects of all sources as they may be, for property tests.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use dns_core::snapshot::{
    Address, DnsEndpoint, Endpoint, EndpointSpec, Ingress, Node, Pod, RouteGroup, Service,
    ServiceKind,
};
use dns_core::{Routing, Snapshot, Source};
use isthmus_core::ObjectRef;
use proptest::prelude::*;

use super::worlds::{HOSTS, SETS, TARGETS, policy};

type Map = BTreeMap<String, String>;

/// The annotations of a routing policy, and now and then of a TTL, right or wrong.
fn arb_annotations() -> impl Strategy<Value = Map> {
    let ttl = prop::option::weighted(0.2, prop::sample::select(&["60", "soon"][..]));
    (ttl, prop::sample::select(&SETS[..])).prop_map(|(ttl, set)| {
        let mut map = Map::new();
        let mut add = |key: &str, value: &str| {
            map.insert(
                format!("external-dns.alpha.kubernetes.io/{key}"),
                value.to_owned(),
            );
        };
        if let Some(ttl) = ttl {
            add("ttl", ttl);
        }
        if let (Some(set), routing) = policy(set) {
            add("set-identifier", &set);
            let (key, value) = property(&routing);
            add(key, value);
        }
        map
    })
}

fn property(routing: &Routing) -> (&'static str, &'static str) {
    match routing {
        Routing::Weighted(_) => ("aws-weight", "10"),
        Routing::Latency(_) => ("aws-region", "eu-central-1"),
        Routing::Failover(side) => ("aws-failover", side.as_str()),
        _ => ("aws-multi-value-answer", "true"),
    }
}

fn arb_hosts() -> impl Strategy<Value = Vec<String>> {
    let hosts = prop::collection::vec(prop::sample::select(&HOSTS[..]), 1..4);
    hosts.prop_map(|hosts| hosts.into_iter().map(str::to_owned).collect())
}

fn arb_addresses() -> impl Strategy<Value = Vec<Address>> {
    let targets = prop::collection::vec(prop::sample::select(&TARGETS[..]), 0..3);
    targets.prop_map(|targets| {
        let address = |target: &str| match target.parse() {
            Ok(ip) => Address::Ip(ip),
            Err(_) => Address::Host(target.to_owned()),
        };
        targets.into_iter().map(address).collect()
    })
}

fn arb_ingress() -> impl Strategy<Value = Ingress> {
    let parts = ("[a-e]", arb_hosts(), arb_addresses(), arb_annotations());
    parts.prop_map(|(name, rule_hosts, addresses, annotations)| Ingress {
        object: ObjectRef::new("networking.k8s.io/v1", "Ingress", "shop", name),
        annotations,
        labels: Map::new(),
        class: None,
        rule_hosts,
        tls_hosts: Vec::new(),
        addresses,
    })
}

fn arb_route_group() -> impl Strategy<Value = RouteGroup> {
    let parts = ("[a-c]", arb_hosts(), arb_addresses(), arb_annotations());
    parts.prop_map(|(name, hosts, addresses, annotations)| RouteGroup {
        object: ObjectRef::new("zalando.org/v1", "RouteGroup", "shop", name),
        annotations,
        labels: Map::new(),
        hosts,
        addresses,
    })
}

const KINDS: [ServiceKind; 5] = [
    ServiceKind::ClusterIp,
    ServiceKind::Headless,
    ServiceKind::NodePort,
    ServiceKind::LoadBalancer,
    ServiceKind::ExternalName,
];

fn arb_service() -> impl Strategy<Value = Service> {
    let kind = prop::sample::select(&KINDS[..]);
    let keys = prop::sample::select(&["hostname", "internal-hostname"][..]);
    let hosts = (keys, arb_hosts());
    let parts = ("[a-c]", kind, hosts, arb_addresses(), arb_annotations());
    parts.prop_map(|(name, kind, (key, hosts), addresses, mut annotations)| {
        annotations.insert(format!("external-dns.kubernetes.io/{key}"), hosts.join(","));
        Service {
            object: ObjectRef::new("v1", "Service", "shop", name),
            annotations,
            labels: Map::new(),
            kind,
            cluster_ip: Some(IpAddr::from([10, 0, 0, 7])),
            external_ips: Vec::new(),
            external_name: Some("www.example.com".to_owned()),
            addresses,
            node_ports: vec![("TCP".to_owned(), 30080)],
            local: false,
            publish_not_ready: false,
            ipv6: false,
        }
    })
}

fn arb_spec() -> impl Strategy<Value = EndpointSpec> {
    let host = prop::sample::select(&HOSTS[..]);
    let what = prop::sample::select(
        &[
            ("A", "192.0.2.1"),
            ("A", "192.0.2.2"),
            ("AAAA", "2001:db8::1"),
            ("CNAME", "lb.example.com"),
            ("CNAME", "kube-1.eu-central-1.elb.amazonaws.com"),
            ("TXT", "hello"),
            ("A", "nonsense"),
        ][..],
    );
    (host, what, prop::sample::select(&SETS[..])).prop_map(|(host, (kind, target), set)| {
        let (set_identifier, routing) = policy(set);
        let (key, value) = property(&routing);
        let property = (key.replacen("aws-", "aws/", 1), value.to_owned());
        EndpointSpec {
            dns_name: host.to_owned(),
            record_type: kind.to_owned(),
            targets: vec![target.to_owned()],
            ttl: 0,
            labels: Map::from([("team".to_owned(), kind.to_owned())]),
            properties: set_identifier.iter().map(|_| property.clone()).collect(),
            set_identifier,
        }
    })
}

fn arb_dns_endpoint() -> impl Strategy<Value = DnsEndpoint> {
    let endpoints = prop::collection::vec(arb_spec(), 0..4);
    ("[a-c]", endpoints).prop_map(|(name, endpoints)| DnsEndpoint {
        object: ObjectRef::new("externaldns.k8s.io/v1alpha1", "DNSEndpoint", "shop", name),
        annotations: Map::new(),
        labels: Map::new(),
        endpoints,
    })
}

/// Pods behind each Service of the name `a`, and nodes.
fn backing(snapshot: &mut Snapshot) {
    for (pod, last) in [("a-0", 1), ("a-1", 2)] {
        snapshot.pods.push(Pod {
            namespace: "shop".to_owned(),
            name: pod.to_owned(),
            annotations: Map::new(),
            hostname: Some(pod.to_owned()),
            node: Some("n".to_owned()),
            host_ip: None,
        });
        snapshot.endpoints.push(Endpoint {
            namespace: "shop".to_owned(),
            service: "a".to_owned(),
            address: IpAddr::from([10, 1, 0, last]),
            pod: Some(pod.to_owned()),
            node: Some("n".to_owned()),
            ready: true,
        });
    }
    snapshot.nodes.push(Node {
        name: "n".to_owned(),
        external: vec![IpAddr::from([192, 0, 2, 50])],
        internal: Vec::new(),
    });
}

/// One object of each name.
fn distinct<T>(mut objects: Vec<T>, object: impl Fn(&T) -> &ObjectRef) -> Vec<T> {
    objects.sort_by(|a, b| object(a).cmp(object(b)));
    objects.dedup_by(|a, b| object(a) == object(b));
    objects
}

pub(crate) fn arb_snapshot() -> impl Strategy<Value = Snapshot> {
    let absent = [Source::Crd, Source::SkipperRoutegroup];
    let absent = prop::option::weighted(0.2, prop::sample::select(absent.to_vec()));
    (
        prop::collection::vec(arb_ingress(), 0..4),
        prop::collection::vec(arb_route_group(), 0..3),
        prop::collection::vec(arb_service(), 0..3),
        prop::collection::vec(arb_dns_endpoint(), 0..3),
        absent,
    )
        .prop_map(
            |(ingresses, route_groups, services, dns_endpoints, absent)| {
                let mut snapshot = Snapshot {
                    ingresses: distinct(ingresses, |one| &one.object),
                    route_groups: distinct(route_groups, |one| &one.object),
                    services: distinct(services, |one| &one.object),
                    dns_endpoints: distinct(dns_endpoints, |one| &one.object),
                    unavailable: absent.into_iter().collect::<BTreeSet<_>>(),
                    ..Snapshot::default()
                };
                backing(&mut snapshot);
                snapshot
            },
        )
}

/// The same objects in another order.
pub(crate) fn reversed(snapshot: &Snapshot) -> Snapshot {
    let mut other = snapshot.clone();
    other.ingresses.reverse();
    other.route_groups.reverse();
    other.services.reverse();
    other.dns_endpoints.reverse();
    other.endpoints.reverse();
    other.pods.reverse();
    for ingress in &mut other.ingresses {
        ingress.rule_hosts.reverse();
        ingress.addresses.reverse();
    }
    for dns_endpoint in &mut other.dns_endpoints {
        dns_endpoint.endpoints.reverse();
    }
    other
}
