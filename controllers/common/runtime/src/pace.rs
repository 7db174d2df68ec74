//! When the next reconcile is due.

use std::time::Duration;

use isthmus_core::ErrorClass;
use tokio::time::Instant;

use crate::{Outcome, RunError};

/// Decides when to run again, from how the last runs ended. It reads no clock
/// and draws no random number.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    resync: Duration,
    resync_at: Option<Instant>,
    failed_in_a_row: u32,
}

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    /// Run then in any case.
    pub(crate) at: Instant,
    /// Whether that run reads everything anew.
    pub(crate) full: bool,
    /// A change asks for a run, but not before this.
    pub(crate) changes_from: Instant,
    /// Whether a run that a change asks for reads everything anew.
    pub(crate) changes_full: bool,
}

/// First delay and longest delay of a class. Each failure in a row doubles it.
/// What is `Invalid` waits for a change or the resync.
fn delays(class: ErrorClass) -> Option<(Duration, Duration)> {
    let seconds = Duration::from_secs;
    match class {
        ErrorClass::Invalid => None,
        ErrorClass::Denied => Some((seconds(30), seconds(600))),
        ErrorClass::Throttled => Some((seconds(10), seconds(300))),
        ErrorClass::Conflict | ErrorClass::Transient => Some((seconds(2), seconds(60))),
    }
}

impl Pace {
    pub(crate) fn new(resync: Duration) -> Self {
        Self {
            resync,
            resync_at: None,
            failed_in_a_row: 0,
        }
    }

    /// Decides after a run. `jitter` is between 0 and 1 and moves resyncs by a
    /// tenth and backoffs by up to a fifth, so that replicas and clusters do not
    /// march in step.
    pub(crate) fn after(
        &mut self,
        ended: &Result<Outcome, RunError>,
        was_full: bool,
        now: Instant,
        jitter: f64,
    ) -> Next {
        let resync_at = match self.resync_at {
            Some(at) if !was_full => at,
            _ => now + self.resync.mul_f64(0.9 + 0.2 * jitter),
        };
        self.resync_at = Some(resync_at);
        let (classes, requeue): (Vec<ErrorClass>, _) = match ended {
            Ok(outcome) => (
                outcome
                    .failures
                    .iter()
                    .map(|failure| failure.class)
                    .collect(),
                outcome.requeue,
            ),
            Err(error) => (vec![error.class], None),
        };
        let failed = !classes.is_empty();
        // Where access is denied nothing has changed: what is known still holds.
        let in_doubt = classes.iter().any(|class| *class != ErrorClass::Denied);
        self.failed_in_a_row = if failed {
            self.failed_in_a_row.saturating_add(1)
        } else {
            0
        };
        let backoff = self
            .backoff(&classes)
            .map(|delay| now + delay.mul_f64(1.0 + 0.2 * jitter));

        // After throttling, or when nothing could be done, a change must not
        // shorten the wait: a steady stream of changes would undo the backoff.
        let hold = ended.is_err() || classes.contains(&ErrorClass::Throttled);
        let changes_from = backoff.filter(|_| hold).unwrap_or(now);
        let requeue = requeue.map(|delay| (now + delay).max(changes_from));
        let (at, full) = [
            Some((resync_at, true)),
            backoff.map(|at| (at, true)),
            requeue.map(|at| (at, in_doubt)),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|(at, _)| *at)
        .unwrap_or((resync_at, true));
        Next {
            at: at.max(changes_from),
            full,
            changes_from,
            changes_full: in_doubt,
        }
    }

