//! What is watched in the cluster, and how it becomes a snapshot.

use ingress_core as core;
use isthmus_core::ObjectRef;
use isthmus_runtime::{LastingStore, Watches, watcher_config};
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass, IngressStatus};
use kube::runtime::reflector::Store;
use kube::{Api, Client};

use crate::routegroup::RouteGroup;

/// The annotation for the class, read where `spec.ingressClassName` is not set.
const CLASS: &str = "kubernetes.io/ingress.class";

/// On the IngressClass of Ingresses that name none, `true`.
const DEFAULT_CLASS: &str = "ingressclass.kubernetes.io/is-default-class";

/// The watched objects.
pub(crate) struct Stores {
    ingresses: Store<Ingress>,
    /// Old roles may not read them.
    classes: LastingStore<IngressClass>,
    /// Clusters without skipper have no such kind.
    route_groups: LastingStore<RouteGroup>,
    nodes: Store<Node>,
}

impl Stores {
    pub(crate) fn watch(watches: &mut Watches, client: &Client) -> Self {
        Self {
            ingresses: watches.add(
                "Ingress",
                Api::all(client.clone()),
                watcher_config(),
                slim_ingress,
            ),
            classes: watches.add_lasting("IngressClass", client, slim_class),
            route_groups: watches.add_lasting("RouteGroup", client, RouteGroup::slim),
            nodes: watches.add(
                "Node",
                Api::all(client.clone()),
                watcher_config(),
                slim_node,
            ),
        }
    }

    /// The cluster as it is now; certificates and VPC are added by others.
    pub(crate) fn snapshot(&self) -> core::Snapshot {
        let ingresses = self.ingresses.state();
        let route_groups = self.route_groups.state();
        let classes = self.classes.state();
        let classes_known = !self.classes.is_absent() || !classes.is_empty();
        core::Snapshot {
            ingresses: ingresses
                .iter()
                .map(|object| ingress(object))
                .chain(route_groups.iter().map(|group| group.ingress(CLASS)))
                .collect(),
            classes: classes_known.then(|| classes.iter().map(|object| class(object)).collect()),
            route_groups_absent: self.route_groups.is_absent(),
            nodes: self
                .nodes
                .state()
                .iter()
                .map(|object| node(object))
                .collect(),
            ..core::Snapshot::default()
        }
    }
}

fn slim_ingress(ingress: &mut Ingress) {
    ingress.metadata.managed_fields = None;
    if let Some(spec) = &mut ingress.spec {
        spec.tls = None;
        spec.default_backend = None;
        for rule in spec.rules.iter_mut().flatten() {
            rule.http = None;
        }
    }
}

fn slim_class(class: &mut IngressClass) {
    class.metadata.managed_fields = None;
}

fn slim_node(node: &mut Node) {
    node.metadata.managed_fields = None;
    node.metadata.annotations = None;
    node.status = None;
}

fn class(object: &IngressClass) -> core::IngressClass {
    let annotations = object.metadata.annotations.as_ref();
    let default = annotations.and_then(|map| map.get(DEFAULT_CLASS));
    core::IngressClass {
        name: object.metadata.name.clone().unwrap_or_default(),
        default: default.is_some_and(|value| value == "true"),
    }
}

fn ingress(object: &Ingress) -> core::Ingress {
    let metadata = &object.metadata;
    let spec = object.spec.as_ref();
    let annotations = metadata.annotations.clone().unwrap_or_default();
    let class = spec
        .and_then(|spec| spec.ingress_class_name.clone())
        .filter(|class| !class.is_empty())
        .or_else(|| annotations.get(CLASS).cloned())
        .unwrap_or_default();
    let rules = spec.and_then(|spec| spec.rules.as_ref());
    core::Ingress {
        object: object_ref(object),
        class,
        annotations,
        hosts: rules
            .into_iter()
            .flatten()
            .filter_map(|rule| rule.host.clone())
            .collect(),
        status: object.status.as_ref().map(status).unwrap_or_default(),
        deleting: metadata.deletion_timestamp.is_some(),
    }
}

fn object_ref(object: &Ingress) -> ObjectRef {
    let metadata = &object.metadata;
    ObjectRef::new(
        "networking.k8s.io/v1",
        core::INGRESS,
        metadata.namespace.clone().unwrap_or_default(),
        metadata.name.clone().unwrap_or_default(),
    )
    .with_uid(metadata.uid.clone().unwrap_or_default())
}

fn status(status: &IngressStatus) -> Vec<core::StatusEntry> {
    let entries = status
        .load_balancer
        .as_ref()
        .and_then(|balancer| balancer.ingress.as_ref());
    entries
        .into_iter()
        .flatten()
        .map(|entry| core::StatusEntry {
            hostname: entry.hostname.clone().filter(|name| !name.is_empty()),
            ip: entry.ip.clone().filter(|ip| !ip.is_empty()),
        })
        .collect()
}

fn node(object: &Node) -> core::Node {
    let spec = object.spec.as_ref();
    let taints = spec.and_then(|spec| spec.taints.as_ref());
    core::Node {
        name: object.metadata.name.clone().unwrap_or_default(),
        provider_id: spec.and_then(|spec| spec.provider_id.clone()),
        labels: object.metadata.labels.clone().unwrap_or_default(),
        taints: taints
            .into_iter()
            .flatten()
            .map(|taint| taint.key.clone())
            .collect(),
        deleting: object.metadata.deletion_timestamp.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(object: serde_json::Value) -> core::Ingress {
        let mut object: Ingress = serde_json::from_value(object).unwrap();
        slim_ingress(&mut object);
        ingress(&object)
    }

    #[test]
    fn the_class_of_the_spec_goes_first() {
        let object = |spec: serde_json::Value| {
            json!({
                "metadata": {"namespace": "a", "name": "b", "uid": "u", "annotations": {CLASS: "from-annotation"}},
                "spec": spec,
                "status": {"loadBalancer": {"ingress": [{"hostname": "h.example"}, {"ip": "192.0.2.1"}]}},
            })
        };
        let rules =
            json!([{"host": "x.example.org", "http": {"paths": []}}, {"http": {"paths": []}}]);
        let named = read(object(json!({"ingressClassName": "named", "rules": rules})));
        assert_eq!(named.class, "named");
        assert_eq!(named.hosts, ["x.example.org"]);
        assert_eq!(named.object.uid, "u");
        assert_eq!(named.hostnames().collect::<Vec<_>>(), ["h.example"]);
        assert_eq!(named.status.len(), 2);
        assert_eq!(
            read(object(json!({"ingressClassName": ""}))).class,
            "from-annotation"
        );
        assert_eq!(read(json!({"metadata": {}})).class, "");
    }

    #[test]
    fn a_node_keeps_what_targets_need() {
        let mut object: Node = serde_json::from_value(json!({
            "metadata": {"name": "n", "labels": {"a": "b"}, "deletionTimestamp": "2026-11-01T00:00:00Z"},
            "spec": {"providerID": "aws:///a/i-1", "taints": [{"key": "t", "effect": "NoSchedule"}]},
            "status": {"capacity": {"cpu": "1"}},
        }))
        .unwrap();
        slim_node(&mut object);
        assert_eq!(object.status, None);
        let found = node(&object);
        assert_eq!(found.provider_id.as_deref(), Some("aws:///a/i-1"));
        assert_eq!(found.taints, ["t"]);
        assert!(found.deleting);
    }
}
