//! Telling the objects what came of it.

use std::collections::BTreeSet;

use dns_core::{Change, reason};
use isthmus_core::{ObjectRef, Plan, Withheld};
use isthmus_runtime::{EventType, Run};

/// How many objects are told of one mass removal.
const TOLD: usize = 20;

/// Events for removals that are withheld, on the objects that the records were
/// made for: they may be gone, but their namespaces are not.
pub(crate) fn tell_withheld(run: &Run<'_>, plan: &Plan<Change>) {
    let withheld = plan
        .steps
        .iter()
        .filter_map(|step| Some((step, step.withheld.as_ref()?)));
    let reasons = [Withheld::MASS_REMOVAL, Change::SOURCE_UNAVAILABLE];
    let of_mass = withheld.filter(|(_, why)| reasons.contains(&why.reason));
    let told: BTreeSet<(&ObjectRef, &str)> = of_mass
        .flat_map(|(step, why)| {
            step.objects
                .iter()
                .map(|object| (object, why.message.as_str()))
        })
        .collect();
    for (object, message) in told.into_iter().take(TOLD) {
        run.event(
            object,
            EventType::Warning,
            reason::REMOVAL_WITHHELD,
            message.to_owned(),
        );
    }
}
