//! The long-running loop: changes, resyncs, requeues, backoff, terms.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{GRACE_AT_THE_END, Pass, RunLoop, jitter, rights};
use crate::Controller;
use crate::lease::{Election, Term};
use crate::pace::{Next, Pace};

impl<C: Controller> RunLoop<C> {
    /// Runs until `SIGTERM`: whenever this replica leads, and within a term as
    /// [`Pace`] says.
    pub(super) async fn serve(self, mut election: Election, resync: Duration) {
        let settled = self.ready_when_settled();
        tokio::select! {
            () = self.watches.ready() => {}
            () = self.shutdown.cancelled() => {}
        }
        while !self.shutdown.is_cancelled() {
            // A replica that stands by has nothing to reconcile and is ready to take over.
            let standby = || settled.store(true, Ordering::Relaxed);
            let term = tokio::select! {
                term = election.term(standby) => term,
                () = self.shutdown.cancelled() => break,
            };
            self.lead(&term, Pace::new(resync), &settled).await;
        }
        tokio::join!(
            election.release(GRACE_AT_THE_END),
            self.events.flush(GRACE_AT_THE_END),
        );
    }

    /// One term. It begins with a full run, whatever was known before it.
    async fn lead(&self, term: &Term, mut pace: Pace, settled: &AtomicBool) {
        self.leads(true);
        let mut pass = Pass::First;
        while term.holds() && !self.shutdown.is_cancelled() {
            // What asked for a run until now is seen by the one that begins.
            self.trigger.clear();
            let Some(ended) = self.reconcile(term, pass).await else {
                break;
            };
            settled.store(true, Ordering::Relaxed);
            let next = pace.after(&ended, pass != Pass::Change, Instant::now(), jitter());
            tokio::select! {
                () = self.shutdown.cancelled() => break,
                () = term.ended() => break,
                is_full = self.wait(next) => pass = Pass::again(is_full),
            }
        }
        self.leads(false);
    }

    /// Waits for the next run. Whether it reads everything anew.
    async fn wait(&self, next: Next) -> bool {
        let changed = async {
            sleep_until(next.changes_from).await;
            self.trigger.debounced().await;
        };
        tokio::select! {
            () = sleep_until(next.at) => next.full,
            () = changed => next.changes_full,
        }
    }

    fn ready_when_settled(&self) -> Arc<AtomicBool> {
        let settled = Arc::new(AtomicBool::new(false));
        self.admin.ready_when({
            let (settled, metrics) = (settled.clone(), self.metrics.clone());
            move || match settled.load(Ordering::Relaxed) {
                true => Ok(()),
                false => {
                    let waits = "the first reconcile has not ended".to_owned();
                    Err(rights::missing(&metrics)
                        .map_or(waits.clone(), |why| format!("{waits}: {why}")))
                }
            }
        });
        settled
    }
}
