//! One limiter for all calls to Route 53.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::{Instant, sleep, sleep_until};

use crate::config::Rate;

/// The first pause after a refusal; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Spaces calls evenly, without bursts, since others in the account call Route
/// 53 too, and stops for a while when AWS asks for fewer calls.
pub(crate) struct Limiter {
    bucket: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<std::time::Instant>>,
    pause: Mutex<Pause>,
}

/// The clock that `sleep` goes by.
#[derive(Clone, Debug)]
struct TokioClock;

impl Clock for TokioClock {
    type Instant = std::time::Instant;

    fn now(&self) -> Self::Instant {
        Instant::now().into_std()
    }
}

#[derive(Clone, Copy)]
struct Pause {
    until: Option<Instant>,
    next: Duration,
}

impl Limiter {
    pub(crate) fn new(rate: Rate) -> Self {
        let between = Duration::from_secs(1000) / rate.0.get();
        let quota = Quota::with_period(between)
            .unwrap_or_else(|| Quota::per_second(std::num::NonZeroU32::MIN));
        Self {
            bucket: RateLimiter::direct_with_clock(quota, TokioClock),
            pause: Mutex::new(Pause {
                until: None,
                next: FIRST_PAUSE,
            }),
        }
    }

    /// Waits until a call may be made.
    pub(crate) async fn turn(&self) {
        loop {
            let until = self
                .pause
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .until;
            if let Some(until) = until.filter(|until| *until > Instant::now()) {
                sleep_until(until).await;
                continue;
            }
            match self.bucket.check() {
                Ok(()) => return,
                Err(early) => sleep(early.wait_time_from(TokioClock.now())).await,
            }
        }
    }

    /// AWS has refused a call because there were too many: nobody calls for a while.
    pub(crate) fn throttled(&self) {
        let mut pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        // Half of it at random, so that several controllers do not come back at once.
        let jitter = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0) % 1000;
        let wait = pause.next.mul_f64(0.75 + jitter as f64 / 2000.0);
        pause.until = Some(Instant::now() + wait);
        pause.next = (pause.next * 2).min(LONGEST_PAUSE);
        tracing::warn!(?wait, "Route 53 asks for fewer calls");
    }

    /// AWS has taken a call.
    pub(crate) fn went_through(&self) {
        let mut pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        pause.next = FIRST_PAUSE;
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn limiter(rate: u32) -> Limiter {
        Limiter::new(Rate(NonZeroU32::new(rate).unwrap()))
    }

    #[tokio::test(start_paused = true)]
    async fn calls_are_spaced_and_never_come_in_bursts() {
        let limiter = limiter(4_000);
        sleep(Duration::from_secs(60)).await;
        let start = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..5 {
            limiter.turn().await;
            waits.push(start.elapsed().as_millis().div_ceil(10) * 10);
        }
        assert!(
            waits
                .iter()
                .zip([0, 250, 500, 750, 1000])
                .all(|(found, wanted)| found.abs_diff(wanted) <= 20),
            "{waits:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_stops_everybody_and_each_further_one_for_longer() {
        let limiter = limiter(50_000);
        let mut waits = Vec::new();
        for _ in 0..7 {
            limiter.throttled();
            let start = Instant::now();
            limiter.turn().await;
            waits.push(start.elapsed().as_secs_f64());
        }
        assert!(waits[0] >= 0.7 && waits[0] < 1.4, "{waits:?}");
        assert!(waits[2] > waits[0] && waits[4] > waits[2], "{waits:?}");
        assert!(waits[6] <= 38.0, "{waits:?}");
        limiter.went_through();
        limiter.throttled();
        let start = Instant::now();
        limiter.turn().await;
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "begins anew after a success"
        );
    }
}
