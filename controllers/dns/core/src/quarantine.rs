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
        let before = self
            .refused
            .get(&key)
            .filter(|before| before.unit.changes == unit.changes);
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
            self.refused
                .remove(&(batch.zone.clone(), unit.name.clone()));
        }
    }

    /// Withholds the steps of names that are set aside, and forgets the names
    /// that want something else by now.
    pub fn apply(&mut self, plan: &mut Plan<Change>, now: Duration) {
        let mut planned: BTreeMap<(ZoneId, DnsName), Vec<&Change>> = BTreeMap::new();
        for step in plan.active() {
            let key = (step.action.zone.id.clone(), step.action.name.clone());
            planned.entry(key).or_default().push(&step.action);
        }
        self.refused.retain(|key, refusal| {
            let same = |changes: &Vec<&Change>| changes.iter().copied().eq(&refusal.unit.changes);
            planned.get(key).is_some_and(same)
        });
        let waiting: BTreeSet<_> = self
            .refused
            .iter()
            .filter(|(_, refusal)| refusal.until > now)
            .map(|(key, _)| key)
            .collect();
        for step in &mut plan.steps {
            let key = (step.action.zone.id.clone(), step.action.name.clone());
            if step.withheld.is_none() && waiting.contains(&key) {
                step.withheld = Some(Withheld {
                    reason: REFUSED,
                    message: format!("Route 53 refused it: {}", self.refused[&key].words),
                });
            }
        }
    }

    /// The time until the next attempt.
    #[must_use]
    pub fn next(&self, now: Duration) -> Option<Duration> {
        let until = self.refused.values().map(|refusal| refusal.until).min();
        until.map(|until| until.saturating_sub(now))
    }

    /// What the objects of these names should be told.
    #[must_use]
    pub fn rejections(&self) -> Vec<Rejection> {
        let mut rejections = Vec::new();
        for ((zone, name), refusal) in &self.refused {
            let message = format!(
                "Route 53 refuses the changes of {name} in zone {zone}: {}",
                refusal.words
            );
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use isthmus_core::ObjectRef;

    use super::*;
    use crate::{
        Limits, RecordData, RecordKey, RecordSet, RecordType, Routing, Verb, Zone, batches,
    };

    fn plan(value: &str) -> Plan<Change> {
        let name = DnsName::from_route53("bad.example.org");
        let key = RecordKey {
            name: name.clone(),
            record_type: RecordType::A,
            set_identifier: None,
        };
        let data = RecordData::Values {
            ttl: 300,
            values: vec![value.to_owned()],
        };
        let record = RecordSet {
            key,
            routing: Routing::Simple,
            health_check: None,
            data,
        };
        let zone = Zone {
            id: ZoneId::new("Z1"),
            name: DnsName::from_route53("example.org"),
            private: false,
        };
        let change = Change {
            zone: Arc::new(zone),
            name,
            is_mark: false,
            counts: false,
            verb: Verb::Create(record),
        };
        let mut plan = Plan::default();
        plan.push(
            change,
            vec![ObjectRef::new(
                "networking.k8s.io/v1",
                "Ingress",
                "shop",
                "web",
            )],
        );
        plan
    }

    fn refuse(quarantine: &mut Quarantine, plan: &Plan<Change>, now: u64) {
        let batch = batches(plan, &Limits::default()).0.remove(0);
        let unit = batch.units[0].clone();
        quarantine.refuse(batch.zone, unit, "no", Duration::from_secs(now));
    }

    fn active(quarantine: &mut Quarantine, value: &str, now: u64) -> usize {
        let mut plan = plan(value);
        quarantine.apply(&mut plan, Duration::from_secs(now));
        plan.active().count()
    }

    #[test]
    fn a_refused_name_waits_twice_as_long_each_time() {
        let mut quarantine = Quarantine::default();
        refuse(&mut quarantine, &plan("192.0.2.1"), 0);
        assert_eq!(
            quarantine.next(Duration::ZERO),
            Some(Duration::from_secs(60))
        );
        assert_eq!(active(&mut quarantine, "192.0.2.1", 59), 0);
        assert_eq!(active(&mut quarantine, "192.0.2.1", 60), 1);
        refuse(&mut quarantine, &plan("192.0.2.1"), 60);
        assert_eq!(
            quarantine.next(Duration::from_secs(60)),
            Some(Duration::from_secs(120))
        );
        for _ in 0..20 {
            refuse(&mut quarantine, &plan("192.0.2.1"), 60);
        }
        assert_eq!(quarantine.next(Duration::from_secs(60)), Some(LAST_RETRY));
        let told: Vec<_> = quarantine
            .rejections()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            told,
            [
                "Ingress shop/web: RecordRefused: Route 53 refuses the changes of bad.example.org in zone Z1: no"
            ]
        );
    }

    #[test]
    fn a_name_that_wants_something_else_is_free() {
        let mut quarantine = Quarantine::default();
        refuse(&mut quarantine, &plan("192.0.2.1"), 0);
        assert_eq!(active(&mut quarantine, "192.0.2.2", 1), 1);
        assert!(quarantine.is_empty() && quarantine.rejections().is_empty());
    }

    #[test]
    fn a_name_that_went_through_is_forgotten() {
        let mut quarantine = Quarantine::default();
        refuse(&mut quarantine, &plan("192.0.2.1"), 0);
        quarantine.accept(&batches(&plan("192.0.2.1"), &Limits::default()).0[0]);
        assert!(quarantine.is_empty());
    }
}
