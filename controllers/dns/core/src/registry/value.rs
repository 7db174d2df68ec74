//! What is written about the owner of a record: external-dns's labels, and Mate's mark.

/// The text before everything in a value of external-dns's registry.
const HERITAGE: &str = "heritage=external-dns";

/// What a TXT value says about ownership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// `--txt-owner-id` of external-dns, the group id of Mate.
    pub owner: String,
    /// The object that the record was made for, `ingress/<namespace>/<name>`. Mate does not say it.
    pub resource: Option<String>,
}

impl Mark {
    /// The value with its quotes, byte for byte as external-dns writes it:
    /// `"heritage=external-dns,external-dns/owner=…,external-dns/resource=…"`.
    #[must_use]
    pub fn to_value(&self) -> String {
        let owner = &self.owner;
        match &self.resource {
            Some(resource) => {
                format!(
                    "\"{HERITAGE},external-dns/owner={owner},external-dns/resource={resource}\""
                )
            }
            None => format!("\"{HERITAGE},external-dns/owner={owner}\""),
        }
    }

    /// Reads a TXT value. `None` if it says nothing about ownership.
    #[must_use]
    pub fn from_value(value: &str) -> Option<Self> {
        let text = unquote(value);
        let mut labels = text.split(',');
        if labels.next() != Some(HERITAGE) {
            return None;
        }
        let (mut owner, mut resource) = (None, None);
        for label in labels {
            match label.split_once('=') {
                Some(("external-dns/owner", value)) => owner = Some(value.to_owned()),
                Some(("external-dns/resource", value)) => resource = Some(value.to_owned()),
                _ => {}
            }
        }
        owner.map(|owner| Self { owner, resource })
    }

    /// Reads a value that Mate wrote at the name of the record itself: `"mate:<group-id>"`.
    #[must_use]
    pub fn from_mate(value: &str) -> Option<Self> {
        let owner = unquote(value).strip_prefix("mate:")?.to_owned();
        (!owner.is_empty()).then_some(Self {
            owner,
            resource: None,
        })
    }
}

/// The text of a TXT value: its quoted strings, put together.
fn unquote(value: &str) -> String {
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

    #[test]
    fn byte_for_byte() {
        let mark = Mark {
            owner: "default".into(),
            resource: Some("ingress/shop/web".into()),
        };
        assert_eq!(
            mark.to_value(),
            r#""heritage=external-dns,external-dns/owner=default,external-dns/resource=ingress/shop/web""#
        );
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
    fn the_mark_of_mate() {
        assert_eq!(Mark::from_mate("\"mate:kube-1\"").unwrap().owner, "kube-1");
        assert_eq!(Mark::from_mate("\"mate:\""), None);
        assert_eq!(Mark::from_value("\"mate:kube-1\""), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(owner in "[a-zA-Z0-9:._-]{1,30}", resource in "(ingress|service)/[a-z]{1,9}/[a-z.-]{1,9}") {
            let mark = Mark { owner, resource: Some(resource) };
            prop_assert_eq!(Mark::from_value(&mark.to_value()), Some(mark));
        }

        #[test]
        fn never_panics(text in ".{0,60}") {
            let _ = Mark::from_value(&text);
            let _ = Mark::from_mate(&text);
        }
    }
}
