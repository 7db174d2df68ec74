//! The credentials that are held: one call of STS for any number who wait.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use isthmus_core::ErrorClass;
use jiff::Timestamp;
use metadata_proxy_core::{
    CachePolicy, Grant, Identity, Prepared, Refusal, Slot, Supply, whole_seconds,
};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::aws::{CredentialSource, SourceError};
use crate::directory::SharedDirectory;
use crate::metrics::{ProxyMetrics, Supplied};

/// Calls of STS at once: a node that starts 200 pods does not send 200.
const CALLS_AT_ONCE: usize = 16;
/// How often credentials are looked after although no pod changed.
const TEND_EVERY: Duration = Duration::from_secs(1);
/// Changes that come together are taken together.
const TEND_PAUSE: Duration = Duration::from_millis(20);

/// Told when STS does not give what a pod should have.
pub(crate) type OnFailure = dyn Fn(&Grant, &SourceError) + Send + Sync;

/// The credentials of this node's pods. Nothing of it is ever written down.
pub(crate) struct CredentialStore {
    held: Mutex<BTreeMap<Arc<Grant>, Held>>,
    source: Box<dyn CredentialSource>,
    policy: CachePolicy,
    metrics: ProxyMetrics,
    on_failure: Box<OnFailure>,
    permits: Semaphore,
    flights: TaskTracker,
    /// Where STS is asked: not on the thread that answers pods.
    runtime: Handle,
    shutdown: CancellationToken,
}

#[derive(Default)]
struct Held {
    slot: Slot,
    /// The call that is under way: the channel closes when it has ended.
    flight: Option<watch::Receiver<()>>,
    /// Whether somebody has asked, and not only the prefetch.
    asked: bool,
    /// What was said last of a token that cannot be had.
    said: Option<String>,
}

impl fmt::Debug for CredentialStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialStore").finish_non_exhaustive()
    }
}

