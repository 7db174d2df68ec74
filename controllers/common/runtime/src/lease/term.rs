//! A time in which this replica leads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A time in which this replica leads.
#[derive(Clone, Debug)]
pub(crate) struct Term {
    ended: CancellationToken,
    /// `None`: for ever.
    until: Option<Arc<Mutex<Instant>>>,
}

impl Term {
    /// Whether it goes on. The deadline is asked too, and not only the election:
    /// a process that was stopped for a while wakes up with both in the past.
    pub(crate) fn holds(&self) -> bool {
        let in_time = self
            .until
            .as_ref()
            .is_none_or(|until| Instant::now() < *lock(until));
        in_time && !self.ended.is_cancelled()
    }

    /// One that never ends.
    pub(super) fn endless() -> Self {
        Self {
            ended: CancellationToken::new(),
            until: None,
        }
    }

    /// Waits for its end.
    pub(crate) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// One that is over at `until` unless it is extended.
    pub(super) fn new(until: Instant) -> Self {
        Self {
            ended: CancellationToken::new(),
            until: Some(Arc::new(Mutex::new(until))),
        }
    }

    pub(super) fn end(&self) {
        self.ended.cancel();
    }

    pub(super) fn extend(&self, until: Instant) {
        if let Some(mine) = &self.until {
            *lock(mine) = until;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::advance;

    const STEP: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_term_knows_its_deadline_before_the_election_says_so() {
        let term = Term::new(Instant::now() + STEP * 10);
        advance(STEP * 9).await;
        assert!(term.holds());
        term.extend(Instant::now() + STEP * 10);
        advance(STEP * 9).await;
        assert!(term.holds());
        advance(STEP).await;
        assert!(!term.holds() && !term.ended.is_cancelled());
    }
}
