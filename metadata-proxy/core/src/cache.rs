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
    /// STS was not even asked: the pod's own token could not be had.
    no_token: bool,
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
        let pausing = self
            .failure
            .as_ref()
            .filter(|failure| now < failure.retry_at);
        let good = self
            .good
            .as_ref()
            .filter(|good| now < good.prepared.expires);
        match (good, pausing) {
            (Some(good), None) if now >= good.stale_at => {
                Supply::Fetch(Some(good.prepared.clone()))
            }
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
            Supply::Serve(prepared) | Supply::Renew(prepared) | Supply::Fetch(Some(prepared)) => {
                Ok(prepared)
            }
            Supply::Refuse(refusal) => Err(refusal),
            Supply::Fetch(None) => Err(self
                .failure
                .as_ref()
                .filter(|failure| failure.no_token)
                .map_or(Refusal::StsUnavailable, Failure::refusal)),
        }
    }

    /// STS gave credentials. `jitter`, from 0 to 1, spreads the renewals of pods
    /// that started together: after a third to four ninths of an hour's session.
    pub fn succeed(
        &mut self,
        prepared: Prepared,
        policy: &CachePolicy,
        jitter: f64,
        now: Timestamp,
    ) {
        let life = Duration::try_from(prepared.expires.duration_since(now)).unwrap_or_default();
        let least = policy.least.min(life / 2);
        let ahead = (life - least)
            .div_f64(3.0)
            .mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 3.0);
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
        let doubled = FIRST_PAUSE
            .saturating_mul(1 << times.min(6))
            .min(LONGEST_PAUSE);
        let pause = match (class, policy.error_ttl) {
            (ErrorClass::Denied | ErrorClass::Invalid, Some(ttl)) => ttl,
            _ => doubled.mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 2.0),
        };
        self.failure = Some(Failure {
            class,
            no_token: false,
            times: times.saturating_add(1),
            retry_at: now.checked_add(pause).unwrap_or(Timestamp::MAX),
        });
    }

    /// The pod's own token could not be had, so STS was not asked. The kubelet may
    /// write it at any moment: the next who asks makes it looked for again.
    pub fn miss(&mut self, now: Timestamp) {
        self.failure = Some(Failure {
            class: ErrorClass::Transient,
            no_token: true,
            times: 0,
            retry_at: now,
        });
    }

    /// Whether the pod's own token was looked for within the last second, in vain:
    /// without a request that is often enough.
    #[must_use]
    pub fn just_missed(&self, now: Timestamp) -> bool {
        let missed = self.failure.as_ref().filter(|failure| failure.no_token);
        missed.is_some_and(|failure| back(now, FIRST_PAUSE) < failure.retry_at)
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
            _ if self.no_token => Refusal::PodTokenUnavailable,
            ErrorClass::Denied | ErrorClass::Invalid => Refusal::StsDenied,
            ErrorClass::Throttled | ErrorClass::Conflict | ErrorClass::Transient => {
                Refusal::StsUnavailable
            }
        }
    }
}

fn back(from: Timestamp, by: Duration) -> Timestamp {
    from.checked_sub(by).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests;
