use super::*;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let key = |key: &str| match key.strip_prefix("old:") {
        Some(key) => format!("{}{key}", PREFIXES[1]),
        None => format!("{}{key}", PREFIXES[0]),
    };
    pairs
        .iter()
        .map(|(k, v)| (key(k), (*v).to_owned()))
        .collect()
}

#[test]
fn both_prefixes_count_and_the_newer_one_wins() {
    let (wishes, findings) = read(&map(&[
        ("old:hostname", "a.org, b.org.,,"),
        ("old:ttl", "60"),
        ("ttl", "2m"),
    ]));
    assert_eq!(wishes.hostnames, ["a.org", "b.org"]);
    assert_eq!(wishes.ttl, Some(120));
    assert_eq!(findings.conflicts, ["ttl"]);
    assert!(findings.errors.is_empty());
}

#[test]
fn forms_of_a_ttl() {
    for (text, seconds) in [
        ("60", Some(60)),
        ("1h30m", Some(5400)),
        ("1500ms", Some(1)),
        ("2147483647", Some(2_147_483_647)),
    ] {
        assert_eq!(ttl(text), seconds, "{text}");
    }
    for text in ["0", "-1", "500ms", "2147483648", "1d", ""] {
        assert_eq!(ttl(text), None, "{text}");
    }
}

#[test]
fn targets_are_addresses_or_names() {
    let found = targets("10.0.0.1, 2001:db8::1,LB.example.com.").unwrap();
    assert_eq!(
        (found.v4.len(), found.v6.len(), found.hosts.len()),
        (1, 1, 1)
    );
    assert_eq!(targets(" , "), None);
    assert_eq!(targets("a b,c_d!"), None);
}

#[test]
fn every_mistake_is_told() {
    let (_, findings) = read(&map(&[
        ("ttl", "soon"),
        ("alias", "TRUE"),
        ("aws-weight", "heavy"),
        ("aws-wieght", "1"),
        ("ingress-hostname-source", "all"),
    ]));
    let keys: Vec<_> = findings
        .errors
        .iter()
        .map(|e| e.key.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(
        keys,
        ["ingress-hostname-source", "ttl", "aws-weight", "alias"]
    );
    assert_eq!(findings.unknown, [format!("{}aws-wieght", PREFIXES[0])]);
}

#[test]
fn another_controllers_objects_are_hidden() {
    assert!(is_hidden(&map(&[("controller", "other")])));
    assert!(is_hidden(&map(&[("old:controller", "other")])));
    assert!(!is_hidden(&map(&[("controller", "dns-controller")])));
    assert!(!is_hidden(&map(&[])));
}
