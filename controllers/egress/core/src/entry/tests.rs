use super::*;
use proptest::prelude::*;

fn verdicts(values: &[&str]) -> Vec<String> {
    let data = values
        .iter()
        .enumerate()
        .map(|(n, value)| (format!("k{n:02}"), (*value).to_owned()))
        .collect();
    let vpc = ["11.20.0.0/16".parse().unwrap()];
    entries(&data, &Guards::default(), &vpc)
        .into_iter()
        .map(|entry| match entry.network {
            Ok(network) => network.to_string(),
            Err(refusal) => refusal.reason.to_owned(),
        })
        .collect()
}

#[test]
fn what_is_accepted_is_canonical() {
    assert_eq!(
        verdicts(&["203.0.113.0/24", "203.0.113.7/24", " 198.51.100.1/32\n"]),
        ["203.0.113.0/24", "203.0.113.0/24", "198.51.100.1/32"]
    );
    assert_eq!(
        verdicts(&["203.0.113.0/24,198.51.100.0/24 192.0.2.0/24\n192.0.3.0/24, "]),
        [
            "203.0.113.0/24",
            "198.51.100.0/24",
            "192.0.2.0/24",
            "192.0.3.0/24"
        ]
    );
}

#[test]
fn each_guard_has_its_reason() {
    for (value, reason) in [
        ("", "InvalidCidr"),
        ("  ", "InvalidCidr"),
        ("example.org", "InvalidCidr"),
        ("203.0.113.7", "InvalidCidr"),
        ("203.0.113.0/33", "InvalidCidr"),
        ("203.0.113.0/-1", "InvalidCidr"),
        ("203.0.113/24", "InvalidCidr"),
        ("203.0.0113.0/24", "InvalidCidr"),
        ("2001:db8::/32", "Ipv6NotSupported"),
        ("::ffff:203.0.113.0/120", "Ipv6NotSupported"),
        ("::/0", "Ipv6NotSupported"),
        ("0.0.0.0/0", "DefaultRoute"),
        ("203.0.113.9/0", "DefaultRoute"),
        ("128.0.0.0/1", "PrefixTooShort"),
        ("52.0.0.0/7", "PrefixTooShort"),
        ("10.0.0.0/8", "PrivateRange"),
        ("10.1.2.3/32", "PrivateRange"),
        ("172.16.0.0/12", "PrivateRange"),
        ("172.0.0.0/8", "PrivateRange"),
        ("192.168.1.0/24", "PrivateRange"),
        ("100.64.0.0/10", "PrivateRange"),
        ("169.254.169.254/32", "ReservedRange"),
        ("127.0.0.1/32", "ReservedRange"),
        ("224.0.0.0/4", "PrefixTooShort"),
        ("239.1.1.1/32", "ReservedRange"),
        ("255.255.255.255/32", "ReservedRange"),
        ("0.1.0.0/16", "ReservedRange"),
        ("11.20.3.0/24", "VpcRange"),
        ("11.0.0.0/8", "VpcRange"),
    ] {
        assert_eq!(verdicts(&[value]), [reason], "{value}");
    }
}

#[test]
fn a_bare_address_is_told_how_to_be_written() {
    let data = BTreeMap::from([("a".to_owned(), "203.0.113.7".to_owned())]);
    let refused = entries(&data, &Guards::default(), &[])[0].network.clone();
    assert_eq!(
        refused.unwrap_err().message,
        r#""203.0.113.7" is not a network; write 203.0.113.7/32 for a single address"#
    );
}

proptest! {
    #[test]
    fn never_panics_and_what_is_accepted_is_safe(value in ".{0,80}", bits in any::<u32>(), len in 0_u8..=32) {
        let written = format!("{}/{len}", std::net::Ipv4Addr::from(bits));
        let data = BTreeMap::from([("a".to_owned(), value), ("b".to_owned(), written)]);
        for entry in entries(&data, &Guards::default(), &[]) {
            if let Ok(network) = entry.network {
                prop_assert!(network.prefix_len() >= 8);
                prop_assert_eq!(network, network.trunc());
                prop_assert!(!network.network().is_private() && !network.network().is_multicast());
            }
        }
    }
}
