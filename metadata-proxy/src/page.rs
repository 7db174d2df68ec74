//! What the admin server's page says of the proxy.

use std::sync::Arc;

use isthmus_core::ErrorClass;
use isthmus_runtime::{Page, Section};
use jiff::Timestamp;
use metadata_proxy_core::{Directory, Grant, Pod, RoleState, Wanted, whole_seconds};

use crate::credentials::CredentialStore;
use crate::directory::SharedDirectory;

/// The pods with what they may have, and the credentials that are held.
pub(crate) fn page(directory: &SharedDirectory, store: &CredentialStore) -> Page {
    Page {
        sections: vec![pods(directory, Timestamp::now()), credentials(store)],
    }
}

fn pods(directory: &SharedDirectory, now: Timestamp) -> Section {
    let rows = directory.look(|directory| {
        let row = |pod: &Arc<Pod>| {
            let addresses: Vec<String> = pod.addresses.iter().map(ToString::to_string).collect();
            [
                pod.namespace.clone(),
                pod.name.clone(),
                addresses.join(" "),
                state(directory, pod, now),
                origin(directory, pod).to_owned(),
            ]
        };
        directory.pods.pods().map(row).collect()
    });
    let headings = ["Namespace", "Name", "Addresses", "Role", "Written at"];
    section("Pods", headings, rows)
}

fn state(directory: &Directory, pod: &Pod, now: Timestamp) -> String {
    if pod.host_network {
        return "in the host network: not served".to_owned();
    }
    if !pod.lives(now) {
        return "ended".to_owned();
    }
    match directory.role_of(pod) {
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

fn credentials(store: &CredentialStore) -> Section {
    let row = |(grant, expires, failed): (Arc<Grant>, Option<Timestamp>, Option<ErrorClass>)| {
        [
            grant.role.to_string(),
            grant.session_name.clone(),
            grant.identity.source().as_str().to_owned(),
            expires.map_or_else(|| "none".to_owned(), whole_seconds),
            failed.map_or_else(String::new, |class| class.to_string()),
        ]
    };
    let rows = store.overview().into_iter().map(row).collect();
    let headings = ["Role", "Session", "Source", "Until", "Last failure"];
    section("Credentials", headings, rows)
}

fn section<const N: usize>(title: &str, headings: [&str; N], rows: Vec<[String; N]>) -> Section {
    Section {
        title: title.to_owned(),
        headings: headings.map(str::to_owned).to_vec(),
        rows: rows.into_iter().map(Vec::from).collect(),
    }
}
