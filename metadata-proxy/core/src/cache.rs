//! When credentials are served, renewed, waited for and given up.

use std::time::Duration;

use isthmus_core::ErrorClass;
use jiff::Timestamp;

use crate::credentials::Prepared;
use crate::refusal::Refusal;

/// How long credentials live and how often STS is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CachePolicy {
    /// The life that is left at least in what is served while STS answers:
    /// `--iam-role-session-ttl`. SDKs renew what has little left over and over.
    pub least: Duration,
    /// How long a denial is remembered: `--iam-role-error-ttl`. None: backing off.
    pub error_ttl: Option<Duration>,
}

/// What is held for one grant.
#[derive(Clone, Debug, Default)]
pub struct Slot {
    good: Option<Good>,
    failure: Option<Failure>,
}

#[derive(Clone, Debug)]
struct Good {
    prepared: Prepared,
    /// From here on it is renewed behind the answers.
    renew_at: Timestamp,
    /// From here on it is served only if STS cannot give better.
    stale_at: Timestamp,
}

#[derive(Clone, Debug)]
struct Failure {
    class: ErrorClass,
    times: u32,
    retry_at: Timestamp,
}

/// What to do for somebody who asks for the credentials of a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Supply {
    /// Serve these.
    Serve(Prepared),
    /// Serve these, and ask STS for new ones without making anybody wait.
    Renew(Prepared),
    /// Ask STS and wait for it; if that fails or takes too long, serve the old ones while they live.
    Fetch(Option<Prepared>),
    /// STS has just failed: do not ask it again yet.
    Refuse(Refusal),
}

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Slot {
    /// What to do at `now`.
    #[must_use]
    pub fn supply(&self, now: Timestamp) -> Supply {
        let pausing = self.failure.as_ref().filter(|failure| now < failure.retry_at);
        let good = self.good.as_ref().filter(|good| now < good.prepared.expires);
        match (good, pausing) {
            (Some(good), None) if now >= good.stale_at => Supply::Fetch(Some(good.prepared.clone())),
            (Some(good), None) if now >= good.renew_at => Supply::Renew(good.prepared.clone()),
            (Some(good), _) => Supply::Serve(good.prepared.clone()),
            (None, Some(failure)) => Supply::Refuse(failure.refusal()),
            (None, None) => Supply::Fetch(None),
        }
    }

    /// What to answer once a fetch has ended or taken too long.
    ///
    /// # Errors
    ///
    /// Why there is nothing to serve.
    pub fn settle(&self, now: Timestamp) -> Result<Prepared, Refusal> {
        match self.supply(now) {
            Supply::Serve(prepared) | Supply::Renew(prepared) | Supply::Fetch(Some(prepared)) => Ok(prepared),
            Supply::Refuse(refusal) => Err(refusal),
            Supply::Fetch(None) => Err(Refusal::StsUnavailable),
        }
    }

    /// STS gave credentials. `jitter`, from 0 to 1, spreads the renewals of pods
    /// that started together: after a third to four ninths of an hour's session.
    pub fn succeed(&mut self, prepared: Prepared, policy: &CachePolicy, jitter: f64, now: Timestamp) {
        let life = Duration::try_from(prepared.expires.duration_since(now)).unwrap_or_default();
        let least = policy.least.min(life / 2);
        let ahead = (life - least).div_f64(3.0).mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 3.0);
        self.good = Some(Good {
            renew_at: back(prepared.expires, least + ahead),
            stale_at: back(prepared.expires, least),
            prepared,
        });
        self.failure = None;
    }

    /// STS failed. What is held goes on being served while it lives.
    pub fn fail(&mut self, class: ErrorClass, policy: &CachePolicy, jitter: f64, now: Timestamp) {
        let times = self.failure.as_ref().map_or(0, |failure| failure.times);
        let doubled = FIRST_PAUSE.saturating_mul(1 << times.min(6)).min(LONGEST_PAUSE);
        let pause = match (class, policy.error_ttl) {
            (ErrorClass::Denied | ErrorClass::Invalid, Some(ttl)) => ttl,
            _ => doubled.mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 2.0),
        };
        self.failure = Some(Failure {
            class,
            times: times.saturating_add(1),
            retry_at: now.checked_add(pause).unwrap_or(Timestamp::MAX),
        });
    }

    /// When the credentials that are held expire.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        self.good.as_ref().map(|good| good.prepared.expires)
    }

    /// What the last call of STS came to, if it failed.
    #[must_use]
    pub fn failed(&self) -> Option<ErrorClass> {
        self.failure.as_ref().map(|failure| failure.class)
    }
}

impl Failure {
    fn refusal(&self) -> Refusal {
        match self.class {
            ErrorClass::Denied | ErrorClass::Invalid => Refusal::StsDenied,
            ErrorClass::Throttled | ErrorClass::Conflict | ErrorClass::Transient => Refusal::StsUnavailable,
        }
    }
}

