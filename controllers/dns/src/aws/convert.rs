//! From the SDK's types to ours and back.

use aws_sdk_route53::error::BuildError;
use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, CidrRoutingConfig, Coordinates, GeoLocation,
    GeoProximityLocation, HostedZone, ResourceRecord, ResourceRecordSet, ResourceRecordSetFailover,
    RrType,
};
use dns_core::routing::{Failover, Geolocation, Geoproximity};
use dns_core::{
    Alias, DnsName, RecordData, RecordKey, RecordSet, RecordType, Routing, Verb, Zone, ZoneId,
};

/// A hosted zone as it is listed.
pub(super) fn zone(zone: &HostedZone) -> Zone {
    Zone {
        id: ZoneId::new(zone.id()),
        name: DnsName::from_route53(zone.name()),
        private: zone.config().is_some_and(|config| config.private_zone),
    }
}

/// A record set as it is listed, whole.
pub(super) fn record(set: &ResourceRecordSet) -> RecordSet {
    RecordSet {
        key: RecordKey {
            name: DnsName::from_route53(set.name()),
            record_type: RecordType::from_route53(set.r#type().as_str()),
            set_identifier: set.set_identifier().map(str::to_owned),
        },
        routing: routing(set),
        health_check: set.health_check_id().map(str::to_owned),
        data: match set.alias_target() {
            Some(alias) => RecordData::Alias(Alias {
                target: alias.dns_name().to_owned(),
                zone: alias.hosted_zone_id().to_owned(),
                evaluate_target_health: alias.evaluate_target_health(),
            }),
            None => RecordData::Values {
                ttl: set
                    .ttl()
                    .and_then(|ttl| u32::try_from(ttl).ok())
                    .unwrap_or(0),
                values: set
                    .resource_records()
                    .iter()
                    .map(|record| record.value().to_owned())
                    .collect(),
            },
        },
    }
}

fn routing(set: &ResourceRecordSet) -> Routing {
    let text = |text: Option<&str>| text.map(str::to_owned);
    if let Some(weight) = set.weight() {
        return Routing::Weighted(u8::try_from(weight).unwrap_or(u8::MAX));
    }
    if let Some(region) = set.region() {
        return Routing::Latency(region.as_str().to_owned());
    }
    if let Some(side) = set.failover() {
        let primary = *side == ResourceRecordSetFailover::Primary;
        return Routing::Failover(if primary {
            Failover::Primary
        } else {
            Failover::Secondary
        });
    }
    if let Some(place) = set.geo_location() {
        return Routing::Geolocation(Geolocation {
            continent: text(place.continent_code()),
            country: text(place.country_code()),
            subdivision: text(place.subdivision_code()),
        });
    }
    if let Some(point) = set.geo_proximity_location() {
        let coordinates = point.coordinates();
        return Routing::Geoproximity(Geoproximity {
            region: text(point.aws_region()),
            local_zone_group: text(point.local_zone_group()),
            coordinates: coordinates.map(|c| (c.latitude().to_owned(), c.longitude().to_owned())),
            bias: point.bias().unwrap_or(0),
        });
    }
    if let Some(cidr) = set.cidr_routing_config() {
        let (collection, location) = (
            cidr.collection_id().to_owned(),
            cidr.location_name().to_owned(),
        );
        return Routing::Cidr {
            collection,
            location,
        };
    }
    match set.multi_value_answer() {
        Some(true) => Routing::MultiValue,
        _ => Routing::Simple,
    }
}

/// The changes of the API that a change of ours is.
pub(super) fn changes(verb: &Verb) -> Result<Vec<Change>, BuildError> {
    let change = |action: ChangeAction, record: &RecordSet| {
        Change::builder()
            .action(action)
            .resource_record_set(record_set(record)?)
            .build()
    };
    Ok(match verb {
        Verb::Create(record) => vec![change(ChangeAction::Create, record)?],
        Verb::Update { to, .. } | Verb::Strip { to, .. } => vec![change(ChangeAction::Upsert, to)?],
        Verb::Replace { from, to } => vec![
            change(ChangeAction::Delete, from)?,
            change(ChangeAction::Create, to)?,
        ],
        Verb::Delete { record, .. } => vec![change(ChangeAction::Delete, record)?],
    })
}

fn record_set(record: &RecordSet) -> Result<ResourceRecordSet, BuildError> {
    let key = &record.key;
    let set = ResourceRecordSet::builder()
        .name(key.name.absolute())
        .r#type(RrType::from(key.record_type.as_str()))
        .set_set_identifier(key.set_identifier.clone())
        .set_health_check_id(record.health_check.clone());
    let set = match &record.data {
        RecordData::Alias(alias) => set.alias_target(
            AliasTarget::builder()
                .dns_name(&alias.target)
                .hosted_zone_id(&alias.zone)
                .evaluate_target_health(alias.evaluate_target_health)
                .build()?,
        ),
        RecordData::Values { ttl, values } => {
            let records = values
                .iter()
                .map(|value| ResourceRecord::builder().value(value).build());
            set.ttl(i64::from(*ttl))
                .set_resource_records(Some(records.collect::<Result<_, _>>()?))
        }
    };
    let set = match &record.routing {
        Routing::Simple => set,
        Routing::Weighted(weight) => set.weight(i64::from(*weight)),
        Routing::Latency(region) => set.region(region.as_str().into()),
        Routing::Failover(side) => set.failover(side.as_str().into()),
        Routing::MultiValue => set.multi_value_answer(true),
        Routing::Geolocation(place) => set.geo_location(
            GeoLocation::builder()
                .set_continent_code(place.continent.clone())
                .set_country_code(place.country.clone())
                .set_subdivision_code(place.subdivision.clone())
                .build(),
        ),
        Routing::Geoproximity(point) => set.geo_proximity_location(geoproximity(point)?),
        Routing::Cidr {
            collection,
            location,
        } => set.cidr_routing_config(
            CidrRoutingConfig::builder()
                .collection_id(collection)
                .location_name(location)
                .build()?,
        ),
    };
    set.build()
}

fn geoproximity(point: &Geoproximity) -> Result<GeoProximityLocation, BuildError> {
    let coordinates = match &point.coordinates {
        Some((latitude, longitude)) => Some(
            Coordinates::builder()
                .latitude(latitude)
                .longitude(longitude)
                .build()?,
        ),
        None => None,
    };
    Ok(GeoProximityLocation::builder()
        .set_aws_region(point.region.clone())
        .set_local_zone_group(point.local_zone_group.clone())
        .set_coordinates(coordinates)
        .bias(point.bias)
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(routing: Routing, data: RecordData) -> RecordSet {
        RecordSet {
            key: RecordKey {
                name: DnsName::from_route53("*.example.org"),
                record_type: RecordType::A,
                set_identifier: (routing != Routing::Simple).then(|| "blue".to_owned()),
            },
            routing,
            health_check: Some("hc-1".into()),
            data,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let values = RecordData::Values {
            ttl: 60,
            values: vec!["192.0.2.1".into(), "192.0.2.2".into()],
        };
        let alias = RecordData::Alias(Alias {
            target: "lb.example.com".into(),
            zone: "Z9".into(),
            evaluate_target_health: true,
        });
        let place = Geolocation {
            continent: None,
            country: Some("US".into()),
            subdivision: Some("CA".into()),
        };
        let point = Geoproximity {
            coordinates: Some(("1.0".into(), "-2.0".into())),
            bias: -5,
            ..Geoproximity::default()
        };
        for routing in [
            Routing::Simple,
            Routing::Weighted(255),
            Routing::Latency("eu-west-1".into()),
            Routing::Failover(Failover::Secondary),
            Routing::Geolocation(place),
            Routing::Geoproximity(point),
            Routing::MultiValue,
            Routing::Cidr {
                collection: "c".into(),
                location: "l".into(),
            },
        ] {
            for data in [values.clone(), alias.clone()] {
                let before = sample(routing.clone(), data);
                let set = record_set(&before).unwrap();
                assert_eq!(set.name(), "*.example.org.");
                assert_eq!(record(&set), before);
            }
        }
    }

    #[test]
    fn a_replacement_is_two_changes_in_order() {
        let data = RecordData::Values {
            ttl: 60,
            values: vec!["192.0.2.1".into()],
        };
        let from = sample(Routing::Weighted(1), data.clone());
        let to = sample(Routing::Latency("eu-west-1".into()), data);
        let made = changes(&Verb::Replace { from, to }).unwrap();
        let actions: Vec<_> = made.iter().map(Change::action).collect();
        assert_eq!(actions, [&ChangeAction::Delete, &ChangeAction::Create]);
    }
}
