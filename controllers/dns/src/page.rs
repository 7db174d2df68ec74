//! What is managed, for the admin server's page.

use dns_core::{Config, Decision, Desired, Observed, Owned, Registry, Zone, ZoneRecords, owned};
use isthmus_core::Action as _;
use isthmus_runtime::{Page, Section};

/// Name → zone → record → owner, the zones, and what is not carried out.
pub(crate) fn page(
    desired: &Desired,
    observed: &Observed,
    decision: &Decision,
    config: &Config,
) -> Page {
    let owner = match &config.registry {
        Registry::Txt(registry) => registry.owner.as_str(),
        Registry::Noop => "no registry",
    };
    let names = owned(desired, observed, config);
    let names = names.iter().map(|one| record(one, owner)).collect();
    let zones = observed.zones.values().map(|one| zone(one, observed));
    let steps = decision.plan.steps.iter();
    let withheld = steps.filter_map(|step| {
        let why = step.withheld.as_ref()?;
        let (reason, message) = (why.reason.to_owned(), why.message.clone());
        Some(vec![step.action.name(), reason, message])
    });
    let sections = vec![
        Section::new("Names", ["Name", "Zone", "Type", "Record", "Owner"], names),
        Section::new(
            "Hosted zones",
            ["Zone", "Id", "Kind", "Record sets", "State"],
            zones.collect(),
        ),
        Section::new(
            "Withheld changes",
            ["Record set", "Reason", "Message"],
            withheld.collect(),
        ),
    ];
    Page { sections }
}

fn record(one: &Owned<'_>, owner: &str) -> Vec<String> {
    let key = &one.record.key;
    let name = match &key.set_identifier {
        Some(set) => format!("{} [{set}]", key.name),
        None => key.name.to_string(),
    };
    let owner = match &one.resource {
        Some(resource) => format!("{owner}: {resource}"),
        None => owner.to_owned(),
    };
    vec![
        name,
        one.zone.name.to_string(),
        key.record_type.to_string(),
        one.record.to_string(),
        owner,
    ]
}

fn zone(zone: &Zone, observed: &Observed) -> Vec<String> {
    let records = observed.records.get(&zone.id);
    let state = observed.unreadable.get(&zone.id);
    let kind = if zone.private { "private" } else { "public" };
    vec![
        zone.name.to_string(),
        zone.id.to_string(),
        kind.to_owned(),
        records.map_or(0, ZoneRecords::listed).to_string(),
        state.map_or("read", String::as_str).to_owned(),
    ]
}
