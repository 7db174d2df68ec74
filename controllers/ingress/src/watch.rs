//! What is watched in the cluster, and how it becomes a snapshot.

use ingress_core as core;
use isthmus_core::ObjectRef;
use isthmus_runtime::{LastingStore, Watches, watcher_config};
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod, PodCondition, PodStatus};
use k8s_openapi::api::networking::v1::{Ingress, IngressClass, IngressStatus};
use kube::runtime::reflector::Store;
use kube::{Api, Client};

use crate::config::Config;
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
    pods: Option<Store<Pod>>,
    alarms: Option<(Name, Store<ConfigMap>)>,
}

/// An object in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// Which pods are targets: `--target-cni-namespace` and `--target-cni-pod-labelselector`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TargetPods {
    pub(crate) namespace: String,
    pub(crate) selector: String,
}

impl Stores {
    /// Pods are watched only where they are targets, and only those; of ConfigMaps
    /// only the one with alarms.
    pub(crate) fn watch(watches: &mut Watches, client: &Client, config: &Config) -> Self {
        let alarms = config.alarms.as_ref().map(|name| {
            let api = Api::namespaced(client.clone(), &name.namespace);
            let only = watcher_config().fields(&format!("metadata.name={}", name.name));
            let store = watches.add("ConfigMap", api, only, slim_config_map);
            (name.clone(), store)
        });
        let pods = config.pods.as_ref().map(|pods| {
            let api = Api::namespaced(client.clone(), &pods.namespace);
            let config = watcher_config().labels(&pods.selector);
            watches.add("Pod", api, config, slim_pod)
        });
        Self {
            pods,
            alarms,
            ingresses: watches.add(
                "Ingress",
                Api::all(client.clone()),
                watcher_config(),
                slim_ingress,
            ),
            classes: watches.add_lasting(
                "IngressClass",
                Api::all(client.clone()),
                watcher_config(),
                slim_class,
            ),
            route_groups: watches.add_lasting(
                "RouteGroup",
                Api::all(client.clone()),
                watcher_config(),
                RouteGroup::slim,
            ),
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
            pods: match &self.pods {
                Some(pods) => pods.state().iter().map(|object| pod(object)).collect(),
                None => Vec::new(),
            },
            alarms: self
                .alarms
                .as_ref()
                .map(|(name, store)| alarm_source(name, store.state().first().map(AsRef::as_ref))),
            ..core::Snapshot::default()
        }
    }
}

fn slim_config_map(object: &mut ConfigMap) {
    object.metadata.managed_fields = None;
    object.metadata.annotations = None;
    object.binary_data = None;
}

fn alarm_source(name: &Name, object: Option<&ConfigMap>) -> core::AlarmSource {
    let uid = object.and_then(|object| object.metadata.uid.clone());
    let data = object.map(|object| object.data.clone().unwrap_or_default());
    core::AlarmSource {
        object: ObjectRef::new("v1", "ConfigMap", &name.namespace, &name.name)
            .with_uid(uid.unwrap_or_default()),
        data,
    }
}

fn slim_pod(pod: &mut Pod) {
    pod.metadata.managed_fields = None;
    pod.metadata.annotations = None;
    pod.metadata.labels = None;
    pod.spec = None;
    if let Some(status) = &mut pod.status {
        *status = PodStatus {
            pod_ip: status.pod_ip.take(),
            phase: status.phase.take(),
            conditions: status.conditions.take().map(only_ready),
            ..PodStatus::default()
        };
    }
}

/// The condition `Ready`, without the times that change with each check.
fn only_ready(conditions: Vec<PodCondition>) -> Vec<PodCondition> {
    let ready = conditions.into_iter().filter(|c| c.type_ == "Ready");
    ready
        .map(|condition| PodCondition {
            type_: condition.type_,
            status: condition.status,
            ..PodCondition::default()
        })
        .collect()
}

fn pod(object: &Pod) -> core::Pod {
    let status = object.status.as_ref();
    let ended = status
        .and_then(|status| status.phase.as_deref())
        .is_some_and(|phase| matches!(phase, "Succeeded" | "Failed"));
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    core::Pod {
        name: object.metadata.name.clone().unwrap_or_default(),
        // Another pod may have the address of one that has ended.
        ip: status
            .and_then(|status| status.pod_ip.clone())
            .filter(|ip| !ip.is_empty() && !ended),
        ready: conditions.any(|c| c.type_ == "Ready" && c.status == "True"),
        deleting: object.metadata.deletion_timestamp.is_some(),
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

    #[test]
    fn a_pod_keeps_its_address_and_its_readiness() {
        let read = |object: serde_json::Value| {
            let mut object: Pod = serde_json::from_value(object).unwrap();
            slim_pod(&mut object);
            assert_eq!(object.spec, None);
            pod(&object)
        };
        let status = |phase: &str, ready: &str| {
            json!({
                "phase": phase, "podIP": "10.0.0.1", "hostIP": "10.0.0.9",
                "conditions": [
                    {"type": "ContainersReady", "status": "True"},
                    {"type": "Ready", "status": ready, "lastTransitionTime": "2026-11-01T00:00:00Z"},
                ],
            })
        };
        let metadata = json!({"name": "a", "labels": {"a": "b"}});
        let found = read(
            json!({"metadata": metadata, "spec": {"containers": []}, "status": status("Running", "True")}),
        );
        assert_eq!(found.ip.as_deref(), Some("10.0.0.1"));
        assert!(found.ready && !found.deleting);
        let unready = read(json!({"metadata": metadata, "status": status("Running", "False")}));
        assert!(!unready.ready);
        let ended = read(json!({"metadata": metadata, "status": status("Succeeded", "False")}));
        assert_eq!(ended.ip, None);
        let going = json!({"name": "a", "deletionTimestamp": "2026-11-01T00:00:00Z"});
        assert!(read(json!({"metadata": going})).deleting);
    }
}
