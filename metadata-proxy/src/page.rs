//! What the admin server's page says of the proxy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use isthmus_core::ErrorClass;
use isthmus_runtime::{Page, Section};
use jiff::Timestamp;
use metadata_proxy_core::{Directory, Grant, Pod, RoleState, Wanted, whole_seconds};

use crate::credentials::CredentialStore;
use crate::directory::SharedDirectory;

type Held = (Arc<Grant>, Option<Timestamp>, Option<ErrorClass>);

/// Pod → role → expiry, and the credentials that are held. No secrets.
pub(crate) fn page(directory: &SharedDirectory, store: &CredentialStore) -> Page {
    let held = store.overview();
    Page {
        sections: vec![pods(directory, &held, Timestamp::now()), credentials(&held)],
    }
}

fn pods(directory: &SharedDirectory, held: &[Held], now: Timestamp) -> Section {
    let held: BTreeMap<&Grant, &Held> = held.iter().map(|one| (&*one.0, one)).collect();
    let rows = directory.look(|directory| {
        let row = |pod: &Arc<Pod>| {
            let addresses: BTreeSet<String> =
                pod.addresses.iter().map(ToString::to_string).collect();
            let addresses: Vec<String> = addresses.into_iter().collect();
            let role = directory.role_of(pod);
            vec![
                format!("{}/{}", pod.namespace, pod.name),
                addresses.join(" "),
                state(&role, pod, now),
                expiry(&role, &held),
                origin(directory, pod).to_owned(),
            ]
        };
        directory.pods.pods().map(row).collect()
    });
    let headings = ["Pod", "Addresses", "Role", "Credentials", "Written at"];
    Section::new("Pods", headings, rows)
}

/// Until when the credentials of a pod live.
fn expiry(role: &RoleState, held: &BTreeMap<&Grant, &Held>) -> String {
    let (RoleState::Granted(grant) | RoleState::NoToken(grant)) = role else {
        return String::new();
    };
    match held.get(&**grant) {
        Some((_, Some(until), _)) => format!("until {}", whole_seconds(*until)),
        Some((_, None, Some(class))) => format!("none: {class}"),
        _ => "fetched when they are asked for".to_owned(),
    }
}

fn state(role: &RoleState, pod: &Pod, now: Timestamp) -> String {
    if pod.host_network {
        return "in the host network: not served".to_owned();
    }
    if !pod.lives(now) {
        return "ended".to_owned();
    }
    match role {
        RoleState::Granted(grant) => grant.role.to_string(),
        RoleState::NoToken(grant) => {
            format!(
                "{}, once it presents a token: its spec asks for none",
                grant.role
            )
        }
        RoleState::None => "no role".to_owned(),
        RoleState::Invalid(error) => format!("refused: {error}"),
        RoleState::NotAllowed(role) => format!("refused: the namespace does not allow {role}"),
        RoleState::NamespaceUnknown => "waiting for the namespace".to_owned(),
        RoleState::ServiceAccountUnknown => "waiting for the service account".to_owned(),
    }
}

fn origin(directory: &Directory, pod: &Pod) -> &'static str {
    match directory.rules.wanted(pod, &directory.service_accounts) {
        Wanted::Role(_, origin) | Wanted::Nothing(origin) => origin.as_str(),
        Wanted::Nowhere | Wanted::Unknown => "",
    }
}

fn credentials(held: &[Held]) -> Section {
    let row = |(grant, expires, failed): &Held| {
        vec![
            grant.role.to_string(),
            grant.session_name.clone(),
            grant.identity.source().as_str().to_owned(),
            expires.map_or_else(|| "none".to_owned(), whole_seconds),
            failed.map_or_else(String::new, |class| class.to_string()),
        ]
    };
    let headings = ["Role", "Session", "Source", "Until", "Last failure"];
    Section::new("Credentials", headings, held.iter().map(row).collect())
}
