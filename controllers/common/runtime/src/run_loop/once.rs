//! `--once`: to the end, and out.

use std::process::ExitCode;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{GRACE_AT_THE_END, Pass, RunLoop};
use crate::lease::Election;
use crate::{Controller, StartError};

/// How long the first lists may take. A long-running controller waits for ever
/// and is not ready; this one has to come to an end.
const FIRST_LISTS: Duration = Duration::from_secs(30);

/// How long the Events of a single run may take at its end.
const LAST_EVENTS: Duration = Duration::from_secs(60);

impl<C: Controller> RunLoop<C> {
    /// Reconciles until nothing is pending at AWS any more: waiting for that is
    /// part of the work. A dry run makes one pass, for nothing changes by it. As in
    /// the long-running loop, a pass that waits for something reads everything
    /// anew only after a failure.
    ///
    /// The last pass decides: 1 if anything failed in it, otherwise 0.
    pub(super) async fn once(self) -> Result<ExitCode, StartError> {
        let listed = tokio::select! {
            listed = timeout(FIRST_LISTS, self.watches.ready()) => listed,
            () = self.shutdown.cancelled() => return Ok(ExitCode::SUCCESS),
        };
        if listed.is_err() {
            return Err(StartError::new(format_args!(
                "no first list within {} s: {}",
                FIRST_LISTS.as_secs(),
                self.watches.missing().join("; ")
            )));
        }
        self.metrics.leader(true);
        let term = Election::unopposed().term(|| {}).await;
        let mut pass = Pass::First;
        let code = loop {
            let ended = self.reconcile(&term, pass).await;
            if self.shutdown.is_cancelled() {
                break ExitCode::SUCCESS;
            }
            let failed = !matches!(&ended, Some(Ok(outcome)) if outcome.failures.is_empty());
            pass = Pass::again(failed);
            let requeue = ended
                .and_then(Result::ok)
                .and_then(|outcome| outcome.requeue);
            let Some(delay) = requeue.filter(|_| !self.args.dry_run) else {
                break if failed {
                    ExitCode::FAILURE
                } else {
                    ExitCode::SUCCESS
                };
            };
            tracing::info!(?delay, "waiting for AWS");
            tokio::select! {
                () = sleep(delay) => {}
                () = self.shutdown.cancelled() => break ExitCode::SUCCESS,
            }
        };
        self.last_events().await;
        Ok(code)
    }

    /// Nobody is told by a later run what this one could not say: what waits is
    /// sent, however slow the API server, unless we are told to end.
    async fn last_events(&self) {
        let hurry = async {
            self.shutdown.cancelled().await;
            sleep(GRACE_AT_THE_END).await;
        };
        tokio::select! {
            () = self.events.flush(LAST_EVENTS) => {}
            () = hurry => {}
        }
    }
}
