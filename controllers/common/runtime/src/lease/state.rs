//! Who may lead, decided from what was seen and when.
//!
//! The rules are those of client-go's [leaderelection]: times are compared only
//! on the local, monotonic clock, from when a change of the Lease was *seen*, so
//! that clocks need not agree; and a leader gives up well before others may take
//! over.
//!
//! [leaderelection]: https://pkg.go.dev/k8s.io/client-go/tools/leaderelection

use std::time::Duration;

use tokio::time::Instant;

use super::LeaseRecord;

/// The durations of an election, client-go's defaults.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// Others may take over when the Lease has not changed for this long.
    pub(crate) lease: Duration,
    /// A leader that could not renew for this long stops.
    pub(crate) renew_deadline: Duration,
    /// Between two attempts.
    pub(crate) retry: Duration,
    /// One request to the API server.
    pub(crate) request: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
            request: Duration::from_secs(5),
        }
    }
}

/// What to do with the Lease as it was just read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// There is none: make one.
    Create,
    /// It is ours: renew it.
    Renew,
    /// It is free, or its holder has let it lapse: take it.
    Take,
    /// Somebody holds it.
    Wait,
}

/// What one candidate knows.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    identity: String,
    timing: Timing,
    /// The Lease as last seen to change, and when that was seen.
    seen: Option<(LeaseRecord, Instant)>,
    /// Until when we lead, unless we renew.
    leads_until: Option<Instant>,
}

impl Candidate {
    pub(crate) fn new(identity: String, timing: Timing) -> Self {
        Self {
            identity,
            timing,
            seen: None,
            leads_until: None,
        }
    }

    /// Takes note of the Lease as read at `now`, and says what to do with it.
    pub(crate) fn observe(&mut self, lease: Option<&LeaseRecord>, now: Instant) -> Move {
        let Some(lease) = lease else {
            self.leads_until = None;
            return Move::Create;
        };
        let since = match &self.seen {
            Some((seen, since)) if seen == lease => *since,
            _ => {
                self.seen = Some((lease.clone(), now));
                now
            }
        };
        if lease.holder == self.identity {
            return Move::Renew;
        }
        // Not ours any more, whatever we believed.
        self.leads_until = None;
        // The holder's own duration counts: it may be configured differently.
        let lapsed = now >= since + lease.duration.unwrap_or(self.timing.lease);
        if lease.holder.is_empty() || lapsed {
            Move::Take
        } else {
            Move::Wait
        }
    }

    /// A write of ours was accepted; it was sent at `sent`. Counting from then is
    /// on the safe side: others saw it later.
    pub(crate) fn wrote(&mut self, lease: LeaseRecord, sent: Instant) {
        self.seen = Some((lease, sent));
        self.leads_until = Some(sent + self.timing.renew_deadline);
    }

    /// Until when this candidate may act, if it leads at all.
    pub(crate) fn leads_until(&self) -> Option<Instant> {
        self.leads_until
    }

    /// The deadline has passed: we lead no longer, whatever the Lease says.
    pub(crate) fn fence(&mut self) {
        self.leads_until = None;
    }

    /// Whether the Lease named this candidate when it was last seen to change.
    pub(crate) fn saw_itself(&self) -> bool {
        self.seen
            .as_ref()
            .is_some_and(|(lease, _)| lease.holder == self.identity)
    }

    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    pub(crate) fn timing(&self) -> Timing {
        self.timing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(holder: &str, version: &str) -> LeaseRecord {
        LeaseRecord {
            holder: holder.to_owned(),
            duration: Some(Duration::from_secs(15)),
            version: version.to_owned(),
            ..LeaseRecord::default()
        }
    }

    fn candidate() -> (Candidate, Instant) {
        (
            Candidate::new("me".into(), Timing::default()),
            Instant::now(),
        )
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_lease_that_is_absent_or_free_is_taken_at_once() {
        let (mut me, now) = candidate();
        assert_eq!(me.observe(None, now), Move::Create);
        assert_eq!(me.observe(Some(&record("", "1")), now), Move::Take);
    }

    #[test]
    fn a_holder_is_left_alone_for_a_lease_after_its_last_change_was_seen() {
        let (mut me, now) = candidate();
        assert_eq!(me.observe(Some(&record("you", "1")), now), Move::Wait);
        assert_eq!(
            me.observe(Some(&record("you", "1")), now + seconds(14)),
            Move::Wait
        );
        assert_eq!(
            me.observe(Some(&record("you", "2")), now + seconds(14)),
            Move::Wait
        );
        assert_eq!(
            me.observe(Some(&record("you", "2")), now + seconds(28)),
            Move::Wait
        );
        assert_eq!(
            me.observe(Some(&record("you", "2")), now + seconds(29)),
            Move::Take
        );
    }

    #[test]
    fn the_holders_own_duration_counts() {
        let (mut me, now) = candidate();
        let mut long = record("you", "1");
        long.duration = Some(seconds(60));
        assert_eq!(me.observe(Some(&long), now), Move::Wait);
        assert_eq!(me.observe(Some(&long), now + seconds(59)), Move::Wait);
        assert_eq!(me.observe(Some(&long), now + seconds(60)), Move::Take);
    }

    #[test]
    fn leading_ends_before_others_may_begin() {
        let (mut me, now) = candidate();
        me.wrote(record("me", "1"), now);
        let until = me.leads_until().unwrap();
        assert_eq!(until, now + seconds(10));
        let (mut you, _) = candidate();
        you.identity = "you".into();
        assert_eq!(you.observe(Some(&record("me", "1")), now), Move::Wait);
        assert_eq!(you.observe(Some(&record("me", "1")), until), Move::Wait);
    }

    #[test]
    fn whoever_sees_another_holder_leads_no_longer() {
        let (mut me, now) = candidate();
        me.wrote(record("me", "1"), now);
        assert_eq!(me.observe(Some(&record("you", "2")), now), Move::Wait);
        assert_eq!(me.leads_until(), None);
    }
}
