//! The rates at which AWS refuses, as token buckets.

use std::collections::BTreeMap;
use std::time::Instant;

/// A bucket of `burst` tokens, refilled with `per_second`.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenBucket {
    burst: f64,
    per_second: f64,
    tokens: f64,
    last: Option<Instant>,
}

impl TokenBucket {
    /// A full bucket.
    #[must_use]
    pub fn new(burst: u32, per_second: f64) -> Self {
        Self {
            burst: f64::from(burst),
            per_second,
            tokens: f64::from(burst),
            last: None,
        }
    }

    /// Takes a token; `false` if there is none.
    pub fn take(&mut self, now: Instant) -> bool {
        if let Some(last) = self.last {
            let passed = now.saturating_duration_since(last).as_secs_f64();
            self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        }
        self.last = Some(now);
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

/// The buckets of one account and region.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    buckets: BTreeMap<(String, &'static str), TokenBucket>,
    /// Set by a test; looked at first, the newest before older ones.
    own: Vec<(String, String, TokenBucket)>,
}

impl Limits {
    /// AWS's own.
    ///
    /// * [Route 53]: five requests a second an account.
    /// * [ELBv2]: `Describe*` 40, refilled with 10 a second. The numbers of the
    ///   other categories are those that AWS Load Balancer Controller holds
    ///   itself to: registration 20 with 4, everything else that changes 20 with 3.
    /// * ACM: a second 1 `ListCertificates`, 10 of each other read; a short burst.
    /// * [EC2]: 100 with 20 for reads, 50 with 5 for changes.
    ///
    /// [Route 53]: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html
    /// [ELBv2]: https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html
    /// [EC2]: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
    pub(super) fn aws() -> Self {
        Self {
            buckets: BTreeMap::new(),
            own: Vec::new(),
        }
    }

    /// Puts a bucket over the actions of `service` that begin with `prefix`.
    pub(super) fn set(&mut self, service: &str, prefix: &str, bucket: TokenBucket) {
        self.own
            .insert(0, (service.to_owned(), prefix.to_owned(), bucket));
    }

    /// Whether the call is within its rate.
    pub(super) fn admit(&mut self, service: &str, action: &str, now: Instant) -> bool {
        let own = self
            .own
            .iter_mut()
            .find(|(of, prefix, _)| of == service && action.starts_with(prefix.as_str()));
        if let Some((_, _, bucket)) = own {
            return bucket.take(now);
        }
        let Some((category, burst, per_second)) = category(service, action) else {
            return true;
        };
        // EC2 counts each action for itself.
        let name = match service {
            "ec2" | "acm" => action,
            _ => "",
        };
        self.buckets
            .entry((format!("{service} {name}"), category))
            .or_insert_with(|| TokenBucket::new(burst, per_second))
            .take(now)
    }
}

fn category(service: &str, action: &str) -> Option<(&'static str, u32, f64)> {
    let read = action.starts_with("Describe") || action.starts_with("Get");
    match service {
        "route53" => Some(("account", 5, 5.0)),
        "elasticloadbalancing" if read => Some(("describe", 40, 10.0)),
        "elasticloadbalancing"
            if action.ends_with("registerTargets") || action == "RegisterTargets" =>
        {
            Some(("registration", 20, 4.0))
        }
        "elasticloadbalancing" => Some(("mutating", 20, 3.0)),
        "acm" if action == "ListCertificates" => Some(("list", 5, 1.0)),
        "acm" => Some(("read", 20, 10.0)),
        "ec2" if read => Some(("describe", 100, 20.0)),
        "ec2" => Some(("mutating", 50, 5.0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn admitted(limits: &mut Limits, service: &str, action: &str, now: Instant) -> usize {
        (0..1000)
            .take_while(|_| limits.admit(service, action, now))
            .count()
    }

    #[test]
    fn a_bucket_gives_its_burst_then_its_rate_and_never_more_than_its_burst() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(3, 2.0);
        assert_eq!((0..9).filter(|_| bucket.take(start)).count(), 3);
        assert!(!bucket.take(start + Duration::from_millis(400)));
        assert!(bucket.take(start + Duration::from_millis(500)));
        let later = start + Duration::from_secs(60);
        assert_eq!((0..9).filter(|_| bucket.take(later)).count(), 3);
    }

    #[test]
    fn each_service_has_its_own_rates() {
        let now = Instant::now();
        let mut limits = Limits::aws();
        assert_eq!(admitted(&mut limits, "route53", "ListHostedZones", now), 5);
        assert_eq!(
            admitted(&mut limits, "route53", "ChangeResourceRecordSets", now),
            0
        );
        assert_eq!(
            admitted(&mut limits, "elasticloadbalancing", "DescribeTags", now),
            40
        );
        assert_eq!(
            admitted(
                &mut limits,
                "elasticloadbalancing",
                "CreateLoadBalancer",
                now
            ),
            20
        );
        assert_eq!(
            admitted(
                &mut limits,
                "elasticloadbalancing",
                "DeregisterTargets",
                now
            ),
            20
        );
        assert_eq!(admitted(&mut limits, "acm", "ListCertificates", now), 5);
        assert_eq!(admitted(&mut limits, "ec2", "DescribeVpcs", now), 100);
        assert_eq!(admitted(&mut limits, "ec2", "DescribeSubnets", now), 100);
        assert_eq!(admitted(&mut limits, "sts", "AssumeRole", now), 1000);
    }

    #[test]
    fn a_test_may_set_its_own() {
        let now = Instant::now();
        let mut limits = Limits::aws();
        limits.set("ec2", "Describe", TokenBucket::new(2, 1.0));
        assert_eq!(admitted(&mut limits, "ec2", "DescribeVpcs", now), 2);
        assert_eq!(admitted(&mut limits, "ec2", "CreateRoute", now), 50);
    }
}
