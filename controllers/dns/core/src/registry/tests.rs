use super::*;
use crate::{Alias, Routing, ZoneId};

fn txt(name: &str, value: &str) -> RecordSet {
    values(name, RecordType::Txt, value)
}

fn values(name: &str, record_type: RecordType, value: &str) -> RecordSet {
    RecordSet {
        key: RecordKey {
            name: DnsName::from_route53(name),
            record_type,
            set_identifier: None,
        },
        routing: Routing::Simple,
        health_check: None,
        data: RecordData::Values {
            ttl: 300,
            values: vec![value.to_owned()],
        },
    }
}

fn alias(name: &str) -> RecordSet {
    RecordSet {
        data: RecordData::Alias(Alias {
            target: "lb.eu-central-1.elb.amazonaws.com.".into(),
            zone: "Z215JYRZR1TBD5".into(),
            evaluate_target_health: true,
        }),
        ..values(name, RecordType::A, "")
    }
}

fn owned_by(owner: &str) -> String {
    format!(
        "\"heritage=external-dns,external-dns/owner={owner},external-dns/resource=ingress/shop/web\""
    )
}

fn claim(record: &RecordSet, others: &[RecordSet]) -> Claim {
    let zone = Zone {
        id: ZoneId::new("Z1"),
        name: DnsName::from_route53("example.org"),
        private: false,
    };
    let all = others.iter().chain([record]).cloned();
    Registry::Txt(registry()).claim(record, &ZoneRecords::new(zone, all))
}

fn registry() -> TxtRegistry {
    TxtRegistry::new("me", Affix::default())
}

fn marks(claim: &Claim) -> Vec<String> {
    match claim {
        Claim::Ours { marks, .. } => marks.iter().map(|key| key.name.to_string()).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_form_conveys_ownership() {
    let a = values("shop.example.org", RecordType::A, "10.0.0.1");
    let mine = owned_by("me");
    assert_eq!(
        marks(&claim(&a, &[txt("a-shop.example.org", &mine)])),
        ["a-shop.example.org"]
    );
    assert_eq!(
        marks(&claim(&a, &[txt("shop.example.org", &mine)])),
        ["shop.example.org"]
    );
    assert_eq!(
        marks(&claim(&a, &[txt("shop.example.org", "\"mate:me\"")])),
        ["shop.example.org"]
    );
    assert_eq!(
        marks(&claim(&a, &[txt("_isthmus-a.shop.example.org", &mine)])),
        ["_isthmus-a.shop.example.org"]
    );
    let alias = alias("shop.example.org");
    assert_eq!(
        marks(&claim(&alias, &[txt("cname-shop.example.org", &mine)])),
        ["cname-shop.example.org"]
    );
    let foreign = claim(&a, &[txt("cname-shop.example.org", &mine)]);
    assert_eq!(
        foreign,
        Claim::Foreign(Foreign::Unmarked),
        "cname- speaks of an A only if that is an alias"
    );
}

#[test]
fn the_old_form_does_not_speak_of_aaaa() {
    let aaaa = values("shop.example.org", RecordType::Aaaa, "2001:db8::1");
    let old = [txt("shop.example.org", &owned_by("me"))];
    assert_eq!(claim(&aaaa, &old), Claim::Foreign(Foreign::Unmarked));
    let mate = [txt("shop.example.org", "\"mate:me\"")];
    assert_eq!(claim(&aaaa, &mate), Claim::Foreign(Foreign::Unmarked));
}

#[test]
fn the_current_form_decides_before_the_old_one() {
    let a = values("shop.example.org", RecordType::A, "10.0.0.1");
    let both = |current: &str, old: &str| {
        [
            txt("a-shop.example.org", &owned_by(current)),
            txt("shop.example.org", &owned_by(old)),
        ]
    };
    assert_eq!(
        claim(&a, &both("other", "me")),
        Claim::Foreign(Foreign::Owner("other".into()))
    );
    assert_eq!(
        marks(&claim(&a, &both("me", "other"))),
        ["a-shop.example.org"]
    );
    assert_eq!(
        marks(&claim(&a, &both("me", "me"))),
        ["a-shop.example.org", "shop.example.org"]
    );
}

#[test]
fn text_that_is_no_mark_is_no_ownership() {
    let a = values("shop.example.org", RecordType::A, "10.0.0.1");
    for value in [
        "\"v=spf1 -all\"",
        "\"heritage=external-dns\"",
        "\"mate:other\"",
    ] {
        assert!(
            !claim(&a, &[txt("shop.example.org", value)]).is_ours(),
            "{value}"
        );
    }
}

#[test]
fn a_mark_that_may_be_anothers_is_nobodys() {
    let team = values("team.example.org", RecordType::A, "10.0.0.1");
    let a_team = values("a-team.example.org", RecordType::A, "10.0.0.2");
    let mark = txt("a-team.example.org", &owned_by("me"));
    let ambiguous = Claim::Foreign(Foreign::Ambiguous(DnsName::from_route53(
        "a-team.example.org",
    )));

    assert!(claim(&team, std::slice::from_ref(&mark)).is_ours());
    assert!(claim(&a_team, std::slice::from_ref(&mark)).is_ours());
    assert_eq!(claim(&team, &[a_team.clone(), mark.clone()]), ambiguous);
    assert_eq!(claim(&a_team, &[team.clone(), mark.clone()]), ambiguous);

    let own = txt("a-a-team.example.org", &owned_by("me"));
    assert!(claim(&team, &[a_team.clone(), mark.clone(), own.clone()]).is_ours());
    assert_eq!(
        marks(&claim(&a_team, &[team, mark, own])),
        ["a-a-team.example.org"]
    );
}

#[test]
fn only_the_mark_is_taken_out_of_a_text() {
    let mut shared = txt("shop.example.org", &owned_by("me"));
    if let RecordData::Values { values, .. } = &mut shared.data {
        values.push("\"v=spf1 -all\"".into());
    }
    let rest = registry().without_marks(&shared).unwrap();
    assert_eq!(rest.data, txt("", "\"v=spf1 -all\"").data);
    assert_eq!(
        registry().without_marks(&txt("shop.example.org", &owned_by("me"))),
        None
    );
}
