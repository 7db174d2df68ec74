//! kube2iam's `/healthz`: whether the instance id can be read.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use metadata_proxy_core::Refusal;
use tokio_util::sync::CancellationToken;

use crate::imds::{Imds, ImdsError};
use crate::start::Readiness;

const EVERY: Duration = Duration::from_secs(30);
const EVERY_WHILE_FAILING: Duration = Duration::from_secs(2);

/// The last answer, and the rest of the proxy. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    readiness: Readiness,
    instance_id: Arc<RwLock<Option<String>>>,
}

impl Health {
    pub(crate) fn new(readiness: Readiness) -> Self {
        Self {
            readiness,
            instance_id: Arc::default(),
        }
    }

    /// The instance id, if it could be read the last time and the pods are known.
    pub(crate) fn check(&self) -> Result<String, Refusal> {
        self.readiness.check().map_err(|_| Refusal::NotReady)?;
        let id = self
            .instance_id
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        id.clone().ok_or(Refusal::Unhealthy)
    }

    /// Asks again and again until `shutdown`.
    pub(crate) async fn poll(self, imds: Arc<Imds>, shutdown: CancellationToken) {
        let mut failing = false;
        loop {
            let read = imds.text("/latest/meta-data/instance-id").await;
            failing = log_change(failing, &read);
            let pause = if failing { EVERY_WHILE_FAILING } else { EVERY };
            *self
                .instance_id
                .write()
                .unwrap_or_else(PoisonError::into_inner) = read.ok();
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }
}

/// Whether it fails now; a change of that is logged.
fn log_change(failing: bool, read: &Result<String, ImdsError>) -> bool {
    match read {
        Err(error) if !failing => tracing::warn!("/healthz: {error}"),
        Ok(id) if failing => tracing::info!(
            instance = id,
            "/healthz: the instance metadata can be read again"
        ),
        _ => {}
    }
    read.is_err()
}
