//! What one call carries.

use std::collections::BTreeMap;

use isthmus_core::{ObjectRef, Plan};

use crate::{Change, DnsName, ZoneId};

/// What one `ChangeResourceRecordSets` call may carry. An UPSERT counts twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `--aws-batch-change-size`: changes.
    pub changes: usize,
    /// `--aws-batch-change-size-values`: `ResourceRecord` elements.
    pub values: usize,
    /// `--aws-batch-change-size-bytes`: characters of all values.
    pub chars: usize,
}

impl Default for Limits {
    /// The [limits of Route 53](https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html#limits-api-requests-changeresourcerecordsets).
    fn default() -> Self {
        Self {
            changes: 1000,
            values: 1000,
            chars: 32_000,
        }
    }
}

/// All changes for one name: record sets and their ownership records, never apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// The name.
    pub name: DnsName,
    /// In order.
    pub changes: Vec<Change>,
    /// The objects that asked for it.
    pub objects: Vec<ObjectRef>,
}

/// The changes of one call: carried out together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The zone.
    pub zone: ZoneId,
    /// In the order of their names.
    pub units: Vec<Unit>,
}

impl Unit {
    fn weight(&self) -> [usize; 3] {
        let mut sum = [0; 3];
        for change in &self.changes {
            let weight = change.verb.weight();
            for i in 0..3 {
                sum[i] += weight[i];
            }
        }
        sum
    }
}

impl Batch {
    /// The changes in order.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.units.iter().flat_map(|unit| &unit.changes)
    }

    /// Two smaller batches in place of one that was refused; `None` if it is
    /// about a single name, which then is the guilty one. Where Route 53's words
    /// name some of the names, those are one of the two; that is only a guess at
    /// the guilty and costs nothing if it is wrong.
    #[must_use]
    pub fn split(mut self, words: &[String]) -> Option<(Self, Self)> {
        if self.units.len() < 2 {
            return None;
        }
        let words = words.join(" ").to_ascii_lowercase().replace("\\052", "*");
        let (named, rest): (Vec<_>, Vec<_>) = self
            .units
            .iter()
            .cloned()
            .partition(|unit| unit.changes.iter().any(|change| mentions(&words, change)));
        let zone = self.zone.clone();
        if !named.is_empty() && !rest.is_empty() {
            return Some((
                Self {
                    zone: zone.clone(),
                    units: rest,
                },
                Self { zone, units: named },
            ));
        }
        let second = self.units.split_off(self.units.len() / 2);
        Some((
            self,
            Self {
                zone,
                units: second,
            },
        ))
    }
}

/// Whether the words have the name of the change's record set, as a name of its own.
fn mentions(words: &str, change: &Change) -> bool {
    let name = change.verb.record().key.name.as_str();
    let edge = |c: Option<char>| {
        c.is_none_or(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.' | '*'))
    };
    words.match_indices(name).any(|(at, _)| {
        let after = &words[at + name.len()..];
        let after = after.strip_prefix('.').unwrap_or(after);
        edge(words[..at].chars().next_back()) && edge(after.chars().next())
    })
}

/// Puts the active steps of a plan into as few batches as fit the limits, a name
/// never in two. The second list has the names that fit into no batch.
#[must_use]
pub fn batches(plan: &Plan<Change>, limits: &Limits) -> (Vec<Batch>, Vec<(ZoneId, Unit)>) {
    let mut units: BTreeMap<(&ZoneId, &DnsName), Unit> = BTreeMap::new();
    for step in plan.active() {
        let change = &step.action;
        let unit = units
            .entry((&change.zone.id, &change.name))
            .or_insert_with(|| Unit {
                name: change.name.clone(),
                changes: Vec::new(),
                objects: Vec::new(),
            });
        unit.changes.push(change.clone());
        unit.objects.extend(step.objects.iter().cloned());
    }
    let mut open: Vec<(Batch, [usize; 3])> = Vec::new();
    let mut too_large = Vec::new();
    for ((zone, _), mut unit) in units {
        unit.objects.sort();
        unit.objects.dedup();
        let weight = unit.weight();
        if !fits([0; 3], weight, limits) {
            too_large.push((zone.clone(), unit));
            continue;
        }
        let place = open
            .iter_mut()
            .find(|(batch, full)| batch.zone == *zone && fits(*full, weight, limits));
        if let Some((batch, full)) = place {
            batch.units.push(unit);
            *full = std::array::from_fn(|i| full[i] + weight[i]);
        } else {
            open.push((
                Batch {
                    zone: zone.clone(),
                    units: vec![unit],
                },
                weight,
            ));
        }
    }
    (
        open.into_iter().map(|(batch, _)| batch).collect(),
        too_large,
    )
}

fn fits(full: [usize; 3], more: [usize; 3], limits: &Limits) -> bool {
    let limits = [limits.changes, limits.values, limits.chars];
    (0..3).all(|i| full[i] + more[i] <= limits[i])
}
