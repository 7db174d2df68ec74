//! Waiting for a kind to come.

use std::time::Duration;

use kube::runtime::utils::Backoff;

/// Grows from under a second to a few: a kind that comes is soon noticed.
#[derive(Debug)]
pub(super) struct Soon(Duration);

const FIRST: Duration = Duration::from_millis(800);
const LONGEST: Duration = Duration::from_secs(5);

impl Default for Soon {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Iterator for Soon {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let now = self.0;
        self.0 = (now * 2).min(LONGEST);
        Some(now)
    }
}

impl Backoff for Soon {
    fn reset(&mut self) {
        self.0 = FIRST;
    }
}
