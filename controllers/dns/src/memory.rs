//! What one run leaves to the next.

use std::collections::BTreeSet;
use std::time::Duration;

use dns_core::{Decision, Grace, Quarantine, ZoneId, reason};
use isthmus_core::ErrorClass;
use isthmus_runtime::Failure;

use crate::apply::Applied;
use crate::capacity::Capacity;
use crate::observe::Reading;

/// A zone that denies access is tried again no sooner than this, however much
/// changes in the cluster meanwhile.
const PATIENCE_WHEN_DENIED: Duration = Duration::from_secs(25);

/// How soon after the last list the zones are listed again for a host without a
/// zone, when something changes in the cluster and when nothing does.
const NEXT_LIST: Duration = Duration::from_secs(20);
const IDLE_LIST: Duration = Duration::from_secs(300);

/// Whether a host has no zone.
pub(crate) fn lacks_zone(decision: &Decision) -> bool {
    let mut rejections = decision.rejections.iter();
    rejections.any(|rejection| rejection.reason == reason::NO_HOSTED_ZONE)
}

/// What one run leaves to the next.
pub(crate) struct Memory {
    /// What Route 53 had after the last run; `None` if nothing of it is certain.
    pub(crate) reading: Option<Reading>,
    /// The zones in it of which it is not known what became of the last change.
    in_doubt: BTreeSet<ZoneId>,
    /// When everything was read.
    read_at: Duration,
    /// When zones were last tried that could not be read.
    tried_at: Duration,
    /// When the zones were last listed.
    listed_at: Duration,
    /// The zones in which every change was denied when it was last tried.
    pub(crate) denied: BTreeSet<ZoneId>,
    pub(crate) grace: Grace,
    pub(crate) quarantine: Quarantine,
    pub(crate) capacity: Capacity,
    /// The last plan that was reported.
    pub(crate) reported: String,
    /// Why sources could not be asked, as it was last said.
    pub(crate) absences: Vec<Failure>,
}

impl Memory {
    pub(crate) fn new(empty_target_grace: Duration) -> Self {
        Self {
            reading: None,
            in_doubt: BTreeSet::new(),
            read_at: Duration::ZERO,
            tried_at: Duration::ZERO,
            listed_at: Duration::ZERO,
            denied: BTreeSet::new(),
            grace: Grace::new(empty_target_grace),
            quarantine: Quarantine::default(),
            capacity: Capacity::default(),
            reported: String::new(),
            absences: Vec::new(),
        }
    }

    /// Takes what is known, if it still counts: it is not older than `resync`
    /// (a bit less, since resyncs come a tenth early), and `first` does not say
    /// that somebody else may have acted.
    pub(crate) fn take(&mut self, first: bool, resync: Duration, now: Duration) -> Option<Reading> {
        let reading = self.reading.take()?;
        let old = now >= self.read_at + resync.mul_f64(0.85);
        (!first && !old).then_some(reading)
    }

    /// Everything was read just now.
    pub(crate) fn read(&mut self, now: Duration) {
        (self.read_at, self.tried_at, self.listed_at) = (now, now, now);
        self.in_doubt.clear();
        self.capacity.forget();
    }

    /// The zones that have to be read as a whole now: those in doubt, and those
    /// that denied access when their time has come.
    pub(crate) fn due(&mut self, reading: &Reading, now: Duration) -> BTreeSet<ZoneId> {
        let mut due = std::mem::take(&mut self.in_doubt);
        if now >= self.tried_at + PATIENCE_WHEN_DENIED {
            due.extend(reading.failures.keys().cloned());
        } else {
            let soon = |failure: &&Failure| failure.class != ErrorClass::Denied;
            let failed = reading.failures.iter();
            due.extend(failed.filter(|(_, f)| soon(f)).map(|(id, _)| id.clone()));
        }
        if !due.is_empty() {
            self.tried_at = now;
        }
        due
    }

    /// Whether it is time to look for a zone of a host that has none.
    pub(crate) fn may_list(&mut self, now: Duration) -> bool {
        let may = now >= self.listed_at + NEXT_LIST;
        if may {
            self.listed_at = now;
        }
        may
    }

    /// The time until hosts without a zone are looked at again, if there are any.
    pub(crate) fn until_list(&self, decision: &Decision, now: Duration) -> Option<Duration> {
        lacks_zone(decision).then(|| (self.listed_at + IDLE_LIST).saturating_sub(now))
    }

    /// Notes what was carried out, in `reading` too.
    pub(crate) fn note(&mut self, reading: &mut Reading, applied: &Applied) {
        for batch in &applied.accepted {
            self.quarantine.accept(batch);
            self.denied.remove(&batch.zone);
            let zone = reading.observed.records.get_mut(&batch.zone);
            if let Some(zone) = zone {
                zone.carry_out(batch);
            }
        }
        for (error, batch) in &applied.failed {
            if error.class == ErrorClass::Denied {
                self.denied.insert(batch.zone.clone());
            } else {
                self.in_doubt.insert(batch.zone.clone());
            }
        }
    }

    /// Keeps a reading for the next run, but not the records of zones in which
    /// there is nothing to look after.
    pub(crate) fn keep(&mut self, mut reading: Reading, after: &Decision) {
        for id in &after.idle {
            if let Some(zone) = reading.observed.records.get_mut(id) {
                zone.forget();
            }
        }
        self.reading = Some(reading);
    }
}
