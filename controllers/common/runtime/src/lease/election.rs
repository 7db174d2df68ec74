//! The election: attempts, terms, fencing, release.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::state::{Candidate, Move, Timing};
use super::term::Term;
use super::{LeaseApi, LeaseError, LeaseRecord};

/// How this replica stands.
#[derive(Clone, Debug)]
enum Standing {
    /// The Lease was not read yet.
    Unknown,
    /// Another one holds it.
    Standby,
    Leading(Term),
}

/// An election that goes on in the background until [`Election::release`].
#[derive(Debug)]
pub(crate) struct Election {
    standing: watch::Receiver<Standing>,
    leave: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Election {
    /// Stands for election with client-go's timing.
    pub(crate) fn start(api: impl LeaseApi, identity: String) -> Self {
        Self::with_timing(api, identity, Timing::default())
    }

    pub(crate) fn with_timing(api: impl LeaseApi, identity: String, timing: Timing) -> Self {
        let (sender, standing) = watch::channel(Standing::Unknown);
        let leave = CancellationToken::new();
        let campaign = Campaign {
            api,
            candidate: Candidate::new(identity, timing),
            sender,
            term: None,
            complaint: None,
        };
        let task = tokio::spawn(campaign.run(leave.clone()));
        Self {
            standing,
            leave,
            task: Some(task),
        }
    }

    /// No election: one term that does not end.
    pub(crate) fn unopposed() -> Self {
        let (_, standing) = watch::channel(Standing::Leading(Term::endless()));
        Self {
            standing,
            leave: CancellationToken::new(),
            task: None,
        }
    }

    /// Waits until this replica leads. Calls `standby` whenever it turns out that another one does.
    pub(crate) async fn term(&mut self, standby: impl Fn()) -> Term {
        loop {
            let standing = self.standing.borrow_and_update().clone();
            match standing {
                Standing::Leading(term) if term.holds() => return term,
                Standing::Standby => standby(),
                Standing::Leading(_) | Standing::Unknown => {}
            }
            if self.standing.changed().await.is_err() {
                // Nobody will ever elect us; the caller waits for the shutdown too.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Stops standing and gives the lease back, so that another replica need not
    /// wait for it to lapse.
    pub(crate) async fn release(mut self, limit: Duration) {
        self.leave.cancel();
        if let Some(task) = self.task.take() {
            let _ = timeout(limit, task).await;
        }
    }
}

struct Campaign<A> {
    api: A,
    candidate: Candidate,
    sender: watch::Sender<Standing>,
    term: Option<Term>,
    /// The last trouble that was logged, so that it is logged once.
    complaint: Option<LeaseError>,
}

impl<A: LeaseApi> Campaign<A> {
    async fn run(mut self, leave: CancellationToken) {
        let retry = self.candidate.timing().retry;
        loop {
            tokio::select! {
                () = leave.cancelled() => break,
                () = self.attempt() => {}
            }
            let now = Instant::now();
            let wake = match self.candidate.leads_until() {
                Some(until) => until.min(now + retry),
                None => now + retry,
            };
            tokio::select! {
                () = leave.cancelled() => break,
                () = sleep_until(wake) => {}
            }
        }
        self.release().await;
    }

    /// One attempt, cut off at the moment at which we may not act any more.
    async fn attempt(&mut self) {
        let deadline = self.candidate.leads_until();
        let limit =
            deadline.unwrap_or_else(|| Instant::now() + self.candidate.timing().renew_deadline);
        let tried = tokio::time::timeout_at(limit, self.take_or_renew()).await;
        match tried {
            Ok(Ok(())) => {
                self.complaint = None;
                if self.candidate.leads_until().is_none() && self.term.is_none() {
                    self.sender.send_replace(Standing::Standby);
                }
            }
            Ok(Err(error)) => self.complain(error),
            Err(_) => self.complain(LeaseError::Failed("no answer in time".to_owned())),
        }
        if self
            .candidate
            .leads_until()
            .is_some_and(|until| Instant::now() >= until)
        {
            tracing::error!("the lease could not be renewed in time; this replica stops acting");
            self.candidate.fence();
        }
        self.publish();
    }

    async fn take_or_renew(&mut self) -> Result<(), LeaseError> {
        let request = self.candidate.timing().request;
        let late = |_| LeaseError::Failed("the API server did not answer in time".to_owned());
        let found = timeout(request, self.api.get()).await.map_err(late)??;
        let now = Timestamp::now();
        let sent = Instant::now();
        let mut ours = LeaseRecord {
            holder: self.candidate.identity().to_owned(),
            duration: Some(self.candidate.timing().lease),
            acquired: Some(now),
            renewed: Some(now),
            ..LeaseRecord::default()
        };
        let written = match (self.candidate.observe(found.as_ref(), sent), found) {
            (Move::Wait, _) => return Ok(()),
            (Move::Create, _) | (_, None) => timeout(request, self.api.create(ours)).await,
            (Move::Renew, Some(found)) => {
                ours.acquired = found.acquired;
                ours.transitions = found.transitions;
                ours.version = found.version;
                timeout(request, self.api.replace(ours)).await
            }
            (Move::Take, Some(found)) => {
                ours.transitions = found.transitions.saturating_add(1);
                ours.version = found.version;
                timeout(request, self.api.replace(ours)).await
            }
        };
        let written = written.map_err(late)??;
        self.candidate.wrote(written, sent);
        Ok(())
    }

    /// Makes terms begin and end as the candidate says.
    fn publish(&mut self) {
        match (self.candidate.leads_until(), &self.term) {
            (Some(until), Some(term)) => term.extend(until),
            (Some(until), None) => {
                tracing::info!(identity = self.candidate.identity(), "leading");
                let term = Term::new(until);
                self.term = Some(term.clone());
                self.sender.send_replace(Standing::Leading(term));
            }
            (None, Some(term)) => {
                tracing::warn!("no longer leading");
                term.end();
                self.term = None;
                self.sender.send_replace(Standing::Standby);
            }
            (None, None) => {}
        }
    }

    fn complain(&mut self, error: LeaseError) {
        if error == LeaseError::Conflict {
            tracing::debug!("lease: {error}");
        } else if self.complaint.as_ref() != Some(&error) {
            tracing::warn!("lease: {error}");
        }
        self.complaint = Some(error);
    }

    /// Ends the term and empties the holder, if the Lease is still ours.
    async fn release(self) {
        if let Some(term) = &self.term {
            term.end();
        }
        if !self.candidate.saw_itself() {
            return;
        }
        let Ok(Some(found)) = self.api.get().await else {
            return;
        };
        if found.holder != self.candidate.identity() {
            return;
        }
        let free = LeaseRecord {
            holder: String::new(),
            duration: Some(Duration::from_secs(1)),
            renewed: Some(Timestamp::now()),
            ..found
        };
        match self.api.replace(free).await {
            Ok(_) => tracing::info!("lease released"),
            Err(error) => tracing::warn!("lease not released: {error}"),
        }
    }
}

#[cfg(test)]
mod tests;
