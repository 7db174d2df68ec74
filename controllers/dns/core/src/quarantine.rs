//! Names that Route 53 refused, set aside so that they do not spoil another batch.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use isthmus_core::{Plan, Rejection, Withheld};

use crate::{Batch, Change, DnsName, Unit, ZoneId, reason};

/// The label of steps that wait here.
const REFUSED: &str = "refused";
const FIRST_RETRY: Duration = Duration::from_secs(60);
const LAST_RETRY: Duration = Duration::from_secs(3600);

/// The names whose changes were refused, until something about them changes or
/// their time has come. Times count from any fixed moment.
#[derive(Debug, Default)]
pub struct Quarantine {
    refused: BTreeMap<(ZoneId, DnsName), Refusal>,
}

#[derive(Debug)]
struct Refusal {
    unit: Unit,
    words: String,
    attempts: u32,
    until: Duration,
}

impl Quarantine {
    /// Sets a name aside, with the words of Route 53. Each refusal doubles the
    /// time until the next attempt, from a minute to an hour.
    pub fn refuse(&mut self, zone: ZoneId, unit: Unit, words: &str, now: Duration) {
        let key = (zone, unit.name.clone());
        let before = self.refused.get(&key).filter(|before| before.unit.changes == unit.changes);
        let attempts = before.map_or(1, |before| before.attempts.saturating_add(1));
        let factor = 1_u32.checked_shl(attempts - 1).unwrap_or(u32::MAX);
        let wait = FIRST_RETRY.saturating_mul(factor).min(LAST_RETRY);
        let refusal = Refusal {
            unit,
            words: words.to_owned(),
            attempts,
            until: now + wait,
        };
        self.refused.insert(key, refusal);
    }

    /// Forgets the names of a batch that went through.
    pub fn accept(&mut self, batch: &Batch) {
        for unit in &batch.units {
            self.refused.remove(&(batch.zone.clone(), unit.name.clone()));
        }
    }

    /// Withholds the steps of names that are set aside, and forgets the names
    /// that want something else by now. Gives the time until the next attempt.
    pub fn apply(&mut self, plan: &mut Plan<Change>, now: Duration) -> Option<Duration> {
        let mut planned: BTreeMap<(ZoneId, DnsName), Vec<&Change>> = BTreeMap::new();
        for step in plan.active() {
            let key = (step.action.zone.id.clone(), step.action.name.clone());
            planned.entry(key).or_default().push(&step.action);
        }
        self.refused.retain(|key, refusal| {
            let same = |changes: &Vec<&Change>| changes.iter().copied().eq(&refusal.unit.changes);
            planned.get(key).is_some_and(same)
        });
        let waiting: BTreeSet<_> = self.refused.iter().filter(|(_, refusal)| refusal.until > now).map(|(key, _)| key).collect();
        for step in &mut plan.steps {
            let key = (step.action.zone.id.clone(), step.action.name.clone());
            if step.withheld.is_none() && waiting.contains(&key) {
                step.withheld = Some(Withheld {
                    reason: REFUSED,
                    message: format!("Route 53 refused it: {}", self.refused[&key].words),
                });
            }
        }
        let next = waiting.iter().map(|key| self.refused[*key].until).min();
        next.map(|until| until - now)
    }

    /// What the objects of these names should be told.
    #[must_use]
    pub fn rejections(&self) -> Vec<Rejection> {
        let mut rejections = Vec::new();
        for ((zone, name), refusal) in &self.refused {
            let message = format!("Route 53 refuses the changes of {name} in zone {zone}: {}", refusal.words);
            rejections.extend(refusal.unit.objects.iter().map(|object| Rejection {
                object: object.clone(),
                reason: reason::RECORD_REFUSED,
                message: message.clone(),
            }));
        }
        rejections
    }

    /// How many names are set aside.
    #[must_use]
    pub fn len(&self) -> usize {
        self.refused.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.refused.is_empty()
    }
}