    /// The shortest delay of the classes, except that throttling is always waited for.
    fn backoff(&self, classes: &[ErrorClass]) -> Option<Duration> {
        let delay = |class: &ErrorClass| {
            let (first, longest) = delays(*class)?;
            let doublings = self.failed_in_a_row.saturating_sub(1).min(16);
            Some(first.saturating_mul(1 << doublings).min(longest))
        };
        if classes.contains(&ErrorClass::Throttled) {
            return delay(&ErrorClass::Throttled);
        }
        classes.iter().filter_map(delay).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Failure;

    const HOUR: Duration = Duration::from_secs(3600);

    fn well(requeue: Option<u64>) -> Result<Outcome, RunError> {
        Ok(Outcome {
            requeue: requeue.map(Duration::from_secs),
            failures: vec![],
        })
    }

    fn partly(classes: &[ErrorClass]) -> Result<Outcome, RunError> {
        let failure = |class: &ErrorClass| Failure {
            step: "apply",
            class: *class,
            message: String::new(),
        };
        Ok(Outcome {
            requeue: None,
            failures: classes.iter().map(failure).collect(),
        })
    }

    fn broken(class: ErrorClass) -> Result<Outcome, RunError> {
        Err(RunError::new("observe", class, "x"))
    }

    fn after(pace: &mut Pace, ended: &Result<Outcome, RunError>) -> (u64, bool, u64) {
        let now = Instant::now();
        let next = pace.after(ended, true, now, 0.0);
        (
            (next.at - now).as_secs(),
            next.full,
            (next.changes_from - now).as_secs(),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_good_run_waits_for_changes_or_the_resync() {
        let mut pace = Pace::new(HOUR);
        assert_eq!(after(&mut pace, &well(None)), (3240, true, 0));
        assert_eq!(after(&mut pace, &well(Some(15))), (15, false, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn each_class_has_its_delay_and_doubles_it() {
        for (class, seconds) in [
            (ErrorClass::Transient, [2, 4, 8, 16, 32, 60, 60]),
            (ErrorClass::Conflict, [2, 4, 8, 16, 32, 60, 60]),
            (ErrorClass::Throttled, [10, 20, 40, 80, 160, 300, 300]),
            (ErrorClass::Denied, [30, 60, 120, 240, 480, 600, 600]),
            (ErrorClass::Invalid, [3240; 7]),
        ] {
            let mut pace = Pace::new(HOUR);
            for expected in seconds {
                let (at, full, _) = after(&mut pace, &partly(&[class]));
                assert_eq!((at, full), (expected, true), "{class}");
            }
            after(&mut pace, &well(None));
            assert_eq!(after(&mut pace, &partly(&[class])).0, seconds[0], "{class}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_go_on_goes_on() {
        let mut pace = Pace::new(HOUR);
        let one_bad_object = partly(&[ErrorClass::Denied, ErrorClass::Conflict]);
        assert_eq!(after(&mut pace, &one_bad_object), (2, true, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn denied_access_leaves_what_is_known_in_no_doubt() {
        for (class, in_doubt) in [
            (ErrorClass::Denied, false),
            (ErrorClass::Invalid, true),
            (ErrorClass::Transient, true),
        ] {
            let next = Pace::new(HOUR).after(&partly(&[class]), true, Instant::now(), 0.0);
            assert_eq!(next.changes_full, in_doubt, "{class}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn changes_wait_after_throttling_and_after_a_broken_run() {
        let mut pace = Pace::new(HOUR);
        let throttled = partly(&[ErrorClass::Transient, ErrorClass::Throttled]);
        assert_eq!(after(&mut pace, &throttled), (10, true, 10));
        let mut pace = Pace::new(HOUR);
        assert_eq!(
            after(&mut pace, &broken(ErrorClass::Transient)),
            (2, true, 2)
        );
        assert_eq!(
            after(&mut pace, &broken(ErrorClass::Invalid)),
            (3240, true, 0)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn runs_for_changes_do_not_put_the_resync_off() {
        let mut pace = Pace::new(HOUR);
        let start = Instant::now();
        pace.after(&well(None), true, start, 0.5);
        let later = start + Duration::from_secs(1800);
        let next = pace.after(&well(None), false, later, 0.5);
        assert_eq!(next.at, start + HOUR);
        assert!(next.full && !next.changes_full);
        let again = pace.after(&well(None), true, start + HOUR, 0.5);
        assert_eq!(again.at, start + HOUR + HOUR);
    }
}
