//! Writing statuses.

use std::fmt::Debug;

use ingress_core::{ROUTE_GROUP, StatusChange, StatusEntry, reason};
use isthmus_core::ErrorClass;
use isthmus_runtime::{EventType, Failure, Run};
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::routegroup::RouteGroup;

/// Writes the statuses; `Ok` if all were written, each failure otherwise.
pub(crate) async fn write(run: &Run<'_>, changes: &[StatusChange]) -> Vec<Failure> {
    let mut failures = Vec::new();
    for change in changes {
        let object = &change.object;
        let written = if object.kind == ROUTE_GROUP {
            write_one::<RouteGroup>(run.kube, change).await
        } else {
            write_one::<Ingress>(run.kube, change).await
        };
        match written {
            Ok(()) => say(run, change),
            // It was deleted, or deleted and made anew: the watch tells of it.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
            Err(error) => failures.push(failure(change, &error)),
        }
    }
    failures
}

async fn write_one<K>(client: &Client, change: &StatusChange) -> kube::Result<()>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug,
    K: DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), &change.object.namespace);
    let patch = Patch::Merge(patch(change));
    let name = &change.object.name;
    api.patch_status(name, &PatchParams::default(), &patch)
        .await
        .map(drop)
}

/// A merge patch that fails on an Ingress of the same name that is another one.
fn patch(change: &StatusChange) -> Value {
    let entry = |entry: &StatusEntry| {
        let mut fields = serde_json::Map::new();
        let named = [("hostname", &entry.hostname), ("ip", &entry.ip)];
        for (name, value) in named {
            if let Some(value) = value {
                fields.insert(name.to_owned(), json!(value));
            }
        }
        Value::Object(fields)
    };
    let entries: Vec<_> = change.entries.iter().map(entry).collect();
    // An empty list where the schema asks for one, nothing where it does not.
    let (field, none) = if change.object.kind == ROUTE_GROUP {
        ("routegroup", json!([]))
    } else {
        ("ingress", Value::Null)
    };
    let entries = if entries.is_empty() {
        none
    } else {
        json!(entries)
    };
    json!({
        "metadata": {"uid": change.object.uid},
        "status": {"loadBalancer": {field: entries}},
    })
}

fn say(run: &Run<'_>, change: &StatusChange) {
    let names: Vec<_> = change
        .entries
        .iter()
        .filter_map(|entry| entry.hostname.as_deref())
        .collect();
    let (why, message) = if names.is_empty() {
        (
            reason::WITHDRAWN,
            "it is on no load balancer any more".to_owned(),
        )
    } else {
        (
            reason::LOAD_BALANCER_READY,
            format!("it is served by {}", names.join(", ")),
        )
    };
    tracing::info!(object = %change.object, "{message}");
    run.event(&change.object, EventType::Normal, why, message);
}

fn failure(change: &StatusChange, error: &kube::Error) -> Failure {
    let (class, why) = match error {
        kube::Error::Api(status) => {
            let class = match status.code {
                401 | 403 => ErrorClass::Denied,
                429 => ErrorClass::Throttled,
                400..=499 => ErrorClass::Invalid,
                _ => ErrorClass::Transient,
            };
            (class, status.message.clone())
        }
        other => (ErrorClass::Transient, other.to_string()),
    };
    Failure {
        step: "status",
        class,
        message: format!("status of {}: {why}", change.object),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isthmus_core::ObjectRef;

    #[test]
    fn a_status_is_replaced_as_a_whole() {
        let object = ObjectRef::new("networking.k8s.io/v1", "Ingress", "a", "b").with_uid("u");
        let mut change = StatusChange {
            object,
            entries: vec![StatusEntry::hostname("lb.example")],
            withdraws: false,
        };
        assert_eq!(
            patch(&change),
            json!({"metadata": {"uid": "u"}, "status": {"loadBalancer": {"ingress": [{"hostname": "lb.example"}]}}})
        );
        let group = StatusChange {
            object: ObjectRef::new("zalando.org/v1", "RouteGroup", "a", "b").with_uid("u"),
            ..change.clone()
        };
        assert_eq!(
            patch(&group)["status"],
            json!({"loadBalancer": {"routegroup": [{"hostname": "lb.example"}]}})
        );
        change.entries.clear();
        assert_eq!(
            patch(&change)["status"]["loadBalancer"]["ingress"],
            Value::Null
        );
    }
}
