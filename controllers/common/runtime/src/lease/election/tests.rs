use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::{advance, sleep};

use super::*;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A Lease in memory, and a network that can fail.
#[derive(Clone, Default)]
struct FakeLease {
    stored: Arc<Mutex<Option<LeaseRecord>>>,
    /// Every request fails.
    refused: Arc<AtomicBool>,
    /// No request is ever answered.
    silent: Arc<AtomicBool>,
}

impl FakeLease {
    /// The same Lease through a network of its own.
    fn elsewhere(&self) -> Self {
        Self {
            stored: self.stored.clone(),
            ..Self::default()
        }
    }

    async fn network(&self) -> Result<(), LeaseError> {
        if self.silent.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        match self.refused.load(Ordering::Relaxed) {
            true => Err(LeaseError::Failed("connection refused".to_owned())),
            false => Ok(()),
        }
    }

    fn holder(&self) -> String {
        lock(&self.stored).clone().unwrap_or_default().holder
    }

    fn write(
        &self,
        mut lease: LeaseRecord,
        based_on: Option<&str>,
    ) -> Result<LeaseRecord, LeaseError> {
        let mut stored = lock(&self.stored);
        if stored.as_ref().map(|stored| stored.version.as_str()) != based_on {
            return Err(LeaseError::Conflict);
        }
        let version: u32 = based_on.map_or(0, |version| version.parse().unwrap());
        lease.version = (version + 1).to_string();
        *stored = Some(lease.clone());
        Ok(lease)
    }
}

impl LeaseApi for FakeLease {
    async fn get(&self) -> Result<Option<LeaseRecord>, LeaseError> {
        self.network().await?;
        Ok(lock(&self.stored).clone())
    }
    async fn create(&self, lease: LeaseRecord) -> Result<LeaseRecord, LeaseError> {
        self.network().await?;
        self.write(lease, None)
    }
    async fn replace(&self, lease: LeaseRecord) -> Result<LeaseRecord, LeaseError> {
        self.network().await?;
        let version = lease.version.clone();
        self.write(lease, Some(&version))
    }
}

fn stand(lease: &FakeLease, name: &str) -> Election {
    Election::start(lease.clone(), name.to_owned())
}

async fn leads(election: &mut Election) -> bool {
    timeout(Duration::from_millis(1), election.term(|| {}))
        .await
        .is_ok()
}

const STEP: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn one_leads_and_the_other_stands_by() {
    let lease = FakeLease::default();
    let mut a = stand(&lease, "a");
    let term = a.term(|| {}).await;
    let mut b = stand(&lease.elsewhere(), "b");
    for _ in 0..120 {
        sleep(STEP).await;
        assert!(term.holds() && !leads(&mut b).await);
    }
    assert_eq!(lease.holder(), "a");
    let stood_by = AtomicBool::new(false);
    let standby = || stood_by.store(true, Ordering::Relaxed);
    let _ = timeout(STEP, b.term(standby)).await;
    assert!(stood_by.into_inner());
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_stops_before_another_begins() {
    for silent in [false, true] {
        let lease = FakeLease::default();
        let mut a = stand(&lease, "a");
        let term = a.term(|| {}).await;
        let mut b = stand(&lease.elsewhere(), "b");
        sleep(STEP * 5).await;
        let network = if silent {
            &lease.silent
        } else {
            &lease.refused
        };
        network.store(true, Ordering::Relaxed);
        let cut = Instant::now();
        term.ended().await;
        let stopped = cut.elapsed();
        assert!(stopped <= STEP * 10, "{stopped:?}");
        assert!(!term.holds() && !leads(&mut b).await);
        b.term(|| {}).await;
        let taken = cut.elapsed();
        assert!(
            taken >= stopped + STEP * 4 && taken <= STEP * 18,
            "{stopped:?} {taken:?}"
        );
        assert_eq!(lease.holder(), "b");
        assert_eq!(lock(&lease.stored).clone().unwrap().transitions, 1);

        network.store(false, Ordering::Relaxed);
        sleep(STEP * 20).await;
        assert!(
            !leads(&mut a).await,
            "the old leader comes back as a candidate"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_hiccup_shorter_than_the_deadline_does_no_harm() {
    let lease = FakeLease::default();
    let mut a = stand(&lease, "a");
    let term = a.term(|| {}).await;
    for _ in 0..5 {
        lease.refused.store(true, Ordering::Relaxed);
        sleep(STEP * 7).await;
        lease.refused.store(false, Ordering::Relaxed);
        sleep(STEP * 3).await;
        assert!(term.holds());
    }
}

#[tokio::test(start_paused = true)]
async fn a_released_lease_is_taken_at_once() {
    let lease = FakeLease::default();
    let mut a = stand(&lease, "a");
    let term = a.term(|| {}).await;
    let mut b = stand(&lease.elsewhere(), "b");
    sleep(STEP * 3).await;
    a.release(STEP).await;
    assert!(!term.holds());
    assert_eq!(lease.holder(), "");
    let start = Instant::now();
    b.term(|| {}).await;
    assert!(start.elapsed() <= STEP * 2);
}

#[tokio::test(start_paused = true)]
async fn whoever_stands_by_releases_nothing() {
    let lease = FakeLease::default();
    let mut a = stand(&lease, "a");
    a.term(|| {}).await;
    let b = stand(&lease.elsewhere(), "b");
    sleep(STEP * 3).await;
    b.release(STEP).await;
    assert_eq!(lease.holder(), "a");
}

#[tokio::test(start_paused = true)]
async fn no_release_waits_for_a_server_that_is_silent() {
    let lease = FakeLease::default();
    let mut a = stand(&lease, "a");
    a.term(|| {}).await;
    lease.silent.store(true, Ordering::Relaxed);
    let start = Instant::now();
    a.release(STEP * 2).await;
    assert!(start.elapsed() <= STEP * 2);
}

#[tokio::test(start_paused = true)]
async fn somebody_who_overwrites_the_lease_ends_the_term() {
    let lease = FakeLease::default();
    let mut a = stand(&lease, "a");
    let term = a.term(|| {}).await;
    let mut found = lock(&lease.stored).clone().unwrap();
    found.holder = "operator".to_owned();
    let version = found.version.clone();
    lease.write(found, Some(&version)).unwrap();
    advance(STEP * 2).await;
    sleep(STEP).await;
    assert!(!term.holds());
}

#[tokio::test(start_paused = true)]
async fn without_an_election_the_term_never_ends() {
    let mut unopposed = Election::unopposed();
    let term = unopposed.term(|| {}).await;
    sleep(STEP * 3600).await;
    assert!(term.holds());
    unopposed.release(STEP).await;
}
