//! Our own rate, below the one at which EC2 refuses.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// So many at once after a rest.
const BURST: u32 = 40;

/// [EC2's buckets](https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html)
/// are one for each action: those that change something have 50, refilled with 5
/// a second, for all callers of an account and region. Routes come by the
/// hundred, so they are waited for here and not retried there.
#[derive(Debug)]
pub(super) struct Pace(DefaultKeyedRateLimiter<&'static str>);

impl Pace {
    /// One call every `period`, `--aws-api-rate`, after the first ones.
    pub(super) fn new(period: Duration) -> Self {
        let burst = NonZeroU32::new(BURST).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(period).unwrap_or_else(|| Quota::per_second(burst));
        Self(RateLimiter::keyed(quota.allow_burst(burst)))
    }

    /// Waits for an action's turn.
    pub(super) async fn turn(&self, action: &'static str) {
        self.0.until_key_ready(&action).await;
    }
}
