//! Routing policies in annotations.

use super::Reader;
use crate::Routing;
use crate::routing::{Failover, Geolocation, Geoproximity};

/// The routing policy that the annotations ask for. At most one may be named,
/// and exactly one where there is a set identifier.
pub(super) fn read(reader: &mut Reader<'_>, has_set_identifier: bool) -> Routing {
    let mut found: Vec<(&'static str, Routing)> = Vec::new();
    let weight = reader.parse("aws-weight", "0 to 255", |v| v.parse().ok());
    found.extend(weight.map(|weight| ("aws-weight", Routing::Weighted(weight))));
    let region = reader.parse("aws-region", "an AWS region", word);
    found.extend(region.map(|region| ("aws-region", Routing::Latency(region))));
    let side = reader.parse("aws-failover", "PRIMARY, SECONDARY", |v| match v {
        "PRIMARY" => Some(Failover::Primary),
        "SECONDARY" => Some(Failover::Secondary),
        _ => None,
    });
    found.extend(side.map(|side| ("aws-failover", Routing::Failover(side))));
    found.extend(geolocation(reader));
    found.extend(geoproximity(reader));
    if reader.get("aws-multi-value-answer").is_some() {
        found.push(("aws-multi-value-answer", Routing::MultiValue));
    }
    for (key, _) in found.iter().skip(1) {
        reader.reject(key, "one routing policy only");
    }
    match found.into_iter().next() {
        Some((key, _)) if !has_set_identifier => {
            reader.reject(key, "together with the annotation set-identifier");
            Routing::Simple
        }
        Some((_, routing)) => routing,
        None => {
            if has_set_identifier {
                reader.reject(
                    "set-identifier",
                    "together with a routing policy, such as aws-weight",
                );
            }
            Routing::Simple
        }
    }
}

fn word(text: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '*';
    (!text.is_empty() && text.chars().all(legal)).then(|| text.to_owned())
}

/// A continent wins over a country.
fn geolocation(reader: &mut Reader<'_>) -> Option<(&'static str, Routing)> {
    let continent = reader.parse(
        "aws-geolocation-continent-code",
        "AF, AN, AS, EU, OC, NA, SA",
        |v| {
            ["AF", "AN", "AS", "EU", "OC", "NA", "SA"]
                .contains(&v)
                .then(|| v.to_owned())
        },
    );
    let country = reader.parse(
        "aws-geolocation-country-code",
        "a country code of two letters, or *",
        word,
    );
    let subdivision = reader.parse(
        "aws-geolocation-subdivision-code",
        "a subdivision code",
        word,
    );
    if continent.is_some() {
        let place = Geolocation {
            continent,
            ..Geolocation::default()
        };
        return Some((
            "aws-geolocation-continent-code",
            Routing::Geolocation(place),
        ));
    }
    if subdivision.is_some() && country.is_none() {
        reader.reject(
            "aws-geolocation-subdivision-code",
            "together with aws-geolocation-country-code",
        );
        return None;
    }
    let place = Geolocation {
        continent: None,
        country: Some(country?),
        subdivision,
    };
    Some(("aws-geolocation-country-code", Routing::Geolocation(place)))
}

fn geoproximity(reader: &mut Reader<'_>) -> Option<(&'static str, Routing)> {
    const REGION: &str = "aws-geoproximity-region";
    const COORDINATES: &str = "aws-geoproximity-coordinates";
    const GROUP: &str = "aws-geoproximity-local-zone-group";
    const BIAS: &str = "aws-geoproximity-bias";
    let region = reader.parse(REGION, "an AWS region", word);
    let allowed = "latitude and longitude, such as 49.22,-74.01";
    let coordinates = reader.parse(COORDINATES, allowed, coordinates);
    let local_zone_group = reader.parse(GROUP, "a local zone group", word);
    let bias = reader.parse(BIAS, "-99 to 99", |v| {
        v.parse().ok().filter(|bias| (-99..=99).contains(bias))
    });
    let places = [
        (REGION, region.is_some()),
        (COORDINATES, coordinates.is_some()),
        (GROUP, local_zone_group.is_some()),
    ];
    let mut named = places
        .into_iter()
        .filter(|(_, named)| *named)
        .map(|(key, _)| key);
    let Some(key) = named.next() else {
        if bias.is_some() {
            reader.reject(BIAS, "together with a place");
        }
        return None;
    };
    if let Some(second) = named.next() {
        reader.reject(second, "one place only");
    }
    let point = Geoproximity {
        region,
        local_zone_group,
        coordinates,
        bias: bias.unwrap_or(0),
    };
    Some((key, Routing::Geoproximity(point)))
}

/// Two decimal numbers with at most two places, kept as they are written.
fn coordinates(text: &str) -> Option<(String, String)> {
    let (latitude, longitude) = text.split_once(',')?;
    let within = |text: &str, most: f64| {
        let number: f64 = text.parse().ok()?;
        (number.is_finite() && number.abs() <= most).then(|| text.to_owned())
    };
    Some((
        within(latitude.trim(), 90.0)?,
        within(longitude.trim(), 180.0)?,
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::annotations::{PREFIXES, read as read_all};

    fn read(pairs: &[(&str, &str)]) -> Result<Routing, String> {
        let map: BTreeMap<_, _> = pairs
            .iter()
            .map(|(k, v)| (format!("{}{k}", PREFIXES[0]), (*v).to_owned()))
            .collect();
        let (wishes, findings) = read_all(&map);
        match findings.errors.first() {
            None => Ok(wishes.routing),
            Some(error) => Err(error.key.rsplit('/').next().unwrap().to_owned()),
        }
    }

    #[test]
    fn each_policy_is_a_value() {
        let set = ("set-identifier", "blue");
        assert_eq!(read(&[]), Ok(Routing::Simple));
        assert_eq!(
            read(&[set, ("aws-weight", "10")]),
            Ok(Routing::Weighted(10))
        );
        assert_eq!(
            read(&[set, ("aws-region", "eu-west-1")]),
            Ok(Routing::Latency("eu-west-1".into()))
        );
        assert_eq!(
            read(&[set, ("aws-failover", "PRIMARY")]),
            Ok(Routing::Failover(Failover::Primary))
        );
        assert_eq!(
            read(&[set, ("aws-multi-value-answer", "")]),
            Ok(Routing::MultiValue)
        );
        let place = Geolocation {
            continent: None,
            country: Some("US".into()),
            subdivision: Some("CA".into()),
        };
        let country = ("aws-geolocation-country-code", "US");
        let state = ("aws-geolocation-subdivision-code", "CA");
        assert_eq!(
            read(&[set, country, state]),
            Ok(Routing::Geolocation(place))
        );
        let point = Geoproximity {
            coordinates: Some(("49.22".into(), "-74.01".into())),
            bias: -10,
            ..Geoproximity::default()
        };
        let coordinates = ("aws-geoproximity-coordinates", "49.22,-74.01");
        assert_eq!(
            read(&[set, coordinates, ("aws-geoproximity-bias", "-10")]),
            Ok(Routing::Geoproximity(point))
        );
    }

    #[test]
    fn what_route_53_would_refuse_is_refused_here() {
        let set = ("set-identifier", "blue");
        for (pairs, key) in [
            (vec![("aws-weight", "1")], "aws-weight"),
            (vec![set], "set-identifier"),
            (vec![set, ("aws-weight", "256")], "aws-weight"),
            (
                vec![set, ("aws-weight", "1"), ("aws-region", "eu-west-1")],
                "aws-region",
            ),
            (vec![set, ("aws-failover", "primary")], "aws-failover"),
            (
                vec![set, ("aws-geolocation-subdivision-code", "CA")],
                "aws-geolocation-subdivision-code",
            ),
            (
                vec![set, ("aws-geoproximity-coordinates", "91,0")],
                "aws-geoproximity-coordinates",
            ),
            (
                vec![set, ("aws-geoproximity-coordinates", "NaN,0")],
                "aws-geoproximity-coordinates",
            ),
            (
                vec![set, ("aws-geoproximity-bias", "3")],
                "aws-geoproximity-bias",
            ),
        ] {
            assert_eq!(read(&pairs), Err(key.to_owned()), "{pairs:?}");
        }
    }
}
