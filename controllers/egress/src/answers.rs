//! The annotation that tells a ConfigMap what has become of it.

use std::collections::{BTreeMap, BTreeSet};

use egress_core::{EntryState, Status, reason};
use isthmus_core::ObjectRef;
use isthmus_runtime::{EventType, Failure, Run};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams};

use crate::error::kube_class;
use crate::watch::STATUS_ANNOTATION;

/// An answer for a ConfigMap, as text.
pub(crate) type Answers = Vec<(ObjectRef, Status)>;

/// Writes the answers that differ from what the ConfigMaps have.
///
/// The text depends on nothing but the state, so in steady state nothing is
/// written, and the change that a write makes asks for nothing new.
pub(crate) async fn write_answers(
    run: &Run<'_>,
    answers: &Answers,
    present: &BTreeMap<(String, String), String>,
) -> Vec<Failure> {
    let mut failures = Vec::new();
    for (object, status) in answers {
        let key = (object.namespace.clone(), object.name.clone());
        let before = present.get(&key);
        let text = match serde_json::to_string(status) {
            Ok(text) if before != Some(&text) => text,
            _ => continue,
        };
        if !run.may_call() {
            break;
        }
        let api: Api<ConfigMap> = Api::namespaced(run.kube.clone(), &object.namespace);
        let patch = serde_json::json!({
            "metadata": {"annotations": {STATUS_ANNOTATION: text}, "uid": object.uid}
        });
        let patched = api
            .patch(&object.name, &PatchParams::default(), &Patch::Merge(&patch))
            .await;
        match patched {
            Ok(_) => announce(run, object, status, before),
            // Deleted meanwhile, or deleted and made again: the watch tells.
            Err(kube::Error::Api(error)) if matches!(error.code, 404 | 409) => {}
            Err(error) => failures.push(Failure {
                step: "status",
                class: kube_class(&error),
                message: format!("{object}: {error}"),
            }),
        }
    }
    failures
}

/// Takes the answers of ConfigMaps away that ask for nothing any more: those
/// whose label was taken off, for the others are gone.
pub(crate) async fn take_back(run: &Run<'_>, gone: &BTreeSet<ObjectRef>) {
    for object in gone.iter().take_while(|_| run.may_call()) {
        let api: Api<ConfigMap> = Api::namespaced(run.kube.clone(), &object.namespace);
        let patch = serde_json::json!({
            "metadata": {"annotations": {STATUS_ANNOTATION: null}, "uid": object.uid}
        });
        let params = PatchParams::default();
        let patched = api
            .patch(&object.name, &params, &Patch::Merge(&patch))
            .await;
        if let Err(error) = patched {
            tracing::debug!(%object, %error, "its answer is not taken back");
        }
    }
}

/// Sends a Normal Event when all entries of a ConfigMap have become accepted.
fn announce(run: &Run<'_>, object: &ObjectRef, status: &Status, before: Option<&String>) {
    let before: Option<Status> = before.and_then(|text| serde_json::from_str(text).ok());
    if is_ready(status)
        && !before
            .as_ref()
            .is_some_and(|before| same_service(before, status))
    {
        let ips = status.public_ips.join(", ");
        let networks = status.entries.len() + status.entries_left_out;
        let message = format!("traffic to all {networks} networks leaves from {ips}");
        run.event(object, EventType::Normal, reason::READY, message);
    }
}

fn is_ready(status: &Status) -> bool {
    let accepted = |state| state == EntryState::Accepted;
    !status.entries.is_empty() && status.entries.iter().all(|entry| accepted(entry.state))
}

/// Whether an author would see no difference.
fn same_service(before: &Status, now: &Status) -> bool {
    let networks = |status: &Status| -> Vec<_> {
        status
            .entries
            .iter()
            .map(|entry| entry.network.clone())
            .collect()
    };
    is_ready(before) && networks(before) == networks(now) && before.public_ips == now.public_ips
}
