//! What is behind Services. It is watched from the moment that a Service needs it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dns_core::snapshot::{Endpoint, Node, Pod, Service, ServiceKind};
use dns_core::{PREFIXES, Snapshot};
use isthmus_core::ErrorClass;
use isthmus_runtime::{Failure, Setup, Watches};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1 as discovery;
use kube::runtime::reflector::Store;
use kube::runtime::watcher;
use kube::{Api, ResourceExt};

use super::{api, slim_metadata};
use crate::config::Settings;

/// How long the first run that needs a watch waits for its first list, and how
/// long those after one that waited in vain.
const PATIENCE: Duration = Duration::from_secs(10);
const PATIENCE_AFTERWARDS: Duration = Duration::from_millis(100);

/// EndpointSlices, Pods and Nodes.
pub(super) struct Backing {
    watches: Watches,
    endpoints: Lazy<discovery::EndpointSlice>,
    pods: Lazy<core::Pod>,
    nodes: Lazy<core::Node>,
}

impl Backing {
    pub(super) fn new(setup: &Setup, settings: &Settings) -> Self {
        let nodes = Api::all(setup.kube.clone());
        Self {
            watches: setup.watches.clone(),
            endpoints: Lazy::new("EndpointSlice", api(setup, settings), slim_endpoints),
            pods: Lazy::new("Pod", api(setup, settings), slim_pod),
            nodes: Lazy::new("Node", nodes, slim_node),
        }
    }

    /// Adds what the Services of a snapshot need. If it cannot be had, the
    /// Services that need it are taken out of it.
    pub(super) async fn complete(&self, snapshot: &mut Snapshot) -> Result<(), Failure> {
        let published = |service: &&Service| is_published(service);
        let of = |kind| {
            let services = snapshot.services.iter().filter(published);
            services.filter(|service| service.kind == kind).count() > 0
        };
        let (headless, node_port) = (of(ServiceKind::Headless), of(ServiceKind::NodePort));
        let filled = self.fill(snapshot, headless, node_port).await;
        filled.map_err(|missing| {
            snapshot.services.retain(|service| {
                !matches!(service.kind, ServiceKind::Headless | ServiceKind::NodePort)
            });
            Failure {
                step: "watch",
                class: ErrorClass::Transient,
                message: format!("what is behind Services cannot be read: {missing}"),
            }
        })
    }

    async fn fill(
        &self,
        snapshot: &mut Snapshot,
        headless: bool,
        node_port: bool,
    ) -> Result<(), String> {
        if headless || node_port {
            let slices = self.read(&self.endpoints).await?;
            let endpoints = slices.iter().flat_map(|slice| to_endpoints(slice));
            snapshot.endpoints = endpoints.collect();
            let nodes = self.read(&self.nodes).await?;
            snapshot.nodes = nodes.iter().map(|node| to_node(node)).collect();
        }
        if headless {
            let pods = self.read(&self.pods).await?;
            snapshot.pods = pods.iter().map(|pod| to_pod(pod)).collect();
        }
        Ok(())
    }

    async fn read<K: Kind>(&self, lazy: &Lazy<K>) -> Result<Vec<Arc<K>>, String> {
        let store = lazy.store(&self.watches);
        let patience = match lazy.in_vain.load(Ordering::Relaxed) {
            true => PATIENCE_AFTERWARDS,
            false => PATIENCE,
        };
        let ready = tokio::time::timeout(patience, store.wait_until_ready()).await;
        let ready = matches!(ready, Ok(Ok(())));
        lazy.in_vain.store(!ready, Ordering::Relaxed);
        if ready {
            Ok(store.state())
        } else {
            Err(self.watches.missing().join("; "))
        }
    }
}

/// Whether a Service has a host at all.
fn is_published(service: &Service) -> bool {
    let has = |key: &str| {
        PREFIXES
            .iter()
            .any(|prefix| service.annotations.contains_key(&format!("{prefix}{key}")))
    };
    has("hostname") || has("internal-hostname")
}

/// A watch that begins when it is first asked for.
struct Lazy<K: Kind> {
    kind: &'static str,
    api: Api<K>,
    slim: fn(&mut K),
    store: Mutex<Option<Store<K>>>,
    /// Its first list was waited for, and did not come.
    in_vain: AtomicBool,
}

/// What a watch can be of.
trait Kind:
    kube::Resource<DynamicType = ()>
    + Clone
    + std::fmt::Debug
    + serde::de::DeserializeOwned
    + PartialEq
    + Send
    + Sync
    + 'static
{
}

impl Kind for discovery::EndpointSlice {}
impl Kind for core::Pod {}
impl Kind for core::Node {}

impl<K: Kind> Lazy<K> {
    fn new(kind: &'static str, api: Api<K>, slim: fn(&mut K)) -> Self {
        Self {
            kind,
            api,
            slim,
            store: Mutex::new(None),
            in_vain: AtomicBool::new(false),
        }
    }

    fn store(&self, watches: &Watches) -> Store<K> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = || {
            let (mut watches, config) = (watches.clone(), watcher::Config::default());
            watches.add(self.kind, self.api.clone(), config, self.slim)
        };
        store.get_or_insert_with(begin).clone()
    }
}

fn slim_endpoints(slice: &mut discovery::EndpointSlice) {
    slim_metadata(&mut slice.metadata);
    slice.metadata.annotations = None;
    slice.ports = None;
    for endpoint in &mut slice.endpoints {
        endpoint.addresses.truncate(1);
        endpoint.hints = None;
        endpoint.zone = None;
        endpoint.deprecated_topology = None;
    }
}

