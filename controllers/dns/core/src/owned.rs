//! The record sets that are ours, for those who look on.

use crate::plan::Scene;
use crate::{Config, Desired, Observed, RecordSet, Zone};

/// A record set of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned<'a> {
    /// Where it is.
    pub zone: &'a Zone,
    /// What it answers.
    pub record: &'a RecordSet,
    /// The object that it was made for, where its mark says it.
    pub resource: Option<String>,
}

/// Every record set of ours in the zones that could be read, by zone and name;
/// the records that tell of ownership are not among them.
#[must_use]
pub fn owned<'a>(
    desired: &'a Desired,
    observed: &'a Observed,
    config: &'a Config,
) -> Vec<Owned<'a>> {
    let mut found = Vec::new();
    for records in observed.records.values() {
        let scene = Scene::new(records, desired, config);
        let ours = scene.claims.iter().filter(|(_, claim)| claim.is_ours());
        found.extend(ours.filter_map(|(key, claim)| {
            Some(Owned {
                zone: &records.zone,
                record: records.records.get(*key)?,
                resource: claim.resource().map(str::to_owned),
            })
        }));
    }
    found
}
