//! `--pod-request-rate`: the core's buckets, on this process's clock.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use metadata_proxy_core::RateLimiter;

/// How often one address may ask.
#[derive(Debug)]
pub(crate) struct RequestLimit {
    /// None: as often as it likes.
    limiter: Option<Mutex<RateLimiter>>,
    start: Instant,
}

impl RequestLimit {
    /// That many requests a second; 0 for no limit.
    pub(crate) fn new(per_second: u32) -> Self {
        Self {
            limiter: RateLimiter::new(per_second).map(Mutex::new),
            start: Instant::now(),
        }
    }

    /// Counts a request and says whether it is answered.
    pub(crate) fn allows(&self, address: IpAddr) -> bool {
        let Some(limiter) = &self.limiter else {
            return true;
        };
        let mut limiter = limiter.lock().unwrap_or_else(PoisonError::into_inner);
        limiter.allows(address, self.start.elapsed())
    }
}
