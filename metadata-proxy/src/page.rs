//! What the admin server's page says of the proxy.

use isthmus_runtime::{Page, Section};
use jiff::Timestamp;
use metadata_proxy_core::RoleState;

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
        let row = |pod: &std::sync::Arc<metadata_proxy_core::Pod>| {
            let addresses: Vec<String> = pod.addresses.iter().map(ToString::to_string).collect();
            let state = match directory.rules.role_of(pod, &directory.namespaces) {
                _ if pod.host_network => "in the host network: not served".to_owned(),
                _ if !pod.lives(now) => "ended".to_owned(),
                RoleState::Granted(grant) => grant.role.to_string(),
                RoleState::None => "no role".to_owned(),
                RoleState::Invalid(error) => format!("refused: {error}"),
                RoleState::NotAllowed(role) => {
                    format!("refused: the namespace does not allow {role}")
                }
                RoleState::NamespaceUnknown => "waiting for the namespace".to_owned(),
            };
            vec![
                pod.namespace.clone(),
                pod.name.clone(),
                addresses.join(" "),
                state,
            ]
        };
        directory.pods.pods().map(row).collect()
    });
    section("Pods", ["Namespace", "Name", "Addresses", "Role"], rows)
}

fn credentials(store: &CredentialStore) -> Section {
    let row = |(grant, expires, failed): (
        std::sync::Arc<metadata_proxy_core::Grant>,
        Option<Timestamp>,
        Option<isthmus_core::ErrorClass>,
    )| {
        vec![
            grant.role.to_string(),
            grant.session_name.clone(),
            expires.map_or_else(|| "none".to_owned(), metadata_proxy_core::whole_seconds),
            failed.map_or_else(String::new, |class| class.to_string()),
        ]
    };
    let rows = store.overview().into_iter().map(row).collect();
    section(
        "Credentials",
        ["Role", "Session", "Until", "Last failure"],
        rows,
    )
}

fn section(title: &str, headings: [&str; 4], rows: Vec<Vec<String>>) -> Section {
    Section {
        title: title.to_owned(),
        headings: headings.map(str::to_owned).to_vec(),
        rows,
    }
}