fn to_endpoints(slice: &discovery::EndpointSlice) -> Vec<Endpoint> {
    let service = slice.labels().get("kubernetes.io/service-name");
    let Some(service) = service.cloned() else {
        return Vec::new();
    };
    let namespace = slice.metadata.namespace.clone().unwrap_or_default();
    let endpoint = |endpoint: &discovery::Endpoint| {
        let target = endpoint.target_ref.as_ref();
        let pod = target.filter(|target| target.kind.as_deref() == Some("Pod"));
        let conditions = endpoint.conditions.as_ref();
        Some(Endpoint {
            namespace: namespace.clone(),
            service: service.clone(),
            address: endpoint.addresses.first()?.parse().ok()?,
            pod: pod.and_then(|pod| pod.name.clone()),
            node: endpoint.node_name.clone(),
            // Not said is ready, says the API.
            ready: conditions.and_then(|c| c.ready) != Some(false),
        })
    };
    slice.endpoints.iter().filter_map(endpoint).collect()
}

fn slim_pod(pod: &mut core::Pod) {
    slim_metadata(&mut pod.metadata);
    pod.metadata.labels = None;
    if let Some(annotations) = &mut pod.metadata.annotations {
        annotations.retain(|key, _| PREFIXES.iter().any(|prefix| key.starts_with(prefix)));
    }
    if let Some(spec) = pod.spec.take() {
        pod.spec = Some(core::PodSpec {
            hostname: spec.hostname,
            node_name: spec.node_name,
            ..core::PodSpec::default()
        });
    }
    if let Some(status) = pod.status.take() {
        pod.status = Some(core::PodStatus {
            host_ip: status.host_ip,
            ..core::PodStatus::default()
        });
    }
}

fn to_pod(pod: &core::Pod) -> Pod {
    let spec = pod.spec.as_ref();
    let status = pod.status.as_ref();
    let host_ip = status.and_then(|status| status.host_ip.as_ref());
    Pod {
        namespace: pod.metadata.namespace.clone().unwrap_or_default(),
        name: pod.name_any(),
        annotations: pod.metadata.annotations.clone().unwrap_or_default(),
        hostname: spec.and_then(|spec| spec.hostname.clone()),
        node: spec.and_then(|spec| spec.node_name.clone()),
        host_ip: host_ip.and_then(|ip| ip.parse().ok()),
    }
}

fn slim_node(node: &mut core::Node) {
    slim_metadata(&mut node.metadata);
    node.metadata.labels = None;
    node.metadata.annotations = None;
    node.spec = None;
    if let Some(status) = node.status.take() {
        node.status = Some(core::NodeStatus {
            addresses: status.addresses,
            ..core::NodeStatus::default()
        });
    }
}

fn to_node(node: &core::Node) -> Node {
    let status = node.status.as_ref();
    let addresses = status.and_then(|status| status.addresses.as_ref());
    let of = |kind: &str| {
        let addresses = addresses.into_iter().flatten();
        let of_kind = addresses.filter(|address| address.type_ == kind);
        of_kind
            .filter_map(|address| address.address.parse().ok())
            .collect()
    };
    Node {
        name: node.name_any(),
        external: of("ExternalIP"),
        internal: of("InternalIP"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slimming_takes_away_nothing_that_counts() {
        let slice: discovery::EndpointSlice = serde_json::from_value(serde_json::json!({
            "metadata": {"namespace": "shop", "name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4", "ports": [{"port": 80}],
            "endpoints": [
                {"addresses": ["10.1.0.1", "10.1.0.2"], "nodeName": "n", "targetRef": {"kind": "Pod", "name": "web-0"}},
                {"addresses": ["10.1.0.3"], "conditions": {"ready": false}, "targetRef": {"kind": "Node", "name": "n"}},
            ],
        }))
        .unwrap();
        let mut slimmed = slice.clone();
        slim_endpoints(&mut slimmed);
        let read = to_endpoints(&slimmed);
        assert_eq!(read, to_endpoints(&slice));
        assert_eq!(read.len(), 2);
        assert!(read[0].ready && !read[1].ready);
        assert_eq!(
            (read[0].pod.as_deref(), read[1].pod.as_deref()),
            (Some("web-0"), None)
        );

        let pod: core::Pod = serde_json::from_value(serde_json::json!({
            "metadata": {"namespace": "shop", "name": "web-0", "annotations": {"a": "b", "external-dns.kubernetes.io/target": "192.0.2.1"}},
            "spec": {"hostname": "web-0", "nodeName": "n", "containers": [{"name": "c"}]},
            "status": {"hostIP": "10.2.0.1", "podIP": "10.1.0.1"},
        }))
        .unwrap();
        let mut slimmed = pod.clone();
        slim_pod(&mut slimmed);
        let read = to_pod(&slimmed);
        assert_eq!(read.annotations.len(), 1);
        assert_eq!(read.hostname.as_deref(), Some("web-0"));
        assert_eq!(read.host_ip, to_pod(&pod).host_ip);
        assert!(slimmed.status.unwrap().pod_ip.is_none());

        let node: core::Node = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "n", "labels": {"a": "b"}},
            "status": {"addresses": [
                {"type": "InternalIP", "address": "10.2.0.1"}, {"type": "ExternalIP", "address": "192.0.2.1"},
                {"type": "Hostname", "address": "n"},
            ]},
        }))
        .unwrap();
        let mut slimmed = node.clone();
        slim_node(&mut slimmed);
        assert_eq!(to_node(&slimmed), to_node(&node));
        assert_eq!(to_node(&node).external.len(), 1);
    }
}
