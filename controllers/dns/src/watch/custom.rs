//! Kinds that are not Kubernetes' own: RouteGroups and DNSEndpoints. The API
//! server may not serve them, or not any more.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dns_core::Source;
use dns_core::snapshot::{Address, DnsEndpoint, EndpointSpec, RouteGroup};
use isthmus_core::{ErrorClass, ObjectRef};
use isthmus_runtime::{Failure, LastingStore, Setup};
use kube::api::{ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use kube::runtime::watcher;
use kube::{Api, ResourceExt};
use serde_json::Value;

use super::slim_metadata;
use crate::config::Settings;

/// The watch of one kind.
pub(super) struct Custom {
    kind: (&'static str, &'static str),
    resource: ApiResource,
    store: LastingStore<DynamicObject>,
    grace: Duration,
    /// When it was last found to be absent.
    absent_at: Mutex<Option<Duration>>,
}

/// A DNSEndpoint whose status is to say that its generation was seen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unobserved {
    pub(crate) resource: ApiResource,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) generation: i64,
}

impl Custom {
    pub(super) fn watch(
        setup: &mut Setup,
        settings: &Settings,
        kind: (&'static str, &'static str),
        config: watcher::Config,
        grace: Duration,
    ) -> Self {
        let (group, version) = kind.0.split_once('/').unwrap_or(("", kind.0));
        let plural = format!("{}s", kind.1.to_ascii_lowercase());
        let gvk = GroupVersionKind::gvk(group, version, kind.1);
        let resource = ApiResource::from_gvk_with_plural(&gvk, &plural);
        let api: Api<DynamicObject> = match &settings.namespace {
            Some(namespace) => Api::namespaced_with(setup.kube.clone(), namespace, &resource),
            None => Api::all_with(setup.kube.clone(), &resource),
        };
        let watches = &mut setup.watches;
        let store = watches.add_lasting(kind.1, api, config, slim);
        Self {
            kind,
            resource,
            store,
            grace,
            absent_at: Mutex::new(None),
        }
    }

    /// Whether what the watch says can be believed: the API server serves the
    /// kind, and has for a while.
    pub(super) fn available(&self, source: Source, now: Duration) -> Result<(), Failure> {
        let (api, kind) = self.kind;
        let absent = self.store.is_absent();
        let absent = absent.then(|| format!("the API server does not serve {kind} of {api}"));
        self.note(absent, now).map_or(Ok(()), |why| {
            Err(Failure {
                step: "watch",
                class: ErrorClass::Invalid,
                message: format!(
                    "--source={}: {why}; the records of its objects stay as they are",
                    source.flag()
                ),
            })
        })
    }

    /// Remembers an absence, which lasts for a while longer: the objects may
    /// come back one by one.
    fn note(&self, absent: Option<String>, now: Duration) -> Option<String> {
        let mut absent_at = self
            .absent_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if absent.is_some() {
            *absent_at = Some(now);
            return absent;
        }
        let kind = self.kind.1;
        if absent_at.is_some_and(|at| now < at + self.grace) {
            return Some(format!(
                "{kind} is served again, and its objects may not all be back"
            ));
        }
        *absent_at = None;
        None
    }

    /// The time until what the watch says can be believed again.
    pub(super) fn patience(&self, now: Duration) -> Option<Duration> {
        let absent_at = *self
            .absent_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let end = absent_at? + self.grace;
        Some(end.saturating_sub(now).max(Duration::from_secs(1)))
    }

    pub(super) fn route_groups(&self) -> Vec<RouteGroup> {
        let objects = self.store.state();
        let route_group = |object: &DynamicObject| RouteGroup {
            object: self.reference(object),
            annotations: object.annotations().clone(),
            labels: object.labels().clone(),
            hosts: texts(&object.data["spec"]["hosts"]),
            addresses: points(&object.data).iter().flat_map(addresses).collect(),
        };
        objects.iter().map(|object| route_group(object)).collect()
    }

    pub(super) fn dns_endpoints(&self) -> Vec<DnsEndpoint> {
        let objects = self.store.state();
        let dns_endpoint = |object: &DynamicObject| DnsEndpoint {
            object: self.reference(object),
            annotations: object.annotations().clone(),
            labels: object.labels().clone(),
            endpoints: items(&object.data["spec"]["endpoints"])
                .iter()
                .map(endpoint)
                .collect(),
        };
        objects.iter().map(|object| dns_endpoint(object)).collect()
    }

