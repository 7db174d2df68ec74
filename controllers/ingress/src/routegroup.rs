//! RouteGroups of skipper, `zalando.org/v1`: the part that is looked at
//! (<https://opensource.zalando.com/skipper/kubernetes/routegroup-crd/>).

use std::borrow::Cow;

use ingress_core as core;
use isthmus_core::ObjectRef;
use kube::api::ObjectMeta;
use kube::core::NamespaceResourceScope;
use serde::{Deserialize, Serialize};

/// A RouteGroup.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RouteGroup {
    metadata: ObjectMeta,
    spec: Spec,
    status: Status,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Spec {
    hosts: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    load_balancer: Option<LoadBalancer>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct LoadBalancer {
    routegroup: Option<Vec<Entry>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Entry {
    hostname: Option<String>,
    ip: Option<String>,
}

impl kube::Resource for RouteGroup {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        core::ROUTE_GROUP.into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "zalando.org".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "routegroups".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl RouteGroup {
    pub(crate) fn slim(&mut self) {
        self.metadata.managed_fields = None;
    }

    /// As the decisions see it. Its class is in the annotation alone.
    pub(crate) fn ingress(&self, class: &str) -> core::Ingress {
        let metadata = &self.metadata;
        let annotations = metadata.annotations.clone().unwrap_or_default();
        let object = ObjectRef::new(
            "zalando.org/v1",
            core::ROUTE_GROUP,
            metadata.namespace.clone().unwrap_or_default(),
            metadata.name.clone().unwrap_or_default(),
        );
        let entries = self.status.load_balancer.as_ref();
        core::Ingress {
            object: object.with_uid(metadata.uid.clone().unwrap_or_default()),
            class: annotations.get(class).cloned().unwrap_or_default(),
            annotations,
            hosts: self.spec.hosts.clone().unwrap_or_default(),
            status: entries
                .and_then(|balancer| balancer.routegroup.as_ref())
                .into_iter()
                .flatten()
                .map(|entry| core::StatusEntry {
                    hostname: entry.hostname.clone().filter(|name| !name.is_empty()),
                    ip: entry.ip.clone().filter(|ip| !ip.is_empty()),
                })
                .collect(),
            deleting: metadata.deletion_timestamp.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_route_group_is_read_like_an_ingress() {
        let group: RouteGroup = serde_json::from_value(json!({
            "apiVersion": "zalando.org/v1",
            "kind": "RouteGroup",
            "metadata": {"namespace": "a", "name": "b", "uid": "u", "annotations": {"class": "skipper"}},
            "spec": {"hosts": ["x.example.org"], "backends": [{"name": "b", "type": "shunt"}]},
            "status": {"loadBalancer": {"routegroup": [{"hostname": "lb.example"}]}},
        }))
        .unwrap();
        let seen = group.ingress("class");
        assert_eq!(seen.object.to_string(), "RouteGroup a/b");
        assert_eq!(
            (seen.object.uid.as_str(), seen.class.as_str()),
            ("u", "skipper")
        );
        assert_eq!(seen.hosts, ["x.example.org"]);
        assert_eq!(seen.hostnames().collect::<Vec<_>>(), ["lb.example"]);

        let bare: RouteGroup = serde_json::from_value(
            json!({"metadata": {}, "spec": {"hosts": null}, "status": {"loadBalancer": null}}),
        )
        .unwrap();
        assert!(bare.ingress("class").hosts.is_empty());
    }
}
