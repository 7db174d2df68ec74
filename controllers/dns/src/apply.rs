//! Carrying batches out. No choice is made here but what to do with a refusal.

mod denials;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dns_core::{Batch, Unit, ZoneId};
use isthmus_core::ErrorClass;
use isthmus_runtime::Failure;
use tokio::time::{Instant, sleep_until};

use denials::{Denials, Denied};

use crate::aws::{ATTEMPTS, ChangeId, Route53, backoff};
use crate::error::CallError;

/// What became of the batches.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Carried out.
    pub(crate) accepted: Vec<Batch>,
    /// The last change of each zone, and when it was asked for.
    pub(crate) changes: BTreeMap<ZoneId, (ChangeId, Instant)>,
    /// Names that Route 53 refused.
    pub(crate) refused: Vec<Refusal>,
    /// Zones that could not be changed, and the batches of theirs that were left.
    pub(crate) failed: Vec<(CallError, Batch)>,
    /// There was no time for all of it.
    pub(crate) stopped: bool,
}

/// A name whose changes Route 53 refused.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) zone: ZoneId,
    pub(crate) unit: Unit,
    /// Route 53's.
    pub(crate) words: String,
    pub(crate) class: ErrorClass,
}

impl Applied {
    /// What failed while other zones went on.
    pub(crate) fn failures(&self) -> Vec<Failure> {
        let zones = self
            .failed
            .iter()
            .map(|(error, batch)| error.failure("apply", format_args!("zone {}", batch.zone)));
        let refused = self.refused.iter().map(|refusal| Failure {
            step: "apply",
            class: refusal.class,
            message: format!(
                "{} in zone {} is refused: {}",
                refusal.unit.name, refusal.zone, refusal.words
            ),
        });
        zones.chain(refused).collect()
    }
}

/// Carries batches out in order. A refused batch is split until the guilty names
/// stand alone, and everything else is carried out; a zone that cannot be
/// changed, or that is one of `denied` and still denies, is left alone for this
/// run; throttling ends the run, for it is the account's. Batches of one zone
/// are at least `interval` apart.
pub(crate) async fn apply<R: Route53>(
    route53: &R,
    batches: Vec<Batch>,
    interval: Duration,
    denied: &BTreeSet<ZoneId>,
    may_call: impl Fn() -> bool,
) -> Applied {
    let mut applied = Applied::default();
    let mut last: BTreeMap<ZoneId, Instant> = BTreeMap::new();
    let mut denials: BTreeMap<ZoneId, Denials> = BTreeMap::new();
    for batch in batches {
        let of_zone = |(_, failed): &(CallError, Batch)| failed.zone == batch.zone;
        if applied.failed.iter().any(of_zone) {
            continue;
        }
        if let Some(last) = last.get(&batch.zone) {
            sleep_until(*last + interval).await;
        }
        let zone = batch.zone.clone();
        let denials = denials.entry(zone.clone()).or_default();
        denials.hopeless |= denied.contains(&zone);
        carry_out(route53, batch, &mut applied, denials, &may_call).await;
        if applied.stopped {
            break;
        }
        last.insert(zone, Instant::now());
    }
    for (_, denials) in denials {
        applied.failed.extend(denials.left());
    }
    applied
}

/// Carries a batch out, or as much of it as is possible.
async fn carry_out<R: Route53>(
    route53: &R,
    batch: Batch,
    applied: &mut Applied,
    denials: &mut Denials,
    may_call: impl Fn() -> bool,
) {
    let zone = batch.zone.clone();
    let mut queue = vec![batch];
    while let Some(batch) = queue.pop() {
        match attempt(route53, &batch, &may_call).await {
            Attempt::Done(change) => {
                let change = (change, Instant::now());
                applied.changes.insert(zone.clone(), change);
                applied.accepted.push(batch);
                applied.refused.extend(denials.accepted());
            }
            Attempt::Refused(words) => match batch.clone().split(&words) {
                Some((first, second)) => queue.extend([second, first]),
                None => {
                    let refused = refusals(batch, &words, ErrorClass::Invalid);
                    applied.refused.extend(refused);
                }
            },
            Attempt::Failed(error) => match denials.denied(&error, batch) {
                Denied::Split(first, second) => queue.extend([second, first]),
                Denied::Alone(refused) => applied.refused.extend(refused),
                Denied::GivenUp(batch) => {
                    applied.stopped |= error.class == ErrorClass::Throttled;
                    return applied.failed.push((error, batch));
                }
            },
            Attempt::MayNot => {
                applied.stopped = true;
                return;
            }
        }
    }
}

/// The names of a batch, refused.
fn refusals(batch: Batch, words: &[String], class: ErrorClass) -> Vec<Refusal> {
    let units = batch.units.into_iter();
    let refusal = |unit| Refusal {
        zone: batch.zone.clone(),
        unit,
        words: words.join("; "),
        class,
    };
    units.map(refusal).collect()
}

/// What became of one batch.
enum Attempt {
    Done(ChangeId),
    /// In Route 53's words.
    Refused(Vec<String>),
    Failed(CallError),
    /// Nothing may be called any more.
    MayNot,
}

/// Sends a batch, and again as a whole where that can help: Route 53 has too
/// many calls, is still busy with the last change of the zone, or did not answer.
async fn attempt<R: Route53>(route53: &R, batch: &Batch, may_call: impl Fn() -> bool) -> Attempt {
    let mut answer_lost = false;
    let mut attempt = 0;
    loop {
        attempt += 1;
        if !may_call() {
            return Attempt::MayNot;
        }
        let error = match route53.change(batch).await {
            Ok(change) => return Attempt::Done(change),
            Err(error) => error,
        };
        match error.class {
            // Refused, perhaps, because it was carried out the first time.
            ErrorClass::Invalid if answer_lost => {
                let class = ErrorClass::Transient;
                return Attempt::Failed(CallError { class, ..error });
            }
            ErrorClass::Invalid if !error.zone_gone => return Attempt::Refused(error.words),
            ErrorClass::Throttled | ErrorClass::Conflict | ErrorClass::Transient
                if attempt < ATTEMPTS =>
            {
                answer_lost |= error.class == ErrorClass::Transient;
                backoff(&error, attempt).await;
            }
            _ => return Attempt::Failed(error),
        }
    }
}

#[cfg(test)]
mod tests;
