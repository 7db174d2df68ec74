//! Our own rates, below those at which AWS refuses.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// A bucket that is waited for.
pub(super) struct Bucket(DefaultDirectRateLimiter);

impl Bucket {
    /// One call every `period`, and `burst` at once after a rest.
    fn new(period: Duration, burst: u32) -> Self {
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(period).unwrap_or_else(|| Quota::per_second(burst));
        Self(RateLimiter::direct(quota.allow_burst(burst)))
    }

    /// Waits for a call's turn.
    pub(super) async fn turn(&self) {
        self.0.until_ready().await;
    }
}

/// The [buckets of ELBv2], which all callers of an account and region share:
/// `Describe*` has 40, refilled with 10 a second; for the others these are below
/// what AWS Load Balancer Controller holds itself to.
///
/// [buckets of ELBv2]: https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html
pub(super) struct ElbLimits {
    pub(super) describe: Bucket,
    pub(super) change: Bucket,
    pub(super) register: Bucket,
}

impl ElbLimits {
    pub(super) fn new() -> Self {
        Self {
            describe: Bucket::new(Duration::from_millis(125), 30),
            change: Bucket::new(Duration::from_millis(400), 16),
            register: Bucket::new(Duration::from_millis(300), 16),
        }
    }
}

/// The rates of ACM: `ListCertificates` 1 a second, other reads 10
/// (<https://docs.aws.amazon.com/acm/latest/userguide/acm-limits.html#api-rate-limits>).
pub(super) struct AcmLimits {
    pub(super) list: Bucket,
    pub(super) read: Bucket,
}

/// Below what IAM, which is one for all regions of an account, is known to take.
pub(super) struct IamLimits {
    pub(super) read: Bucket,
}

impl IamLimits {
    pub(super) fn new() -> Self {
        Self {
            read: Bucket::new(Duration::from_millis(200), 5),
        }
    }
}

impl AcmLimits {
    pub(super) fn new() -> Self {
        Self {
            list: Bucket::new(Duration::from_secs(1), 1),
            read: Bucket::new(Duration::from_millis(125), 8),
        }
    }
}

/// Below [the rates of WAF v2]: changes 1 in two seconds, other reads 1 a second.
///
/// [the rates of WAF v2]: https://docs.aws.amazon.com/waf/latest/developerguide/limits.html
pub(super) struct WafLimits {
    pub(super) read: Bucket,
    pub(super) change: Bucket,
}

impl WafLimits {
    pub(super) fn new() -> Self {
        Self {
            read: Bucket::new(Duration::from_secs(1), 1),
            change: Bucket::new(Duration::from_secs(2), 1),
        }
    }
}

/// Below [the rates of CloudWatch]: `DescribeAlarms` 9 a second, `PutMetricAlarm` and
/// `DeleteAlarms` 3.
///
/// [the rates of CloudWatch]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
pub(super) struct AlarmLimits {
    pub(super) read: Bucket,
    pub(super) change: Bucket,
}

impl AlarmLimits {
    pub(super) fn new() -> Self {
        Self {
            read: Bucket::new(Duration::from_millis(250), 4),
            change: Bucket::new(Duration::from_millis(500), 3),
        }
    }
}
