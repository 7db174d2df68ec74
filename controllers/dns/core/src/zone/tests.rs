use regex::Regex;

use super::*;

fn zone(id: &str, name: &str, private: bool) -> (ZoneId, Zone) {
    let id = ZoneId::new(id);
    let name = DnsName::from_route53(name);
    (id.clone(), Zone { id, name, private })
}

fn chosen(name: &str, pin: Option<&str>, zones: &BTreeMap<ZoneId, Zone>) -> Vec<String> {
    let name = DnsName::from_route53(name);
    let pin = pin.map(ZoneId::new);
    zones_of(&name, pin.as_ref(), zones)
        .into_iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn the_longest_public_zone_and_every_private_one() {
    let zones = BTreeMap::from([
        zone("Z1", "example.org.", false),
        zone("Z2", "a.example.org.", false),
        zone("Z3", "example.org.", true),
        zone("Z4", "a.example.org.", true),
        zone("Z5", "other.org.", false),
    ]);
    assert_eq!(chosen("x.a.example.org", None, &zones), ["Z2", "Z3", "Z4"]);
    assert_eq!(chosen("a.example.org", None, &zones), ["Z2", "Z3", "Z4"]);
    assert_eq!(chosen("xa.example.org", None, &zones), ["Z1", "Z3"]);
    assert_eq!(chosen("example.com", None, &zones), [""; 0]);
    assert_eq!(chosen("x.a.example.org", Some("Z1"), &zones), ["Z1"]);
    assert_eq!(
        chosen("x.a.example.org", Some("/hostedzone/Z5"), &zones),
        [""; 0]
    );
}

#[test]
fn domain_filters_know_labels() {
    let filter = DomainFilter::new(
        &["Example.org.".into(), ".sub.net".into()],
        &["x.example.org".into()],
    );
    for (name, admitted) in [
        ("example.org", true),
        ("a.example.org", true),
        ("badexample.org", false),
        ("a.sub.net", true),
        ("sub.net", false),
        ("x.example.org", false),
        ("y.x.example.org", false),
    ] {
        assert_eq!(
            filter.admits(&DnsName::from_route53(name)),
            admitted,
            "{name}"
        );
    }
}

#[test]
fn regular_expressions_count_instead() {
    let filter = DomainFilter {
        regex: Some(Regex::new(r"^(a|b)\.example\.org$").unwrap()),
        regex_exclude: Some(Regex::new("^b").unwrap()),
        ..DomainFilter::new(&["other.org".into()], &[])
    };
    for (name, admitted) in [
        ("a.example.org", true),
        ("b.example.org", false),
        ("x.other.org", false),
    ] {
        assert_eq!(
            filter.admits(&DnsName::from_route53(name)),
            admitted,
            "{name}"
        );
    }
}

#[test]
fn a_zone_passes_by_id_type_and_domain() {
    let (_, zone) = zone("Z123ABC", "example.org", false);
    let domains = DomainFilter::default();
    let with = |ids: &[&str], zone_type| ZoneFilter {
        ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        zone_type,
        ..ZoneFilter::default()
    };
    assert!(with(&["Z9", "ABC"], None).admits(&zone, &domains));
    assert!(!with(&["Z9"], None).admits(&zone, &domains));
    assert!(!with(&[], Some(ZoneType::Private)).admits(&zone, &domains));
    let below = DomainFilter::new(&["a.example.org".into()], &[]);
    assert!(!with(&[], None).admits(&zone, &below));
    let match_parent = ZoneFilter {
        match_parent: true,
        ..ZoneFilter::default()
    };
    assert!(match_parent.admits(&zone, &below));
}
