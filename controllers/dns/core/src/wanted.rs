//! The record sets that an answer makes in one zone.

use std::collections::BTreeSet;

use crate::canonical_zone::canonical_zone;
use crate::config::AliasIpv6;
use crate::desired::Answer;
use crate::record::RecordType;
use crate::{Alias, Config, DnsName, RecordData, RecordKey, RecordSet, Zone, reason};

/// The TTL of records whose object says none, as external-dns sets it.
const DEFAULT_TTL: u32 = 300;

/// What is wanted at one name for one set identifier.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) records: Vec<RecordSet>,
    /// Reasons and messages for the objects that asked.
    pub(crate) notes: Vec<(&'static str, String)>,
}

/// Where records go.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) name: &'a DnsName,
    pub(crate) set_identifier: Option<&'a str>,
    pub(crate) zone: &'a Zone,
}

impl Place<'_> {
    fn record(&self, answer: &Answer, record_type: RecordType, data: RecordData) -> RecordSet {
        RecordSet {
            key: RecordKey {
                name: self.name.clone(),
                record_type,
                set_identifier: self.set_identifier.map(str::to_owned),
            },
            routing: answer.routing.clone(),
            health_check: answer.health_check.clone(),
            data,
        }
    }
}

/// Turns an answer into record sets: addresses into A and AAAA, the host name of
/// an AWS resource into aliases, any other into a CNAME. Of several host names
/// the one in `current` is taken, else the first.
pub(crate) fn wanted(
    place: Place<'_>,
    answer: &Answer,
    current: &BTreeSet<DnsName>,
    config: &Config,
) -> Wanted {
    let mut wanted = Wanted::default();
    let targets = &answer.targets;
    if targets.v4.is_empty() && targets.v6.is_empty() {
        let kept = targets.hosts.intersection(current).next();
        if let Some(target) = kept.or_else(|| targets.hosts.first()) {
            wanted.ignore(
                targets.hosts.iter().filter(|host| *host != target),
                target.as_str(),
            );
            wanted.host(place, answer, target, config);
        }
    } else {
        wanted.ignore(targets.hosts.iter(), "its addresses");
        let v4: Vec<_> = targets.v4.iter().map(ToString::to_string).collect();
        let v6: Vec<_> = targets.v6.iter().map(ToString::to_string).collect();
        for (record_type, values) in [(RecordType::A, v4), (RecordType::Aaaa, v6)] {
            if !values.is_empty() {
                let ttl = answer.ttl.unwrap_or(DEFAULT_TTL);
                let data = RecordData::Values { ttl, values };
                wanted.records.push(place.record(answer, record_type, data));
            }
        }
    }
    wanted
        .records
        .retain(|record| config.types.contains(&record.key.record_type));
    wanted
}

impl Wanted {
    fn ignore<'a>(&mut self, hosts: impl Iterator<Item = &'a DnsName>, taken: &str) {
        let hosts: Vec<_> = hosts.map(DnsName::as_str).collect();
        if !hosts.is_empty() {
            let message = format!(
                "a name can point to one host only: {} not published beside {taken}",
                hosts.join(", ")
            );
            self.notes.push((reason::TARGET_IGNORED, message));
        }
    }

    fn impossible(&mut self, message: String) {
        self.notes.push((reason::IMPOSSIBLE_RECORD, message));
    }

    fn host(&mut self, place: Place<'_>, answer: &Answer, target: &DnsName, config: &Config) {
        let Place { name, zone, .. } = place;
        if target == name {
            return self.impossible(format!("{name} cannot point to itself"));
        }
        let canonical = canonical_zone(target);
        let alias = answer
            .alias
            .unwrap_or(canonical.is_some() && !config.alias.prefer_cname);
        if !alias {
            if *name == zone.name {
                return self.impossible(format!("{name} is the apex of {zone} and can only be an alias or have addresses, not {target}"));
            }
            let ttl = answer.ttl.unwrap_or(DEFAULT_TTL);
            let values = vec![target.to_string()];
            let data = RecordData::Values { ttl, values };
            return self
                .records
                .push(place.record(answer, RecordType::Cname, data));
        }
        let same_zone = target.is_within(&zone.name);
        let named = answer
            .target_zone
            .clone()
            .or_else(|| canonical.map(str::to_owned));
        let Some(target_zone) = named.or_else(|| same_zone.then(|| zone.id.to_string())) else {
            return self.impossible(format!(
                "{target} is no AWS resource and not in {zone}, so {name} cannot be its alias"
            ));
        };
        let data = RecordData::Alias(Alias {
            target: target.to_string(),
            zone: target_zone,
            evaluate_target_health: answer.evaluate_target_health,
        });
        self.records
            .push(place.record(answer, RecordType::A, data.clone()));
        let ipv6 =
            config.alias.ipv6 == AliasIpv6::Always || answer.dualstack || canonical.is_none();
        if ipv6 {
            self.records
                .push(place.record(answer, RecordType::Aaaa, data));
        }
    }
}
