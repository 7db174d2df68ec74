//! Whether the API server serves a kind whole.

use kube::{Api, Client, Resource};

/// Where the API server says it of one kind.
pub(super) struct Discovery {
    client: Client,
    /// `v1`, or `<group>/<version>`.
    version: String,
    plural: String,
}

impl Discovery {
    /// Of the kind that `api` is about.
    pub(super) fn of<K: Resource + Clone>(api: &Api<K>) -> Self {
        let parts: Vec<&str> = api.resource_url().trim_matches('/').split('/').collect();
        let version = match parts[..] {
            ["apis", group, version, ..] => format!("{group}/{version}"),
            [_, version, ..] => version.to_owned(),
            _ => String::new(),
        };
        Self {
            client: api.clone().into_client(),
            version,
            plural: parts.last().copied().unwrap_or_default().to_owned(),
        }
    }

    /// Whether objects of the kind can be made: not if its definition is being
    /// deleted, though those that are left can still be listed then. `None` if it
    /// cannot be told now.
    pub(super) async fn serves(&self) -> Option<bool> {
        let list = match self.version.contains('/') {
            true => self.client.list_api_group_resources(&self.version).await,
            false => self.client.list_core_api_resources(&self.version).await,
        };
        match list {
            Ok(list) => Some(list.resources.iter().any(|resource| {
                resource.name == self.plural && resource.verbs.iter().any(|verb| verb == "create")
            })),
            Err(kube::Error::Api(status)) if status.code == 404 => Some(false),
            // Who may not ask believes what is listed.
            Err(kube::Error::Api(status)) if status.code == 403 => Some(true),
            Err(_) => None,
        }
    }
}
