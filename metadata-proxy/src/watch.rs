//! From Pods and Namespaces to the directory.

use std::collections::BTreeSet;
use std::net::IpAddr;

use isthmus_core::ObjectRef;
use isthmus_runtime::{Watches, watcher_config};
use jiff::Timestamp;
use kube::runtime::watcher::{Config as WatcherConfig, Event};
use kube::{Api, ResourceExt};
use metadata_proxy_core::{PatternFormat, Pod, SESSION_POLICIES, TokenVolume};

use crate::config::{AnnotationKeys, Config};
use crate::directory::SharedDirectory;
use crate::metrics::ProxyMetrics;
use crate::report::Reporter;
use crate::slim::{Address, Namespace, Pod as KubePod, PodSpec, PodStatus, ServiceAccount};

/// Objects in one page of a list: a list is read in pieces, because what it
/// takes to read the whole of it would be this process's memory from then on.
const PAGE: u32 = 50;

fn in_pages() -> WatcherConfig {
    watcher_config().page_size(PAGE)
}

/// Watches the pods of `--node`, or of all nodes where it is empty.
pub(crate) fn pods(
    watches: &mut Watches,
    client: &kube::Client,
    config: &Config,
    metrics: &ProxyMetrics,
    directory: &SharedDirectory,
) {
    let (keys, node) = (config.keys.clone(), &config.cluster.node);
    let mut config = in_pages();
    if !node.is_empty() {
        config = config.fields(&format!("spec.nodeName={node}"));
    }
    let (directory, metrics) = (directory.clone(), metrics.clone());
    let mut listed: Vec<Pod> = Vec::new();
    watches.hand_on(
        "pods",
        Api::<KubePod>::all(client.clone()),
        config,
        move |event| {
            if !matches!(event, Event::Init) {
                metrics.pods_changed(Timestamp::now());
            }
            match event {
                Event::Init => listed.clear(),
                Event::InitApply(object) => {
                    if let Some(pod) = pod(&object, &keys) {
                        listed.push(pod.clone());
                        directory.change(|directory| directory.pods.apply(pod));
                    }
                }
                Event::InitDone => {
                    let all = std::mem::take(&mut listed);
                    directory.change(|directory| directory.pods.replace(all));
                }
                Event::Apply(object) => {
                    if let Some(pod) = pod(&object, &keys) {
                        directory.change(|directory| directory.pods.apply(pod));
                    }
                }
                Event::Delete(object) => {
                    let uid = object.uid().unwrap_or_default();
                    directory.change(|directory| directory.pods.delete(&uid));
                }
            }
            directory.look(|directory| directory.pods.pods().count())
        },
    );
}

/// Watches the allow-lists of all namespaces.
pub(crate) fn namespaces(
    watches: &mut Watches,
    client: &kube::Client,
    key: &str,
    format: PatternFormat,
    reporter: &Reporter,
    directory: &SharedDirectory,
) {
    let (key, directory, reporter) = (key.to_owned(), directory.clone(), reporter.clone());
    let mut listed: BTreeSet<String> = BTreeSet::new();
    let api = Api::<Namespace>::all(client.clone());
    watches.hand_on("namespaces", api, in_pages(), move |event| {
        match event {
            Event::Init => listed.clear(),
            Event::InitApply(object) | Event::Apply(object) => {
                let name = object.name_any();
                let list = object.annotations().get(&key).map(String::as_str);
                let applied =
                    directory.change(|directory| directory.namespaces.apply(&name, list, format));
                if let Err(error) = applied {
                    let object = ObjectRef::new("v1", "Namespace", "", &name)
                        .with_uid(object.uid().unwrap_or_default());
                    reporter.wrong_list(&object, &key, &error);
                }
                listed.insert(name);
            }
            Event::InitDone => {
                let all = std::mem::take(&mut listed);
                directory.change(|directory| directory.namespaces.retain(&all));
            }
            Event::Delete(object) => {
                directory.change(|directory| directory.namespaces.delete(&object.name_any()));
            }
        }
        directory.look(|directory| directory.namespaces.len())
    });
}

/// Watches the role annotations of all service accounts.
pub(crate) fn service_accounts(
    watches: &mut Watches,
    client: &kube::Client,
    key: &str,
    directory: &SharedDirectory,
) {
    let (key, directory) = (key.to_owned(), directory.clone());
    let mut listed = BTreeSet::new();
    let api = Api::<ServiceAccount>::all(client.clone());
    watches.hand_on("serviceaccounts", api, in_pages(), move |event| {
        match event {
            Event::Init => listed.clear(),
            Event::InitApply(object) | Event::Apply(object) => {
                let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
                let role = object.annotations().get(&key).map(String::as_str);
                directory.change(|directory| {
                    let accounts = &mut directory.service_accounts;
                    accounts.apply(&namespace, &name, role);
                });
                listed.insert((namespace, name));
            }
            Event::InitDone => {
                let all = std::mem::take(&mut listed);
                directory.change(|directory| directory.service_accounts.retain(&all));
            }
            Event::Delete(object) => {
                let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
                directory.change(|directory| {
                    directory.service_accounts.delete(&namespace, &name);
                });
            }
        }
        directory.look(|directory| directory.service_accounts.len())
    });
}

