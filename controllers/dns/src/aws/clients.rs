//! One client for each role.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::sts::AssumeRoleProvider;
use aws_sdk_route53::Client;
use aws_sdk_route53::config::{Builder, retry::RetryConfig};
use dns_core::ZoneId;
use isthmus_runtime::Aws;

use crate::config::{Role, Roles};

/// The client of the account, and those of zones that have a role of their own.
pub(super) struct Clients {
    account: Client,
    zones: BTreeMap<ZoneId, Client>,
}

impl Clients {
    /// Takes the roles on when they are first needed, and anew before they expire.
    pub(super) async fn new(aws: &Aws, roles: &Roles) -> Self {
        let account = client(aws, roles.account.as_ref()).await;
        let mut by_role = BTreeMap::new();
        for role in roles.zones.values().collect::<BTreeSet<_>>() {
            by_role.insert(role, client(aws, Some(role)).await);
        }
        let zones = roles.zones.iter();
        let zones = zones.map(|(zone, role)| (zone.clone(), by_role[role].clone()));
        Self {
            account,
            zones: zones.collect(),
        }
    }

    /// The client for what concerns the account as a whole.
    pub(super) fn account(&self) -> &Client {
        &self.account
    }

    /// The client for what concerns one zone.
    pub(super) fn of(&self, zone: &ZoneId) -> &Client {
        self.zones.get(zone).unwrap_or(&self.account)
    }

    /// The zones that have a role of their own.
    pub(super) fn zones(&self) -> impl Iterator<Item = &ZoneId> {
        self.zones.keys()
    }
}

/// A client. The SDK itself does not retry: each of its attempts would be a call
/// that the limiter does not know of.
async fn client(aws: &Aws, role: Option<&Role>) -> Client {
    let mut config = Builder::from(&aws.sdk)
        .interceptor(aws.interceptor())
        .retry_config(RetryConfig::disabled());
    if let Some(role) = role {
        let mut provider = AssumeRoleProvider::builder(&role.arn)
            .session_name("isthmus-dns")
            .configure(&aws.sdk);
        if let Some(id) = &role.external_id {
            provider = provider.external_id(id);
        }
        config = config.credentials_provider(provider.build().await);
    }
    Client::from_conf(config.build())
}
