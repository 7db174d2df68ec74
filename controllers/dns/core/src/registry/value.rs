//! What is written about the owner of a record: external-dns's labels, and Mate's mark.

use std::collections::BTreeMap;

/// The text before everything in a value of external-dns's registry.
const HERITAGE: &str = "heritage=external-dns";
/// Before every label.
const PREFIX: &str = "external-dns/";
const OWNER: &str = "owner";
const RESOURCE: &str = "resource";

/// What a TXT value says about ownership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// `--txt-owner-id` of external-dns, the group id of Mate.
    pub owner: String,
    /// The object that the record was made for, `ingress/<namespace>/<name>`. Mate does not say it.
    pub resource: Option<String>,
    /// What else is noted: the `labels` of a DNSEndpoint's record.
    pub labels: BTreeMap<String, String>,
}

impl Mark {
    /// The value with its quotes, byte for byte as external-dns writes it:
    /// `"heritage=external-dns,external-dns/owner=…,external-dns/resource=…"`.
    /// One that is over 255 characters is written as several strings; external-dns,
    /// whose own value Route 53 would refuse, still reads the owner in it.
    #[must_use]
    pub fn to_value(&self) -> String {
        quote(&self.to_text())
    }

    /// The value without quotes.
    pub(super) fn to_text(&self) -> String {
        let labels = self.labels.iter();
        let mut all: BTreeMap<&str, &str> = labels.map(|(k, v)| (k.as_str(), v.as_str())).collect();
        all.insert(OWNER, &self.owner);
        all.extend(
            self.resource
                .as_deref()
                .map(|resource| (RESOURCE, resource)),
        );
        let mut text = HERITAGE.to_owned();
        for (label, value) in all {
            text.extend([",", PREFIX, label, "=", value]);
        }
        text
    }

    /// Reads a TXT value. `None` if it says nothing about ownership.
    #[must_use]
    pub fn from_value(value: &str) -> Option<Self> {
        let text = unquote(value);
        let mut labels = text.split(',');
        if labels.next() != Some(HERITAGE) {
            return None;
        }
        let labels = labels.filter_map(|label| {
            let (label, value) = label.strip_prefix(PREFIX)?.split_once('=')?;
            Some((label.to_owned(), value.to_owned()))
        });
        let mut labels: BTreeMap<_, _> = labels.collect();
        Some(Self {
            owner: labels.remove(OWNER)?,
            resource: labels.remove(RESOURCE),
            labels,
        })
    }

    /// Reads a value that Mate wrote at the name of the record itself: `"mate:<group-id>"`.
    #[must_use]
    pub fn from_mate(value: &str) -> Option<Self> {
        let owner = unquote(value).strip_prefix("mate:")?.to_owned();
        (!owner.is_empty()).then(|| Self {
            owner,
            resource: None,
            labels: BTreeMap::new(),
        })
    }
}

/// The longest string of a TXT value, in octets ([RFC 1035](https://www.rfc-editor.org/rfc/rfc1035#section-3.3)).
const LONGEST_STRING: usize = 255;

/// A TXT value of one string in quotes, or of several where one would be too
/// long: cut after a comma if there is one, so that no label is torn apart.
pub(super) fn quote(text: &str) -> String {
    let mut strings = Vec::new();
    let mut rest = text;
    while rest.len() > LONGEST_STRING {
        let most = (0..=LONGEST_STRING)
            .rev()
            .find(|at| rest.is_char_boundary(*at));
        let (head, _) = rest.split_at(most.unwrap_or(0));
        let cut = head.rfind(',').map_or(head.len(), |comma| comma + 1);
        strings.push(format!("\"{}\"", &rest[..cut]));
        rest = &rest[cut..];
    }
    strings.push(format!("\"{rest}\""));
    strings.join(" ")
}

/// The text of a TXT value: its quoted strings, put together.
pub(super) fn unquote(value: &str) -> String {
    let value = value.trim();
    if !value.starts_with('"') {
        return value.to_owned();
    }
    let mut text = String::with_capacity(value.len());
    let mut quoted = false;
    let mut escaped = false;
    for c in value.chars() {
        match c {
            _ if escaped => {
                text.push(c);
                escaped = false;
            }
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => text.push(c),
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    #[test]
    fn byte_for_byte() {
        let mark = Mark {
            owner: "default".into(),
            resource: Some("ingress/shop/web".into()),
            labels: BTreeMap::new(),
        };
        assert_eq!(
            mark.to_value(),
            r#""heritage=external-dns,external-dns/owner=default,external-dns/resource=ingress/shop/web""#
        );
    }

    #[test]
    fn labels_stand_in_the_order_of_the_alphabet() {
        let text = r#""heritage=external-dns,external-dns/alias=1,external-dns/owner=me,external-dns/resource=crd/shop/web,external-dns/team=x""#;
        let mark = Mark::from_value(text).unwrap();
        assert_eq!((mark.owner.as_str(), mark.labels.len()), ("me", 2));
        assert_eq!(mark.to_value(), text);
    }

    #[test]
    fn only_marks_are_read_as_marks() {
        for value in [
            r#""v=spf1 -all""#,
            r#""heritage=other,external-dns/owner=default""#,
            r#""heritage=external-dns""#,
            r#""""#,
            "",
            r#""xheritage=external-dns,external-dns/owner=a""#,
        ] {
            assert_eq!(Mark::from_value(value), None, "{value}");
        }
        let spread = r#""heritage=external-dns,external-" "dns/owner=a,external-dns/other=1""#;
        assert_eq!(Mark::from_value(spread).unwrap().owner, "a");
        let unquoted = "heritage=external-dns,external-dns/owner=a";
        assert_eq!(Mark::from_value(unquoted).unwrap().owner, "a");
    }

    #[test]
    fn a_long_value_is_several_strings_and_the_owner_is_whole() {
        let mark = Mark {
            owner: "o".repeat(200),
            resource: Some(format!("ingress/shop/{}", "x".repeat(400))),
            labels: BTreeMap::new(),
        };
        let value = mark.to_value();
        let strings: Vec<_> = value.split("\" \"").collect();
        assert_eq!(strings.len(), 3, "{value}");
        assert!(strings.iter().all(|s| s.trim_matches('"').len() <= 255));
        assert!(strings[0].ends_with("oo,"), "{value}");
        assert_eq!(Mark::from_value(&value), Some(mark));
    }

    #[test]
    fn the_mark_of_mate() {
        assert_eq!(Mark::from_mate("\"mate:kube-1\"").unwrap().owner, "kube-1");
        assert_eq!(Mark::from_mate("\"mate:\""), None);
        assert_eq!(Mark::from_value("\"mate:kube-1\""), None);
    }

    proptest! {
        // The same cases each time, so that a change is judged and not luck.
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(53), ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read(owner in "[a-zA-Z0-9:._-]{1,30}", resource in "(ingress|service)/[a-z]{1,9}/[a-z.-]{1,9}",
            labels in prop::collection::btree_map("[a-n]{1,9}", "[a-zA-Z0-9 =./:]{0,9}", 0..3)) {
            let mark = Mark { owner, resource: Some(resource), labels };
            prop_assert_eq!(Mark::from_value(&mark.to_value()), Some(mark));
        }

        #[test]
        fn never_panics(text in ".{0,60}") {
            let _ = Mark::from_value(&text);
            let _ = Mark::from_mate(&text);
        }
    }
}
