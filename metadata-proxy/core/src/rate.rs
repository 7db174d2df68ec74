//! How often one address may ask.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::IpAddr;
use std::time::Duration;

/// A bucket for each address that holds two seconds' worth of requests and is refilled steadily.
///
/// What is kept of an address is the moment at which its bucket is full again
/// (the generic cell rate algorithm); a full bucket is kept as nothing at all.
/// So the memory is bounded by those who have just asked, and by
/// [`RateLimiter::PLACES`]: whoever comes when all places are taken shares one
/// bucket with the others who do.
#[derive(Clone, Debug)]
pub struct RateLimiter {
    /// Between two requests of a steady stream.
    interval: Duration,
    /// How far ahead of the clock a bucket may be.
    depth: Duration,
    /// When each bucket is full again, on the caller's clock.
    full_at: BTreeMap<IpAddr, Duration>,
    /// The one of those without a place.
    others_full_at: Duration,
    swept_at: Duration,
}

/// Full buckets are looked for at most this often.
const SWEEP: Duration = Duration::from_secs(1);

/// Seconds' worth of requests that a full bucket holds.
const DEPTH: Duration = Duration::from_secs(2);

impl RateLimiter {
    /// Addresses with a bucket of their own at one time.
    pub const PLACES: usize = 4096;

    /// That many requests a second; `None` for 0, which is no limit.
    #[must_use]
    pub fn new(per_second: u32) -> Option<Self> {
        let interval = Duration::from_secs(1).checked_div(per_second)?;
        Some(Self {
            interval,
            depth: DEPTH.max(interval),
            full_at: BTreeMap::new(),
            others_full_at: Duration::ZERO,
            swept_at: Duration::ZERO,
        })
    }

    /// Whether a request of `address` at `now` is within the limit; then it is
    /// counted. `now` is of any clock that does not go back.
    pub fn allows(&mut self, address: IpAddr, now: Duration) -> bool {
        if !self.full_at.contains_key(&address) && self.full_at.len() >= Self::PLACES {
            self.sweep(now);
        }
        let room = self.full_at.len() < Self::PLACES;
        let bucket = match self.full_at.entry(address) {
            Entry::Vacant(_) if !room => &mut self.others_full_at,
            entry => entry.or_default(),
        };
        let full_at = (*bucket).max(now) + self.interval;
        if full_at - now > self.depth {
            return false;
        }
        *bucket = full_at;
        true
    }

    /// Forgets the buckets that are full.
    fn sweep(&mut self, now: Duration) {
        if now >= self.swept_at + SWEEP {
            self.full_at.retain(|_, full_at| now < *full_at);
            self.swept_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::ip;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(10_000 + milliseconds)
    }

    /// How many of `asked` requests at one moment are let through.
    fn passed(limiter: &mut RateLimiter, address: &str, now: Duration, asked: usize) -> usize {
        let all = 0..asked;
        all.filter(|_| limiter.allows(ip(address), now)).count()
    }

    #[test]
    fn two_seconds_worth_at_once_and_then_steadily() {
        let mut limiter = RateLimiter::new(10).unwrap();
        assert_eq!(passed(&mut limiter, "10.0.0.1", at(0), 100), 20);
        assert_eq!(passed(&mut limiter, "10.0.0.1", at(99), 100), 0);
        assert_eq!(passed(&mut limiter, "10.0.0.1", at(100), 100), 1);
        assert_eq!(passed(&mut limiter, "10.0.0.1", at(600), 100), 5);
        assert_eq!(passed(&mut limiter, "10.0.0.1", at(60_000), 100), 20);
    }

    #[test]
    fn one_address_takes_nothing_from_another() {
        let mut limiter = RateLimiter::new(10).unwrap();
        assert_eq!(passed(&mut limiter, "10.0.0.1", at(0), 100), 20);
        assert_eq!(passed(&mut limiter, "10.0.0.2", at(0), 100), 20);
    }

    #[test]
    fn no_limit() {
        assert!(RateLimiter::new(0).is_none());
        let mut fastest = RateLimiter::new(u32::MAX).unwrap();
        assert_eq!(passed(&mut fastest, "10.0.0.1", at(0), 1000), 1000);
        let mut slowest = RateLimiter::new(1).unwrap();
        assert_eq!(passed(&mut slowest, "10.0.0.1", at(0), 10), 2);
    }

    /// Unknown sources cannot take more memory than the places there are, nor
    /// go round the limit, nor keep a place for ever.
    #[test]
    fn places_are_bounded() {
        let mut limiter = RateLimiter::new(10).unwrap();
        let source = |n: usize| IpAddr::from([10, 1, (n >> 8) as u8, n as u8]);
        for n in 0..RateLimiter::PLACES {
            assert!(limiter.allows(source(n), at(0)));
        }
        let late: usize = (RateLimiter::PLACES..3 * RateLimiter::PLACES)
            .filter(|n| limiter.allows(source(*n), at(0)))
            .count();
        assert_eq!(limiter.full_at.len(), RateLimiter::PLACES);
        assert_eq!(late, 20, "those without a place share one bucket");
        assert!(limiter.allows(source(3 * RateLimiter::PLACES), at(5_000)));
        assert_eq!(limiter.full_at.len(), 1, "full buckets are forgotten");
    }
}
