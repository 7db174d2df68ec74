//! What the proxy asks of AWS, in its own nouns.

mod sdk;

use std::sync::Arc;

use futures::future::BoxFuture;
use isthmus_core::ErrorClass;
use metadata_proxy_core::{Credentials, Grant};

pub(crate) use sdk::StsClient;

/// Where credentials come from.
pub(crate) trait CredentialSource: Send + Sync + 'static {
    /// Assumes the grant's role.
    fn credentials(
        &self,
        grant: Arc<Grant>,
    ) -> BoxFuture<'static, Result<Credentials, SourceError>>;
}

/// Why there are none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct SourceError {
    /// What it means for the next attempt.
    pub(crate) class: ErrorClass,
    /// STS was not asked: the pod's own token could not be had.
    pub(crate) no_token: bool,
    /// AWS's own words or ours, without secrets.
    pub(crate) message: String,
}