/// The part of a Pod that decides; `None` for one without a UID, which the API server never sends.
pub(crate) fn pod(object: &KubePod, keys: &AnnotationKeys) -> Option<Pod> {
    let (spec, status) = (&object.spec, &object.status);
    let annotation = |key: &str| object.annotations().get(key).cloned();
    let (addresses, host_addresses) = addresses(status);
    Some(Pod {
        uid: object.uid()?,
        namespace: object.namespace()?,
        name: object.name_any(),
        service_account: spec.service_account_name.clone().unwrap_or_default(),
        addresses,
        host_addresses,
        host_network: spec.host_network.unwrap_or_default(),
        finished: matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")),
        gone_by: object
            .metadata
            .deletion_timestamp
            .as_ref()
            .map(|time| time.0),
        role: annotation(&keys.role),
        external_id: annotation(&keys.external_id),
        session_policies: annotation(SESSION_POLICIES),
        token: token(spec, &keys.audience),
    })
}

/// The first projected token of this audience.
fn token(spec: &PodSpec, audience: &str) -> Option<TokenVolume> {
    let volumes = spec.volumes.iter().flatten();
    let mut tokens = volumes.flat_map(|volume| {
        let sources = volume.projected.iter().flat_map(|p| p.sources.iter());
        let tokens = sources
            .flatten()
            .filter_map(|source| source.service_account_token.as_ref());
        tokens.map(|token| (volume.name.as_str(), token))
    });
    let (volume, token) = tokens.find(|(_, token)| token.audience.as_deref() == Some(audience))?;
    TokenVolume::new(volume, &token.path)
}

/// The pod's addresses and its host's.
fn addresses(status: &PodStatus) -> (Vec<IpAddr>, Vec<IpAddr>) {
    let read = |list: &Option<Vec<Address>>, one: &Option<String>| -> Vec<IpAddr> {
        let texts = list.iter().flatten().map(|address| &address.ip).chain(one);
        texts.filter_map(|text| text.parse().ok()).collect()
    };
    (
        read(&status.pod_ips, &status.pod_ip),
        read(&status.host_ips, &status.host_ip),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> AnnotationKeys {
        AnnotationKeys {
            role: "iam.amazonaws.com/role".into(),
            external_id: "iam.amazonaws.com/external-id".into(),
            allowed_roles: "iam.amazonaws.com/allowed-roles".into(),
            audience: "sts.amazonaws.com".into(),
        }
    }

    fn kube_pod() -> KubePod {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": "web", "namespace": "shop", "uid": "u1", "labels": {"app": "web"},
                "deletionTimestamp": "2026-11-21T12:00:00Z",
                "annotations": {
                    "iam.amazonaws.com/role": "", "iam.amazonaws.com/external-id": "x",
                    "kubectl.kubernetes.io/last-applied-configuration": "{}",
                },
            },
            "spec": {"serviceAccountName": "web", "hostNetwork": true, "containers": [{"name": "main"}],
                "volumes": [
                    {"name": "data", "emptyDir": {}},
                    {"name": "kube-api-access-x", "projected": {"sources": [
                        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
                        {"configMap": {"name": "kube-root-ca.crt"}},
                    ]}},
                    {"name": "tokens", "projected": {"sources": [
                        {"serviceAccountToken": {"path": "vault", "audience": "vault"}},
                        {"configMap": {"name": "x"}},
                        {"serviceAccountToken": {"path": "aws", "audience": "sts.amazonaws.com"}},
                    ]}},
                    {"name": "again", "projected": {"sources": [
                        {"serviceAccountToken": {"path": "aws", "audience": "sts.amazonaws.com"}},
                    ]}},
                ]},
            "status": {
                "phase": "Failed", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}],
                "hostIP": "10.9.0.1", "hostIPs": [{"ip": "10.9.0.1"}], "message": "long",
            },
        }))
        .unwrap()
    }

    #[test]
    fn a_pod_is_read_as_the_api_server_writes_it() {
        let before = pod(&kube_pod(), &keys()).unwrap();
        assert_eq!(before.token, TokenVolume::new("tokens", "aws"));
        assert!(before.finished && before.host_network);
        assert_eq!(before.role.as_deref(), Some(""), "empty is not absent");
        assert_eq!(
            before.gone_by,
            Some("2026-11-21T12:00:00Z".parse().unwrap())
        );
        assert!(before.addresses.contains(&"fd00::1".parse().unwrap()));
        assert_eq!(
            before.host_addresses[0],
            "10.9.0.1".parse::<IpAddr>().unwrap()
        );
    }

    #[test]
    fn a_pending_pod_has_no_address_yet() {
        let mut object = kube_pod();
        object.status = PodStatus::default();
        let pod = pod(&object, &keys()).unwrap();
        assert!(pod.addresses.is_empty() && !pod.finished);
    }
}
