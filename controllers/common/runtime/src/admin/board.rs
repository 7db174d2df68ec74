//! What the admin server knows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use isthmus_core::{PlanReport, Rejection};
use jiff::Timestamp;

/// A plan and when it was made.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) at: Timestamp,
    pub(super) text: String,
    pub(super) json: serde_json::Value,
}

/// How the last reconcile ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) at: Timestamp,
    pub(super) took: Duration,
    /// Empty if all went well.
    pub(super) failures: Vec<String>,
}

/// Everything that changes and is shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) plan: Option<Planned>,
    /// The last plan that had something to do.
    pub(super) busy_plan: Option<Planned>,
    pub(super) rejections: Vec<Rejection>,
    pub(super) ended: Option<Ended>,
    /// `None` where no lease is needed.
    pub(super) leads: Option<bool>,
    /// How many of what were read of AWS, and when.
    pub(super) reads: BTreeMap<&'static str, (usize, Timestamp)>,
}

#[derive(Debug, Default)]
pub(super) struct Board {
    facts: Mutex<Facts>,
}

impl Board {
    pub(super) fn facts(&self) -> Facts {
        self.lock().clone()
    }

    /// Replaces the last plan; whether this one says something else.
    pub(super) fn plan(&self, plan: &PlanReport) -> bool {
        let planned = Planned {
            at: Timestamp::now(),
            text: plan.text.clone(),
            json: plan.json.clone(),
        };
        let mut facts = self.lock();
        if !(plan.steps.is_empty() && plan.withheld.is_empty()) {
            facts.busy_plan = Some(planned.clone());
        }
        let news = facts
            .plan
            .as_ref()
            .is_none_or(|last| last.text != planned.text);
        facts.plan = Some(planned);
        news
    }

    /// Replaces the rejections and gives those that are new.
    pub(super) fn rejected(&self, rejections: &[Rejection]) -> Vec<Rejection> {
        let mut facts = self.lock();
        let known: BTreeSet<&Rejection> = facts.rejections.iter().collect();
        let new = rejections
            .iter()
            .filter(|rejection| !known.contains(rejection))
            .cloned()
            .collect();
        facts.rejections = rejections.to_vec();
        new
    }

    pub(super) fn ended(&self, took: Duration, failures: Vec<String>) {
        self.lock().ended = Some(Ended {
            at: Timestamp::now(),
            took,
            failures,
        });
    }

    pub(super) fn read(&self, what: &'static str, count: usize, at: Timestamp) {
        self.lock().reads.insert(what, (count, at));
    }

    pub(super) fn leads(&self, leads: bool) {
        self.lock().leads = Some(leads);
    }

    /// A poisoned lock still holds whole values: each write is one assignment.
    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.facts
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
