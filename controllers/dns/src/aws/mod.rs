//! Route 53, in the words of this controller.

mod clients;
mod convert;
mod limiter;
mod sdk;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use dns_core::{Batch, DnsName, RecordSet, Zone, ZoneId};
use isthmus_core::ErrorClass;
use tokio::time::sleep;

use limiter::Limiter;
pub(crate) use sdk::Sdk;

use crate::error::CallError;

/// How often a call is made before it counts as failed, where trying again can help.
pub(crate) const ATTEMPTS: u32 = 5;

/// Waits before another attempt. For throttling it is the limiter that waits;
/// the last change of a zone takes Route 53 a moment.
pub(crate) async fn backoff(error: &CallError, attempt: u32) {
    let factor = 1 << attempt.min(6);
    match error.class {
        ErrorClass::Transient => sleep(Duration::from_millis(100 * factor)).await,
        ErrorClass::Conflict => sleep(Duration::from_millis(500 * factor)).await,
        _ => {}
    }
}

/// What is asked of Route 53. Every call waits for its turn at the account's limiter.
pub(crate) trait Route53: Send + Sync {
    /// Every hosted zone of the account, and those that have a role of their own.
    fn zones(&self) -> impl Future<Output = Result<Listed, CallError>> + Send;

    /// One hosted zone.
    fn zone(&self, id: &ZoneId) -> impl Future<Output = Result<Zone, CallError>> + Send;

    /// The tags of these zones.
    fn tags(&self, zones: &[ZoneId]) -> impl Future<Output = Result<ZoneTags, CallError>> + Send;

    /// Every record set of a zone.
    fn records(
        &self,
        zone: &ZoneId,
    ) -> impl Future<Output = Result<Vec<RecordSet>, CallError>> + Send;

    /// The record sets of some names of a zone.
    fn records_of_names(
        &self,
        zone: &ZoneId,
        names: &BTreeSet<DnsName>,
    ) -> impl Future<Output = Result<Vec<RecordSet>, CallError>> + Send;

    /// How many record sets a zone may have.
    fn capacity(&self, zone: &ZoneId) -> impl Future<Output = Result<usize, CallError>> + Send;

    /// Carries a batch out, as a whole or not at all. Tries once: whether to try
    /// again is for the caller, who knows whether it may.
    fn change(&self, batch: &Batch) -> impl Future<Output = Result<ChangeId, CallError>> + Send;

    /// Whether all servers of Route 53 have a change.
    fn in_sync(
        &self,
        zone: &ZoneId,
        change: &ChangeId,
    ) -> impl Future<Output = Result<bool, CallError>> + Send;
}

/// The hosted zones, and those that should be there and cannot be looked at.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) zones: Vec<Zone>,
    pub(crate) failed: Vec<(ZoneId, CallError)>,
}

/// The id of a change that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChangeId(pub(crate) String);

/// Tags by zone.
pub(crate) type ZoneTags = BTreeMap<ZoneId, BTreeMap<String, String>>;
