//! The Lease as the API server keeps it.

use std::future::Future;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::PostParams;

/// What an election needs to know of a Lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeaseRecord {
    /// Empty when it was released.
    pub(crate) holder: String,
    pub(crate) duration: Option<Duration>,
    pub(crate) acquired: Option<Timestamp>,
    pub(crate) renewed: Option<Timestamp>,
    /// How often the holder has changed.
    pub(crate) transitions: i32,
    /// `metadata.resourceVersion`: a write names the version it is based on.
    pub(crate) version: String,
}

/// Why a Lease could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LeaseError {
    /// Somebody else wrote it first.
    #[error("another replica was faster")]
    Conflict,
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// The three requests of an election.
pub(crate) trait LeaseApi: Send + Sync + 'static {
    fn get(&self) -> impl Future<Output = Result<Option<LeaseRecord>, LeaseError>> + Send;
    fn create(
        &self,
        lease: LeaseRecord,
    ) -> impl Future<Output = Result<LeaseRecord, LeaseError>> + Send;
    /// Fails with a conflict unless the Lease still has the version of `lease`.
    fn replace(
        &self,
        lease: LeaseRecord,
    ) -> impl Future<Output = Result<LeaseRecord, LeaseError>> + Send;
}

/// A Lease of a cluster.
#[derive(Clone)]
pub(crate) struct KubeLease {
    api: Api<Lease>,
    name: String,
}

impl KubeLease {
    pub(crate) fn new(client: kube::Client, namespace: &str, name: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
        }
    }

    fn object(&self, lease: LeaseRecord) -> Lease {
        let seconds = |duration: Duration| i32::try_from(duration.as_secs()).unwrap_or(i32::MAX);
        Lease {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                resource_version: (!lease.version.is_empty()).then_some(lease.version),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(lease.holder),
                lease_duration_seconds: lease.duration.map(seconds),
                acquire_time: lease.acquired.map(MicroTime),
                renew_time: lease.renewed.map(MicroTime),
                lease_transitions: Some(lease.transitions),
                ..LeaseSpec::default()
            }),
        }
    }
}

impl LeaseApi for KubeLease {
    async fn get(&self) -> Result<Option<LeaseRecord>, LeaseError> {
        let found = self.api.get_opt(&self.name).await.map_err(failed)?;
        Ok(found.map(record))
    }

    async fn create(&self, lease: LeaseRecord) -> Result<LeaseRecord, LeaseError> {
        let object = self.object(lease);
        let made = self.api.create(&PostParams::default(), &object).await;
        made.map(record).map_err(failed)
    }

    async fn replace(&self, lease: LeaseRecord) -> Result<LeaseRecord, LeaseError> {
        let object = self.object(lease);
        let put = self
            .api
            .replace(&self.name, &PostParams::default(), &object)
            .await;
        put.map(record).map_err(failed)
    }
}

fn record(lease: Lease) -> LeaseRecord {
    let spec = lease.spec.unwrap_or_default();
    let seconds = spec
        .lease_duration_seconds
        .and_then(|s| u64::try_from(s).ok());
    LeaseRecord {
        holder: spec.holder_identity.unwrap_or_default(),
        duration: seconds.map(Duration::from_secs),
        acquired: spec.acquire_time.map(|time| time.0),
        renewed: spec.renew_time.map(|time| time.0),
        transitions: spec.lease_transitions.unwrap_or_default(),
        version: lease.metadata.resource_version.unwrap_or_default(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: kube::Error) -> LeaseError {
    match &error {
        kube::Error::Api(status) if status.code == 409 => LeaseError::Conflict,
        _ => LeaseError::Failed(crate::connect::describe(&error)),
    }
}
