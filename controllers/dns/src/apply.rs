//! Carrying batches out. No choice is made here but what to do with a refusal.

use std::collections::BTreeMap;
use std::time::Duration;

use dns_core::{Batch, Unit, ZoneId};
use isthmus_core::ErrorClass;
use isthmus_runtime::Failure;
use tokio::time::{Instant, sleep_until};

use crate::aws::{ATTEMPTS, ChangeId, Route53, backoff};
use crate::error::CallError;

/// What became of the batches.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Carried out.
    pub(crate) accepted: Vec<Batch>,
    /// The last change of each zone, and when it was asked for.
    pub(crate) changes: BTreeMap<ZoneId, (ChangeId, Instant)>,
    /// Names that Route 53 refused, each with its words.
    pub(crate) refused: Vec<(ZoneId, Unit, String)>,
    /// Zones that could not be changed, and the batches of theirs that were left.
    pub(crate) failed: Vec<(CallError, Batch)>,
    /// There was no time for all of it.
    pub(crate) stopped: bool,
}

impl Applied {
    /// What failed while other zones went on.
    pub(crate) fn failures(&self) -> Vec<Failure> {
        let zones = self
            .failed
            .iter()
            .map(|(error, batch)| error.failure("apply", format_args!("zone {}", batch.zone)));
        let refused = self.refused.iter().map(|(zone, unit, words)| Failure {
            step: "apply",
            class: ErrorClass::Invalid,
            message: format!("{} in zone {zone} is refused: {words}", unit.name),
        });
        zones.chain(refused).collect()
    }
}

/// Carries batches out in order. A refused batch is split until the guilty names
/// stand alone, and everything else is carried out; a zone that cannot be
/// changed is left alone for this run; throttling ends the run, for it is the
/// account's. Batches of one zone are at least `interval` apart.
pub(crate) async fn apply<R: Route53>(
    route53: &R,
    batches: Vec<Batch>,
    interval: Duration,
    may_call: impl Fn() -> bool,
) -> Applied {
    let mut applied = Applied::default();
    let mut last: BTreeMap<ZoneId, Instant> = BTreeMap::new();
    for batch in batches {
        if applied
            .failed
            .iter()
            .any(|(_, failed)| failed.zone == batch.zone)
        {
            continue;
        }
        if let Some(last) = last.get(&batch.zone) {
            sleep_until(*last + interval).await;
        }
        let zone = batch.zone.clone();
        let mut queue = vec![batch];
        while let Some(batch) = queue.pop() {
            match attempt(route53, &batch, &may_call).await {
                Attempt::Done(change) => {
                    let change = (change, Instant::now());
                    applied.changes.insert(zone.clone(), change);
                    applied.accepted.push(batch);
                }
                Attempt::Refused(words) => match batch.clone().split(&words) {
                    Some((first, second)) => queue.extend([second, first]),
                    None => {
                        let words = words.join("; ");
                        let units = batch
                            .units
                            .into_iter()
                            .map(|unit| (batch.zone.clone(), unit, words.clone()));
                        applied.refused.extend(units);
                    }
                },
                Attempt::Failed(error) => {
                    applied.stopped |= error.class == ErrorClass::Throttled;
                    applied.failed.push((error, batch));
                    break;
                }
                Attempt::MayNot => {
                    applied.stopped = true;
                    break;
                }
            }
        }
        if applied.stopped {
            break;
        }
        last.insert(zone, Instant::now());
    }
    applied
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
