use super::*;

fn name(text: &str) -> DnsName {
    DnsName::from_route53(text)
}

#[test]
fn current_names_are_those_of_external_dns() {
    for (prefix, suffix, wildcard, host, record_type, expected) in [
        (
            "",
            "",
            "",
            "foo.example.com",
            RecordType::A,
            "a-foo.example.com",
        ),
        (
            "",
            "",
            "",
            "foo.example.com",
            RecordType::Cname,
            "cname-foo.example.com",
        ),
        (
            "",
            "",
            "",
            "foo.example.com",
            RecordType::Aaaa,
            "aaaa-foo.example.com",
        ),
        (
            "",
            "",
            "",
            "*.example.com",
            RecordType::A,
            "a-*.example.com",
        ),
        ("", "", "", "example", RecordType::A, "a-example"),
        (
            "txt.",
            "",
            "",
            "foo.example.com",
            RecordType::A,
            "txt.a-foo.example.com",
        ),
        (
            "TXT.",
            "",
            "",
            "foo.example.com",
            RecordType::Cname,
            "txt.cname-foo.example.com",
        ),
        (
            "txt-",
            "",
            "wild",
            "*.example.com",
            RecordType::A,
            "txt-a-wild.example.com",
        ),
        (
            "",
            "-txt",
            "",
            "foo.example.com",
            RecordType::A,
            "a-foo-txt.example.com",
        ),
        (
            "",
            "-txt",
            "wildcard",
            "*.example.com",
            RecordType::A,
            "a-wildcard-txt.example.com",
        ),
        (
            "%{record_type}-",
            "",
            "",
            "foo.example.com",
            RecordType::Cname,
            "cname-foo.example.com",
        ),
        (
            "prefix%{record_type}.",
            "",
            "",
            "foo.example.com",
            RecordType::A,
            "prefixa.foo.example.com",
        ),
        (
            "",
            "-%{record_type}",
            "",
            "foo.example.com",
            RecordType::A,
            "foo-a.example.com",
        ),
        (
            "",
            "-%{record_type}suffix",
            "",
            "foo.example.com",
            RecordType::Cname,
            "foo-cnamesuffix.example.com",
        ),
    ] {
        let affix = Affix::new(prefix, suffix, wildcard);
        assert_eq!(
            affix.current(&name(host), &record_type).as_str(),
            expected,
            "{prefix}|{suffix}"
        );
    }
}

#[test]
fn old_names_have_no_type() {
    for (prefix, suffix, expected) in [
        ("", "", "foo.example.com"),
        ("txt.", "", "txt.foo.example.com"),
        ("", "-txt", "foo-txt.example.com"),
        ("%{record_type}-", "", "-foo.example.com"),
    ] {
        assert_eq!(
            Affix::new(prefix, suffix, "")
                .bare(&name("foo.example.com"))
                .as_str(),
            expected
        );
    }
}

#[test]
fn a_name_that_does_not_fit_is_written_another_way() {
    let zone = name("example.com");
    let long = "l".repeat(62);
    let long = format!("{long}.example.com");
    for (prefix, host, record_type, expected) in [
        (
            "",
            "foo.example.com",
            RecordType::A,
            "a-foo.example.com".to_owned(),
        ),
        (
            "",
            "example.com",
            RecordType::A,
            "_isthmus-a.example.com".to_owned(),
        ),
        (
            "%{record_type}.",
            "example.com",
            RecordType::A,
            "a.example.com".to_owned(),
        ),
        (
            "txt.",
            "example.com",
            RecordType::A,
            "txt.example.com".to_owned(),
        ),
        (
            "txt.",
            "example.com",
            RecordType::Aaaa,
            "_isthmus-aaaa.example.com".to_owned(),
        ),
        (
            "txt-",
            "example.com",
            RecordType::A,
            "_isthmus-a.example.com".to_owned(),
        ),
        ("", &long, RecordType::A, format!("_isthmus-a.{long}")),
        ("txt.", &long, RecordType::A, format!("txt.{long}")),
    ] {
        let affix = Affix::new(prefix, "", "");
        let written = affix.to_write(&name(host), &record_type, &zone).unwrap();
        assert_eq!(written.as_str(), expected, "{prefix} {host}");
    }
}

#[test]
fn no_form_fits_a_name_of_full_length() {
    let label = "l".repeat(63);
    let full = format!("{label}.{label}.{label}.{}.com", "l".repeat(57));
    let full = DnsName::parse(&full).unwrap();
    assert_eq!(full.as_str().len(), 253);
    assert_eq!(
        Affix::default().to_write(&full, &RecordType::A, &name("com")),
        None
    );
}