    pub(super) fn unobserved(&self) -> Vec<Unobserved> {
        let objects = self.store.state();
        let unobserved = |object: &DynamicObject| {
            let generation = object.metadata.generation?;
            let observed = object.data["status"]["observedGeneration"].as_i64();
            (observed != Some(generation)).then(|| Unobserved {
                resource: self.resource.clone(),
                namespace: object.namespace().unwrap_or_default(),
                name: object.name_any(),
                generation,
            })
        };
        objects
            .iter()
            .filter_map(|object| unobserved(object))
            .collect()
    }

    fn reference(&self, object: &DynamicObject) -> ObjectRef {
        let (api_version, kind) = self.kind;
        let namespace = object.namespace().unwrap_or_default();
        ObjectRef::new(api_version, kind, namespace, object.name_any())
            .with_uid(object.uid().unwrap_or_default())
    }
}

/// Removes what is not read: the routes of a RouteGroup are most of it.
fn slim(object: &mut DynamicObject) {
    slim_metadata(&mut object.metadata);
    let spec = object.data.get_mut("spec").and_then(Value::as_object_mut);
    if let Some(spec) = spec {
        spec.retain(|key, _| key == "hosts" || key == "endpoints");
    }
    let status = object.data.get_mut("status").and_then(Value::as_object_mut);
    if let Some(status) = status {
        status.retain(|key, _| key == "loadBalancer" || key == "observedGeneration");
    }
}

/// The load balancers of a RouteGroup, in either spelling.
fn points(data: &Value) -> &[Value] {
    let status = &data["status"]["loadBalancer"];
    let points = [&status["routegroup"], &status["routeGroup"]];
    points
        .into_iter()
        .map(items)
        .find(|points| !points.is_empty())
        .unwrap_or_default()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text, also where the author wrote a number or a truth value.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn texts(value: &Value) -> Vec<String> {
    items(value).iter().map(text).collect()
}

fn addresses(point: &Value) -> Vec<Address> {
    let ip = point["ip"].as_str().and_then(|ip| ip.parse().ok());
    let host = point["hostname"].as_str().filter(|host| !host.is_empty());
    let host = host.map(|host| Address::Host(host.to_owned()));
    ip.map(Address::Ip).into_iter().chain(host).collect()
}

fn endpoint(value: &Value) -> EndpointSpec {
    let property = |property: &Value| (text(&property["name"]), text(&property["value"]));
    let properties = items(&value["providerSpecific"]).iter().map(property);
    let labels = value["labels"].as_object().into_iter().flatten();
    EndpointSpec {
        dns_name: text(&value["dnsName"]),
        record_type: text(&value["recordType"]),
        targets: texts(&value["targets"]),
        // What is no number is no TTL.
        ttl: match &value["recordTTL"] {
            Value::Null => 0,
            ttl => ttl.as_i64().unwrap_or(-1),
        },
        set_identifier: value["setIdentifier"].as_str().map(str::to_owned),
        labels: labels
            .map(|(label, value)| (label.clone(), text(value)))
            .collect(),
        properties: properties.collect::<BTreeMap<_, _>>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_a_dns_endpoint_is_read_whatever_its_author_wrote() {
        let read = endpoint(&serde_json::json!({
            "dnsName": "a.example.org", "recordType": "A", "targets": ["192.0.2.1", 7], "recordTTL": 60,
            "setIdentifier": "blue", "labels": {"team": "x", "tier": 1}, "providerSpecific": [{"name": "aws/weight", "value": "10"}, {"name": "alias", "value": true}],
        }));
        assert_eq!(read.targets, ["192.0.2.1", "7"]);
        assert_eq!(
            (read.ttl, read.set_identifier.as_deref()),
            (60, Some("blue"))
        );
        assert_eq!(read.properties["alias"], "true");
        assert_eq!(
            (read.labels["team"].as_str(), read.labels["tier"].as_str()),
            ("x", "1")
        );
        assert_eq!(endpoint(&serde_json::json!({"recordTTL": "soon"})).ttl, -1);
        assert_eq!(endpoint(&Value::Null), EndpointSpec::default());
    }

    #[test]
    fn the_routes_of_a_route_group_are_not_kept() {
        let mut object: DynamicObject = serde_json::from_value(serde_json::json!({
            "apiVersion": "zalando.org/v1", "kind": "RouteGroup", "metadata": {"name": "web"},
            "spec": {"hosts": ["a.example.org"], "routes": [{"path": "/"}], "backends": []},
            "status": {"loadBalancer": {"routegroup": [{"hostname": "lb.example.com"}]}},
        }))
        .unwrap();
        slim(&mut object);
        assert_eq!(
            object.data["spec"],
            serde_json::json!({"hosts": ["a.example.org"]})
        );
        assert!(!object.data["status"]["loadBalancer"].is_null());
    }
}
