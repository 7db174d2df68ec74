//! How long it takes until all servers of Route 53 have a change.

use std::sync::Arc;
use std::time::Duration;

use dns_core::ZoneId;
use prometheus::Histogram;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use crate::aws::{ChangeId, Route53};

/// The times between looks. [Most changes] take about a minute.
///
/// [Most changes]: https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
const LOOKS: [u64; 12] = [2, 4, 8, 15, 15, 15, 15, 30, 30, 60, 60, 60];

/// Follows changes, one at a time: while one is followed, others go unmeasured,
/// so that measuring never costs more than a call every few seconds.
pub(crate) struct Follower {
    seconds: Histogram,
    free: Arc<Semaphore>,
}

impl Follower {
    pub(crate) fn new(seconds: Histogram) -> Self {
        Self {
            seconds,
            free: Arc::new(Semaphore::new(1)),
        }
    }

    /// Follows a change that was asked for at `since` to its end. Gives up after
    /// some minutes, and when Route 53 does not say.
    pub(crate) async fn follow<R: Route53>(
        &self,
        route53: &R,
        zone: &ZoneId,
        change: &ChangeId,
        since: Instant,
    ) {
        let Ok(_turn) = self.free.try_acquire() else {
            return;
        };
        for look in LOOKS {
            sleep(Duration::from_secs(look)).await;
            match route53.in_sync(zone, change).await {
                Ok(true) => return self.seconds.observe(since.elapsed().as_secs_f64()),
                Ok(false) => {}
                Err(error) if error.may_pass() => {}
                Err(error) => {
                    tracing::warn!(%zone, "cannot tell when a change is in sync: {error}");
                    return;
                }
            }
        }
    }
}
