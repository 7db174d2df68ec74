//! The record sets that an answer makes in one zone.

use std::collections::BTreeSet;

use crate::annotations::{AliasTypes, Targets};
use crate::canonical_zone::canonical_zone;
use crate::config::AliasIpv6;
use crate::desired::{Answer, Content};
use crate::record::RecordType;
use crate::routing::Failover;
use crate::{Alias, Config, DnsName, RecordData, RecordKey, RecordSet, Routing, Zone, reason};

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
pub(crate) struct Site<'a> {
    pub(crate) name: &'a DnsName,
    pub(crate) set_identifier: Option<&'a str>,
    pub(crate) zone: &'a Zone,
}

impl Site<'_> {
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
/// the one in `current` is taken, else the first. Values are taken as they are.
pub(crate) fn wanted(
    place: Site<'_>,
    answer: &Answer,
    current: &BTreeSet<DnsName>,
    config: &Config,
) -> Wanted {
    let mut wanted = Wanted::default();
    match &answer.content {
        Content::Targets(targets) if targets.v4.is_empty() && targets.v6.is_empty() => {
            let kept = targets.hosts.intersection(current).next();
            if let Some(target) = kept.or_else(|| targets.hosts.first()) {
                let others = targets.hosts.iter().filter(|host| *host != target);
                wanted.ignore(others, target.as_str());
                wanted.host(place, answer, target, config);
            }
        }
        Content::Targets(targets) => {
            wanted.ignore(targets.hosts.iter(), "its addresses");
            wanted.addresses(place, answer, targets);
        }
        Content::Values(record_type, values) => {
            wanted.values(place, answer, record_type, values.iter().cloned().collect());
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

    fn addresses(&mut self, place: Site<'_>, answer: &Answer, targets: &Targets) {
        let v4: Vec<_> = targets.v4.iter().map(ToString::to_string).collect();
        let v6: Vec<_> = targets.v6.iter().map(ToString::to_string).collect();
        for (record_type, values) in [(RecordType::A, v4), (RecordType::Aaaa, v6)] {
            if !values.is_empty() {
                self.values(place, answer, &record_type, values);
            }
        }
    }

    fn values(
        &mut self,
        place: Site<'_>,
        answer: &Answer,
        record_type: &RecordType,
        values: Vec<String>,
    ) {
        let primary = answer.routing == Routing::Failover(Failover::Primary);
        if primary && answer.health_check.is_none() {
            let name = place.name;
            return self.impossible(format!(
                "{name} {record_type} cannot be the primary of a failover pair: without aws-health-check-id Route 53 takes aliases only"
            ));
        }
        let ttl = answer.ttl.unwrap_or(DEFAULT_TTL);
        let data = RecordData::Values { ttl, values };
        self.records
            .push(place.record(answer, record_type.clone(), data));
    }

    fn host(&mut self, place: Site<'_>, answer: &Answer, target: &DnsName, config: &Config) {
        let Site { name, zone, .. } = place;
        if target == name {
            return self.impossible(format!("{name} cannot point to itself"));
        }
        let canonical = canonical_zone(target);
        let alias = answer
            .alias
            .unwrap_or(canonical.is_some() && !config.alias.prefer_cname);
        if answer.routing == Routing::MultiValue {
            return self.impossible(format!(
                "{name} cannot point to {target}: a multivalue answer has addresses"
            ));
        }
        if !alias {
            if *name == zone.name {
                return self.impossible(format!("{name} is the apex of {zone} and can only be an alias or have addresses, not {target}"));
            }
            let values = vec![target.to_string()];
            return self.values(place, answer, &RecordType::Cname, values);
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
        let by_flag =
            config.alias.ipv6 == AliasIpv6::Always || answer.dualstack || canonical.is_none();
        let types: &[RecordType] = match answer.alias_types {
            AliasTypes::ByFlag if by_flag => &[RecordType::A, RecordType::Aaaa],
            AliasTypes::Both => &[RecordType::A, RecordType::Aaaa],
            AliasTypes::ByFlag | AliasTypes::A => &[RecordType::A],
            AliasTypes::Aaaa => &[RecordType::Aaaa],
        };
        for record_type in types {
            let record = place.record(answer, record_type.clone(), data.clone());
            self.records.push(record);
        }
    }
}
