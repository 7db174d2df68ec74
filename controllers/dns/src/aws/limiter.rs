//! One limiter for all calls to Route 53.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::config::Rate;

/// The first pause after a refusal; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The share of the rate that is used before it is known that more is free. The
/// account's five calls a second are everybody's: of four calls a second that
/// is not quite one, so that a few controllers that know nothing of each other fit.
const FAIR_SHARE: f64 = 0.2;
/// As long as no more calls than this were taken in a row, the rate stays.
const SHORT_WORK: u32 = 30;
/// Then it grows by a part of the whole rate, each time after so many calls.
const GROWS_AFTER: u32 = 5;
const GROWS_BY: f64 = 0.025;
/// Throttling halves the rate, down to this part of the whole.
const LEAST_SHARE: f64 = 0.05;
/// A rest after which the account counts as everybody's again.
const REST: Duration = Duration::from_secs(30);

/// Spaces calls evenly, without bursts, since others in the account call Route
/// 53 too. It begins with a fair share of the rate, takes more while there is
/// long work and nobody objects, and gives way by half and by a pause when AWS
/// asks for fewer calls (additive increase, multiplicative decrease).
pub(crate) struct Limiter {
    most: f64,
    pace: Mutex<Pace>,
}

struct Pace {
    /// Calls a second.
    rate: f64,
    /// Calls that AWS took since the rate was last made smaller.
    taken: u32,
    /// When the next call may be made.
    next: Instant,
    /// Nobody calls before this, since AWS has asked for fewer calls.
    pause_until: Instant,
    next_pause: Duration,
}

impl Limiter {
    pub(crate) fn new(rate: Rate) -> Self {
        let most = f64::from(rate.0.get()) / 1000.0;
        let now = Instant::now();
        Self {
            most,
            pace: Mutex::new(Pace {
                rate: most * FAIR_SHARE,
                taken: 0,
                next: now,
                pause_until: now,
                next_pause: FIRST_PAUSE,
            }),
        }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a call may be made.
    pub(crate) async fn turn(&self) {
        let mut turn = self.pace().reserve(self.most);
        loop {
            sleep_until(turn).await;
            let pause_until = self.pace().pause_until;
            if pause_until <= Instant::now() {
                return;
            }
            turn = pause_until;
        }
    }

    /// AWS has refused a call because there were too many: nobody calls for a
    /// while, and then half as often.
    pub(crate) fn throttled(&self) {
        // Half of it at random, so that several controllers do not come back at once.
        let jitter = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0) % 1000;
        let mut pace = self.pace();
        let wait = pace.next_pause.mul_f64(0.75 + jitter as f64 / 2000.0);
        pace.pause_until = Instant::now() + wait;
        pace.next_pause = (pace.next_pause * 2).min(LONGEST_PAUSE);
        pace.rate = (pace.rate / 2.0).max(self.most * LEAST_SHARE);
        pace.taken = 0;
        tracing::warn!(?wait, "Route 53 asks for fewer calls");
    }

    /// AWS has taken a call.
    pub(crate) fn went_through(&self) {
        let mut pace = self.pace();
        pace.next_pause = FIRST_PAUSE;
        pace.taken = pace.taken.saturating_add(1);
        if pace.taken > SHORT_WORK && pace.taken.is_multiple_of(GROWS_AFTER) {
            pace.rate = (pace.rate + self.most * GROWS_BY).min(self.most);
        }
    }
}

impl Pace {
    /// The moment of the next call, which then belongs to the caller.
    fn reserve(&mut self, most: f64) -> Instant {
        let now = Instant::now();
        if now > self.next + REST {
            self.rate = most * FAIR_SHARE;
            self.taken = 0;
        }
        let turn = self.next.max(now);
        self.next = turn + Duration::from_secs_f64(1.0 / self.rate);
        turn
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use tokio::time::sleep;

    use super::*;

    fn limiter(rate: u32) -> Limiter {
        Limiter::new(Rate(NonZeroU32::new(rate).unwrap()))
    }

    /// The times of calls that AWS takes, in milliseconds from now.
    async fn calls(limiter: &Limiter, count: usize) -> Vec<u128> {
        let start = Instant::now();
        let mut times = Vec::new();
        for _ in 0..count {
            limiter.turn().await;
            limiter.went_through();
            times.push(start.elapsed().as_millis());
        }
        times
    }

    #[tokio::test(start_paused = true)]
    async fn calls_are_spaced_and_never_come_in_bursts() {
        let limiter = limiter(20_000);
        sleep(Duration::from_secs(60)).await;
        let times = calls(&limiter, 5).await;
        let near = |(found, wanted): (&u128, u128)| found.abs_diff(wanted) <= 5;
        let wanted = [0, 250, 500, 750, 1000];
        assert!(times.iter().zip(wanted).all(near), "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn three_that_know_nothing_of_each_other_stay_below_five_a_second() {
        let limiters = [limiter(4000), limiter(4000), limiter(4000)];
        let mut times = Vec::new();
        let all = limiters.iter().map(|limiter| calls(limiter, 30));
        for of_one in futures::future::join_all(all).await {
            times.extend(of_one);
        }
        times.sort_unstable();
        let most = times.iter().map(|from| {
            let second = times.iter().filter(|at| (*from..from + 1000).contains(at));
            second.count()
        });
        assert!(most.max().is_some_and(|most| most <= 5), "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn long_work_takes_more_up_to_the_rate_and_a_rest_gives_it_back() {
        let limiter = limiter(4000);
        let times = calls(&limiter, 400).await;
        let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps[..29].iter().all(|gap| *gap >= 999), "{gaps:?}");
        assert!(gaps.iter().all(|gap| *gap >= 249), "never above the rate");
        assert!(*gaps.last().unwrap() <= 251, "{gaps:?}");
        sleep(Duration::from_secs(60)).await;
        let times = calls(&limiter, 2).await;
        assert!(times[1] >= 999, "{times:?}");
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

    #[tokio::test(start_paused = true)]
    async fn a_refusal_halves_the_rate() {
        let limiter = limiter(4000);
        limiter.throttled();
        sleep(Duration::from_secs(2)).await;
        let times = calls(&limiter, 3).await;
        assert!(times[2] - times[1] >= 1999, "{times:?}");
    }
}
