//! The ConfigMaps that ask for networks.

use std::collections::BTreeMap;

use egress_core::{CidrList, Snapshot};
use isthmus_core::ObjectRef;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ListParams;
use kube::runtime::reflector::Store;
use kube::runtime::watcher;
use kube::{Api, ResourceExt};

use isthmus_runtime::Setup;

/// The label that a ConfigMap asks with.
const SELECTOR: &str = "egress=static";
/// Where the answer is put.
pub(crate) const STATUS_ANNOTATION: &str = "isthmus.dev/egress-status";

/// The reflector of the ConfigMaps, and a way around it.
pub(crate) struct Lists {
    store: Store<ConfigMap>,
    api: Api<ConfigMap>,
}

impl Lists {
    /// Watches one namespace, or all.
    ///
    /// The first list is a consistent one, not one from the API server's cache:
    /// routes go by what is missing in it. A deletion whose event was lost (the
    /// watch was cut and the change has left the server's history) needs no care
    /// here: the watch then starts over with a full list, which replaces the
    /// whole store, so what was deleted meanwhile is missing in the next snapshot.
    pub(crate) fn watch(setup: &mut Setup, namespace: Option<&str>) -> Self {
        let api: Api<ConfigMap> = match namespace {
            Some(namespace) => Api::namespaced(setup.kube.clone(), namespace),
            None => Api::all(setup.kube.clone()),
        };
        let config = watcher::Config::default().labels(SELECTOR);
        let store = setup.watches.add("ConfigMap", api.clone(), config, slim);
        Self { store, api }
    }

    /// What the ConfigMaps say now, without what is written into them here.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.store.state().iter().map(|object| to_list(object)))
    }

    /// The answers that the ConfigMaps have now, by namespace and name.
    pub(crate) fn answers(&self) -> BTreeMap<(String, String), String> {
        let objects = self.store.state();
        let answers = objects.iter().filter_map(|object| {
            let answer = object.annotations().get(STATUS_ANNOTATION)?.clone();
            Some(((object.namespace()?, object.name_any()), answer))
        });
        answers.collect()
    }

    /// Asks the API server, past every cache, whether there is really none.
    pub(crate) async fn none_for_sure(&self) -> kube::Result<bool> {
        let found = self
            .api
            .list(&ListParams::default().labels(SELECTOR))
            .await?;
        Ok(found.items.is_empty())
    }
}

/// Removes what is not read.
fn slim(object: &mut ConfigMap) {
    object.binary_data = None;
    let metadata = &mut object.metadata;
    metadata.managed_fields = None;
    metadata.labels = None;
    metadata.owner_references = None;
    metadata.finalizers = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.retain(|key, _| key == STATUS_ANNOTATION);
    }
}

fn to_list(object: &ConfigMap) -> CidrList {
    let metadata = &object.metadata;
    let namespace = metadata.namespace.clone().unwrap_or_default();
    let created = metadata.creation_timestamp.as_ref();
    let uid = metadata.uid.clone().unwrap_or_default();
    CidrList {
        object: ObjectRef::new("v1", "ConfigMap", namespace, object.name_any()).with_uid(uid),
        created: created.map_or(0, |time| time.0.as_second()),
        data: object.data.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> ConfigMap {
        serde_json::from_value(serde_json::json!({
            "metadata": {
                "namespace": "shop", "name": "partners", "uid": "u-1",
                "creationTimestamp": "2026-11-01T00:00:00Z",
                "labels": {"egress": "static"},
                "managedFields": [{"manager": "kubectl"}],
                "annotations": {"isthmus.dev/egress-status": "{}", "team": "edge"},
            },
            "data": {"bank": "203.0.113.0/24"},
            "binaryData": {"logo": "AAAA"},
        }))
        .unwrap()
    }

    #[test]
    fn only_what_is_read_is_kept() {
        let mut object = object();
        slim(&mut object);
        assert_eq!(
            object.annotations().keys().collect::<Vec<_>>(),
            [STATUS_ANNOTATION]
        );
        assert!(object.binary_data.is_none() && object.metadata.managed_fields.is_none());
        let list = to_list(&object);
        assert_eq!(list.object.to_string(), "ConfigMap shop/partners");
        assert_eq!(
            (list.object.uid.as_str(), list.created),
            ("u-1", 1_793_491_200)
        );
        assert_eq!(list.data["bank"], "203.0.113.0/24");
    }

    #[test]
    fn our_own_answer_is_no_change() {
        let mut answered = object();
        answered.metadata.annotations = None;
        answered.metadata.resource_version = Some("2".into());
        assert_eq!(to_list(&answered), to_list(&object()));
    }
}