fn back(from: Timestamp, by: Duration) -> Timestamp {
    from.checked_sub(by).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::at;
    use crate::secret::SecretBytes;
    use proptest::prelude::*;

    const POLICY: CachePolicy = CachePolicy {
        least: Duration::from_secs(1800),
        error_ttl: None,
    };

    fn until(expires: i64) -> Prepared {
        Prepared {
            body: SecretBytes::new(expires.to_be_bytes()),
            expires: at(expires),
        }
    }

    fn held(expires: i64, jitter: f64) -> Slot {
        let mut slot = Slot::default();
        slot.succeed(until(expires), &POLICY, jitter, at(0));
        slot
    }

    #[test]
    fn an_hours_session_is_renewed_long_before_half_of_it_is_over() {
        let slot = held(3600, 0.0);
        assert_eq!(slot.supply(at(0)), Supply::Serve(until(3600)));
        assert_eq!(slot.supply(at(1199)), Supply::Serve(until(3600)));
        assert_eq!(slot.supply(at(1200)), Supply::Renew(until(3600)));
        let late = held(3600, 1.0);
        assert_eq!(late.supply(at(1399)), Supply::Serve(until(3600)));
        assert_eq!(late.supply(at(1400)), Supply::Renew(until(3600)));
        for slot in [slot, late] {
            assert_eq!(slot.supply(at(1799)), Supply::Renew(until(3600)));
            assert_eq!(slot.supply(at(1800)), Supply::Fetch(Some(until(3600))), "30 minutes are left");
            assert_eq!(slot.supply(at(3599)), Supply::Fetch(Some(until(3600))));
            assert_eq!(slot.supply(at(3600)), Supply::Fetch(None));
        }
    }

    #[test]
    fn while_sts_is_down_old_ones_are_served_to_their_end() {
        let mut slot = held(3600, 0.0);
        slot.fail(ErrorClass::Transient, &POLICY, 0.0, at(2000));
        assert_eq!(slot.supply(at(2000)), Supply::Serve(until(3600)), "and nobody waits for STS");
        assert_eq!(slot.supply(at(2001)), Supply::Fetch(Some(until(3600))));
        assert_eq!(slot.settle(at(2001)), Ok(until(3600)));
        slot.fail(ErrorClass::Denied, &POLICY, 0.0, at(3599));
        assert_eq!(slot.settle(at(3599)), Ok(until(3600)));
        assert_eq!(slot.settle(at(3600)), Err(Refusal::StsDenied));
    }

    #[test]
    fn failures_are_remembered_longer_and_longer() {
        let mut slot = Slot::default();
        let mut now = 0;
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(slot.supply(at(now)), Supply::Fetch(None));
            slot.fail(ErrorClass::Denied, &POLICY, 0.0, at(now));
            assert_eq!(slot.supply(at(now + pause - 1)), Supply::Refuse(Refusal::StsDenied));
            now += pause;
        }
        slot.fail(ErrorClass::Throttled, &POLICY, 1.0, at(now));
        assert_eq!(slot.supply(at(now + 29)), Supply::Refuse(Refusal::StsUnavailable), "half of it by jitter");
        assert_eq!(slot.supply(at(now + 30)), Supply::Fetch(None));
        slot.succeed(until(now + 3600), &POLICY, 0.0, at(now));
        assert_eq!(slot.failed(), None, "a success ends it");
    }

    #[test]
    fn a_denial_is_remembered_as_long_as_the_flag_says() {
        let policy = CachePolicy { error_ttl: Some(Duration::from_secs(300)), ..POLICY };
        let mut slot = Slot::default();
        slot.fail(ErrorClass::Denied, &policy, 1.0, at(0));
        assert_eq!(slot.supply(at(299)), Supply::Refuse(Refusal::StsDenied));
        assert_eq!(slot.supply(at(300)), Supply::Fetch(None));
        slot.fail(ErrorClass::Throttled, &policy, 0.0, at(300));
        assert_eq!(slot.supply(at(302)), Supply::Fetch(None), "throttling is not a denial");
    }

    #[test]
    fn a_slow_first_call_is_unavailable_and_not_denied() {
        assert_eq!(Slot::default().settle(at(0)), Err(Refusal::StsUnavailable));
    }

    proptest! {
        #[test]
        fn what_is_served_lives(life in 0_i64..50_000, jitter in -1.0_f64..2.0, ask in 0_i64..60_000, fails in 0_u32..9) {
            let mut slot = held(life, jitter);
            for _ in 0..fails {
                slot.fail(ErrorClass::Transient, &POLICY, jitter, at(ask));
            }
            match slot.supply(at(ask)) {
                Supply::Serve(prepared) | Supply::Renew(prepared) | Supply::Fetch(Some(prepared)) => {
                    prop_assert!(at(ask) < prepared.expires);
                }
                Supply::Fetch(None) | Supply::Refuse(_) => prop_assert!(ask >= life),
            }
            if fails == 0 && life >= 3600 && ask < life - 1800 {
                let fresh = matches!(slot.supply(at(ask)), Supply::Serve(_) | Supply::Renew(_));
                prop_assert!(fresh, "at least 30 minutes are left");
            }
        }
    }
}
