use super::*;

fn values(record_type: RecordType, ttl: u32, values: &[&str]) -> RecordSet {
    RecordSet {
        key: RecordKey {
            name: DnsName::from_route53("a.example.org"),
            record_type,
            set_identifier: None,
        },
        routing: Routing::Simple,
        health_check: None,
        data: RecordData::Values {
            ttl,
            values: values.iter().map(|v| (*v).to_owned()).collect(),
        },
    }
}

#[test]
fn spelling_and_order_of_values_do_not_count() {
    for (record_type, a, b) in [
        (
            RecordType::A,
            vec!["10.0.0.1", "10.0.0.2"],
            vec!["10.0.0.2", "10.0.0.1"],
        ),
        (
            RecordType::Aaaa,
            vec!["2001:DB8::1"],
            vec!["2001:db8:0:0::1"],
        ),
        (
            RecordType::Cname,
            vec!["LB.example.com."],
            vec!["lb.example.com"],
        ),
        (
            RecordType::Cname,
            vec!["\\052.example.com."],
            vec!["*.example.com"],
        ),
        (
            RecordType::Srv,
            vec!["0 50  80 A.example.com."],
            vec!["0 50 80 a.example.com"],
        ),
    ] {
        assert!(
            values(record_type.clone(), 60, &a).same_as(&values(record_type, 60, &b), true),
            "{a:?}"
        );
    }
    let a = values(RecordType::Txt, 60, &["\"A\""]);
    assert!(
        !a.same_as(&values(RecordType::Txt, 60, &["\"a\""]), true),
        "text keeps its case"
    );
}

#[test]
fn a_ttl_counts_only_where_it_is_wanted() {
    let a = values(RecordType::A, 60, &["10.0.0.1"]);
    let b = values(RecordType::A, 300, &["10.0.0.1"]);
    assert!(!a.same_as(&b, true));
    assert!(a.same_as(&b, false));
}

#[test]
fn the_zone_of_an_alias_counts_and_its_spelling_does_not() {
    let alias = |target: &str, zone: &str| RecordSet {
        data: RecordData::Alias(Alias {
            target: target.to_owned(),
            zone: zone.to_owned(),
            evaluate_target_health: true,
        }),
        ..values(RecordType::A, 0, &[])
    };
    assert!(alias("LB.example.com.", "Z1").same_as(&alias("lb.example.com", "Z1"), true));
    assert!(!alias("lb.example.com", "Z1").same_as(&alias("lb.example.com", "Z2"), true));
}