impl CredentialStore {
    /// After `shutdown` no call of STS begins. They are made on the caller's runtime.
    pub(crate) fn new(
        source: Box<dyn CredentialSource>,
        policy: CachePolicy,
        metrics: ProxyMetrics,
        on_failure: Box<OnFailure>,
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            held: Mutex::default(),
            source,
            policy,
            metrics,
            on_failure,
            permits: Semaphore::new(CALLS_AT_ONCE),
            flights: TaskTracker::new(),
            runtime: Handle::current(),
            shutdown,
        })
    }

    /// The credentials of a grant, or why there are none by `deadline`. A call
    /// of STS that takes longer goes on for those who ask later.
    pub(crate) async fn get(
        self: &Arc<Self>,
        grant: &Arc<Grant>,
        deadline: Instant,
    ) -> Result<Prepared, Refusal> {
        let mut flight = {
            let mut held = self.held();
            let entry = held.entry(grant.clone()).or_default();
            entry.asked = true;
            match entry.slot.supply(Timestamp::now()) {
                Supply::Serve(prepared) => return Ok(self.supplied(Supplied::Hit, prepared)),
                Supply::Renew(prepared) => {
                    self.fly(grant, entry);
                    return Ok(self.supplied(Supplied::Hit, prepared));
                }
                Supply::Refuse(refusal) => {
                    self.metrics.supplied(Supplied::Refused);
                    return Err(refusal);
                }
                Supply::Fetch(_) => self.fly(grant, entry),
            }
        };
        // An error means that the call has ended, which is what is waited for.
        let ended = tokio::time::timeout_at(deadline, flight.changed())
            .await
            .is_ok();
        let settled = self
            .held()
            .get(grant)
            .map(|held| held.slot.settle(Timestamp::now()));
        let settled = settled.unwrap_or(Err(Refusal::StsUnavailable));
        self.metrics.supplied(match (&settled, ended) {
            (Ok(_), true) => Supplied::Fetched,
            (Ok(_), false) => Supplied::Stale,
            (Err(_), true) => Supplied::Refused,
            (Err(_), false) => Supplied::Late,
        });
        settled
    }

    /// Brings what is held in line with what the living pods may have: asks for
    /// what is missing (if `prefetch`) or due, and forgets what nobody may have any more.
    /// `grants` looks at the directory once nobody can ask: a pod that has just
    /// asked is in it.
    pub(crate) fn tend(self: &Arc<Self>, grants: impl FnOnce() -> Vec<Arc<Grant>>, prefetch: bool) {
        let now = Timestamp::now();
        let mut held = self.held();
        let grants = grants();
        for grant in &grants {
            let prefetch = prefetch && !waits_for_token(grant);
            if prefetch && !held.contains_key(grant) {
                held.insert(grant.clone(), Held::default());
            }
            if let Some(entry) = held.get_mut(grant) {
                match entry.slot.supply(now) {
                    Supply::Serve(_) | Supply::Refuse(_) => {}
                    Supply::Fetch(None) if !prefetch || entry.slot.just_missed(now) => {}
                    Supply::Renew(_) | Supply::Fetch(_) => drop(self.fly(grant, entry)),
                }
            }
        }
        let wanted: BTreeSet<&Arc<Grant>> = grants.iter().collect();
        held.retain(|grant, _| wanted.contains(grant));
        let lives = |held: &&Held| held.slot.expires().is_some_and(|at| now < at);
        self.metrics.held(held.values().filter(lives).count());
        if held.values().all(|held| held.slot.failed().is_none()) {
            self.metrics.all_well();
        }
    }

    /// Tends the credentials of living pods until `shutdown`.
    pub(crate) async fn keep(self: Arc<Self>, directory: SharedDirectory, prefetch: bool) {
        let mut changes = directory.changes();
        loop {
            self.tend(|| directory.grants(Timestamp::now()), prefetch);
            self.metrics
                .pods(directory.look(|directory| directory.pods.pods().count()));
            tokio::select! {
                _ = changes.changed() => tokio::time::sleep(TEND_PAUSE).await,
                () = tokio::time::sleep(TEND_EVERY) => {}
                () = self.shutdown.cancelled() => return,
            }
        }
    }

    /// What is held, for the admin page: the grant, when it expires, what failed last.
    pub(crate) fn overview(&self) -> Vec<(Arc<Grant>, Option<Timestamp>, Option<ErrorClass>)> {
        let held = self.held();
        let row = |(grant, held): (&Arc<Grant>, &Held)| {
            (grant.clone(), held.slot.expires(), held.slot.failed())
        };
        held.iter().map(row).collect()
    }

    /// Waits for the calls that are under way.
    pub(crate) async fn drain(&self) {
        self.flights.close();
        self.flights.wait().await;
    }

    /// The call under way for this grant, begun if there is none.
    fn fly(self: &Arc<Self>, grant: &Arc<Grant>, entry: &mut Held) -> watch::Receiver<()> {
        // A channel that is closed is of a call that has ended.
        if let Some(flight) = entry
            .flight
            .as_ref()
            .filter(|flight| flight.has_changed().is_ok())
        {
            return flight.clone();
        }
        let (landed, flight) = watch::channel(());
        entry.flight = Some(flight.clone());
        let (store, grant) = (self.clone(), grant.clone());
        let call = async move {
            store.call(&grant).await;
            drop(landed);
        };
        self.flights.spawn_on(call, &self.runtime);
        flight
    }

    async fn call(&self, grant: &Arc<Grant>) {
        let Ok(_permit) = self.permits.acquire().await else {
            return;
        };
        if self.shutdown.is_cancelled() {
            return;
        }
        let given = self.source.credentials(grant.clone()).await;
        if let Err(error) = &given
            && self.is_news(grant, error)
        {
            tracing::warn!(role = %grant.role, session = grant.session_name, class = %error.class, "no credentials: {error}");
            (self.on_failure)(grant, error);
        }
        let now = Timestamp::now();
        // Forgotten meanwhile: nobody may have them any more.
        if let Some(held) = self.held().get_mut(grant) {
            match given {
                Ok(credentials) => {
                    let prepared = Prepared::new(&credentials, &grant.role, now);
                    tracing::info!(role = %grant.role, session = grant.session_name, source = grant.identity.source().as_str(), until = %whole_seconds(credentials.expires), "credentials");
                    held.slot.succeed(prepared, &self.policy, jitter(), now);
                    held.said = None;
                }
                Err(error) if error.no_token => held.slot.miss(now),
                Err(error) => held.slot.fail(error.class, &self.policy, jitter(), now),
            }
        }
    }

    /// Whether a failure is worth a word. That a token is not there is none while
    /// nobody asks, for the kubelet writes it a moment after the pod appears; and
    /// then it is once.
    fn is_news(&self, grant: &Grant, error: &SourceError) -> bool {
        if !error.no_token {
            return true;
        }
        let mut held = self.held();
        let Some(entry) = held.get_mut(grant).filter(|entry| entry.asked) else {
            return false;
        };
        entry.said.replace(error.message.clone()).as_ref() != Some(&error.message)
    }

    fn supplied(&self, how: Supplied, prepared: Prepared) -> Prepared {
        self.metrics.supplied(how);
        prepared
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<Arc<Grant>, Held>> {
        // Every change of an entry is whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing but a request of the pod brings the token.
fn waits_for_token(grant: &Grant) -> bool {
    matches!(grant.identity, Identity::Pod { token: None, .. })
}

/// From 0 to 1.
fn jitter() -> f64 {
    let random = getrandom::u32().unwrap_or_default();
    f64::from(random) / f64::from(u32::MAX)
}
