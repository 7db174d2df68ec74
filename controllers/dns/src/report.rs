//! Telling the objects and the page what came of it.

use std::collections::BTreeSet;

use dns_core::{Change, Decision, Observed, ZoneRecords, reason};
use isthmus_core::{ObjectRef, Plan, Withheld};
use isthmus_runtime::{EventType, Page, Run, Section};

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

/// What is managed now, for the admin server's page.
pub(crate) fn page(observed: &Observed, decision: &Decision) -> Page {
    let zones = observed.zones.values().map(|zone| {
        let records = observed
            .records
            .get(&zone.id)
            .map_or(0, ZoneRecords::listed);
        let state = observed
            .unreadable
            .get(&zone.id)
            .map_or("read", String::as_str);
        let kind = if zone.private { "private" } else { "public" };
        [
            zone.name.as_str(),
            zone.id.as_str(),
            kind,
            &records.to_string(),
            state,
        ]
        .map(str::to_owned)
        .to_vec()
    });
    let withheld = decision.plan.steps.iter().filter_map(|step| {
        let why = step.withheld.as_ref()?;
        let name = isthmus_core::Action::name(&step.action);
        Some(
            [name.as_str(), why.reason, why.message.as_str()]
                .map(str::to_owned)
                .to_vec(),
        )
    });
    Page {
        sections: vec![
            section(
                "Hosted zones",
                &["Zone", "Id", "Kind", "Record sets", "State"],
                zones.collect(),
            ),
            section(
                "Withheld changes",
                &["Record set", "Reason", "Message"],
                withheld.collect(),
            ),
        ],
    }
}

fn section(title: &str, headings: &[&str], rows: Vec<Vec<String>>) -> Section {
    Section {
        title: title.to_owned(),
        headings: headings
            .iter()
            .map(|heading| (*heading).to_owned())
            .collect(),
        rows,
    }
}
