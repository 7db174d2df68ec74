//! Which Events were sent, and which may be.

use std::collections::HashMap;
use std::time::Duration;

use isthmus_core::ObjectRef;
use tokio::time::Instant;

use super::EventType;

/// While an Event is repeated, its series is updated this often.
const REPEAT_EVERY: Duration = Duration::from_secs(600);
/// An Event that was not repeated for this long is told anew: the API server
/// forgets Events after an hour.
const FORGET_AFTER: Duration = Duration::from_secs(3600);
/// Different Events that one object may get at once.
const BURST: f64 = 10.0;
/// And how long it takes until it may get another one.
const REFILL: Duration = Duration::from_secs(60);

/// What makes two Events the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) object: ObjectRef,
    pub(super) event_type: EventType,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// What to do with an Event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nobody was told yet.
    Create,
    /// Told a while ago, and seen `count` times by now.
    Repeat { name: String, count: i32 },
    /// Told a short while ago: only counted.
    Count,
    /// The object has had too many.
    Drop,
}

#[derive(Debug)]
struct Told {
    name: String,
    count: i32,
    sent: Instant,
    seen: Instant,
}

/// A token bucket.
#[derive(Debug)]
struct Allowance {
    tokens: f64,
    at: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    told: HashMap<Key, Told>,
    allowances: HashMap<ObjectRef, Allowance>,
}

impl Ledger {
    /// Decides about an Event that happened now.
    pub(super) fn judge(&mut self, key: &Key, now: Instant) -> Verdict {
        self.told.retain(|_, told| now < told.seen + FORGET_AFTER);
        self.allowances.retain(|_, a| a.refill(now) < BURST);
        if let Some(told) = self.told.get_mut(key) {
            told.count = told.count.saturating_add(1);
            told.seen = now;
            if now < told.sent + REPEAT_EVERY {
                return Verdict::Count;
            }
            return Verdict::Repeat {
                name: told.name.clone(),
                count: told.count,
            };
        }
        let allowance = self
            .allowances
            .entry(key.object.clone())
            .or_insert(Allowance {
                tokens: BURST,
                at: now,
            });
        if allowance.tokens < 1.0 {
            return Verdict::Drop;
        }
        allowance.tokens -= 1.0;
        Verdict::Create
    }

    /// Notes that an Event was sent under this name.
    pub(super) fn sent(&mut self, key: Key, name: String, now: Instant) {
        let count = match self.told.get(&key) {
            Some(told) if told.name == name => told.count,
            _ => 1,
        };
        let told = Told {
            name,
            count,
            sent: now,
            seen: now,
        };
        self.told.insert(key, told);
    }
}

impl Allowance {
    fn refill(&mut self, now: Instant) -> f64 {
        let gained = (now - self.at).as_secs_f64() / REFILL.as_secs_f64();
        self.tokens = (self.tokens + gained).min(BURST);
        self.at = now;
        self.tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, message: &str) -> Key {
        Key {
            object: ObjectRef::new("v1", "ConfigMap", "a", name),
            event_type: EventType::Warning,
            reason: "Rejected",
            message: message.to_owned(),
        }
    }

    fn told(ledger: &mut Ledger, key: &Key, now: Instant) {
        assert_eq!(ledger.judge(key, now), Verdict::Create);
        ledger.sent(key.clone(), "e1".into(), now);
    }

    #[test]
    fn repetitions_are_counted_together() {
        let mut ledger = Ledger::default();
        let (key, start) = (key("x", "bad"), Instant::now());
        told(&mut ledger, &key, start);
        for minute in 1..10 {
            let now = start + Duration::from_secs(60 * minute);
            assert_eq!(ledger.judge(&key, now), Verdict::Count);
        }
        let now = start + REPEAT_EVERY;
        let repeat = Verdict::Repeat {
            name: "e1".into(),
            count: 11,
        };
        assert_eq!(ledger.judge(&key, now), repeat);
        ledger.sent(key.clone(), "e1".into(), now);
        assert_eq!(
            ledger.judge(&key, now + Duration::from_secs(1)),
            Verdict::Count
        );
    }

    #[test]
    fn what_was_not_sent_is_tried_again() {
        let mut ledger = Ledger::default();
        let (key, now) = (key("x", "bad"), Instant::now());
        assert_eq!(ledger.judge(&key, now), Verdict::Create);
        assert_eq!(ledger.judge(&key, now), Verdict::Create);
    }

    #[test]
    fn another_message_is_another_event_and_an_old_one_is_told_anew() {
        let mut ledger = Ledger::default();
        let now = Instant::now();
        told(&mut ledger, &key("x", "bad"), now);
        told(&mut ledger, &key("x", "worse"), now);
        told(&mut ledger, &key("x", "bad"), now + FORGET_AFTER);
    }

    #[test]
    fn one_object_cannot_flood() {
        let mut ledger = Ledger::default();
        let now = Instant::now();
        for n in 0..10 {
            told(&mut ledger, &key("x", &n.to_string()), now);
        }
        assert_eq!(ledger.judge(&key("x", "11"), now), Verdict::Drop);
        assert_eq!(ledger.judge(&key("y", "11"), now), Verdict::Create);
        assert_eq!(ledger.judge(&key("x", "11"), now + REFILL), Verdict::Create);
        assert_eq!(ledger.judge(&key("x", "12"), now + REFILL), Verdict::Drop);
    }
}
