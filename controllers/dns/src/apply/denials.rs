//! Zones whose role may change some names and not others.

use dns_core::Batch;
use isthmus_core::ErrorClass;

use super::{Refusal, refusals};
use crate::error::CallError;

/// How many denials in a row it takes to give a zone up. A batch of 1,000
/// changes is a single name after ten halves.
const DENIALS: usize = 12;

/// What a zone has denied in one run. A right can be bound to [names]: what is
/// denied is split like what is refused, as long as there is hope.
///
/// [names]: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-rrset-conditions.html
#[derive(Default)]
pub(super) struct Denials {
    /// Nothing was accepted when it was last tried.
    pub(super) hopeless: bool,
    accepted: bool,
    given_up: bool,
    in_a_row: usize,
    /// Names that were denied before anything was accepted.
    alone: Vec<(CallError, Batch)>,
}

/// What is to be done about a denial.
pub(super) enum Denied {
    /// Both are tried.
    Split(Batch, Batch),
    /// These names are denied; the rest goes on.
    Alone(Vec<Refusal>),
    /// The zone is left alone.
    GivenUp(Batch),
}

impl Denials {
    /// Something was accepted: the names that were denied are denied as such.
    pub(super) fn accepted(&mut self) -> Vec<Refusal> {
        (self.accepted, self.in_a_row) = (true, 0);
        let alone = std::mem::take(&mut self.alone).into_iter();
        alone
            .flat_map(|(error, batch)| refusals(batch, &error.words, error.class))
            .collect()
    }

    /// A batch has failed.
    pub(super) fn denied(&mut self, error: &CallError, batch: Batch) -> Denied {
        self.in_a_row += 1;
        let hope = self.accepted || !(self.hopeless || self.in_a_row > DENIALS);
        if error.class != ErrorClass::Denied || !hope {
            self.given_up = true;
            return Denied::GivenUp(batch);
        }
        if let Some((first, second)) = batch.clone().split(&error.words) {
            return Denied::Split(first, second);
        }
        self.alone.push((error.clone(), batch));
        let told = self.accepted.then(|| self.accepted());
        Denied::Alone(told.unwrap_or_default())
    }

    /// What was denied where nothing at all was accepted: the zone denies everything.
    pub(super) fn left(self) -> Option<(CallError, Batch)> {
        let first = self.alone.into_iter().next();
        first.filter(|_| !self.given_up)
    }
}
