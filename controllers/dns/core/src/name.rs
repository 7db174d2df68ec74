//! DNS names in one spelling.

use std::fmt;

use serde::Serialize;

/// A DNS name in lower case, without the dot at its end and with `*` written as
/// `*`: two spellings of one name are equal.
///
/// Route 53 lists names with a dot at the end, in lower case and with everything
/// but letters, digits and `-_.` as [octal escapes], so `*` comes as `\052`.
///
/// [octal escapes]: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct DnsName(String);

/// A text that cannot be a name of a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a DNS name: {why}")]
pub struct NameError {
    /// The text as written.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// The longest label, in octets ([RFC 1035](https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4)).
pub(crate) const MAX_LABEL: usize = 63;
/// The longest name in its text form, without the dot at the end.
pub(crate) const MAX_NAME: usize = 253;

impl DnsName {
    /// Reads a host name that a user wrote: letters, digits, `-` and `_`, and
    /// `*` as the whole first label. Spaces around it and a dot at its end are
    /// forgiven.
    ///
    /// # Errors
    ///
    /// What is wrong: an empty label, a label over 63, a name over 253 or a
    /// character that is not allowed. Names in other scripts must be written in
    /// Punycode.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let name = Self::from_route53(text.trim());
        match fault(&name.0) {
            None => Ok(name),
            Some(why) => Err(NameError {
                text: text.to_owned(),
                why,
            }),
        }
    }

    /// Reads a name as Route 53 lists it, or the host name of a load balancer.
    /// Escapes of printable characters are resolved; the others, which would
    /// change the meaning, stay as they are.
    #[must_use]
    pub fn from_route53(text: &str) -> Self {
        let text = text.strip_suffix('.').unwrap_or(text);
        let mut name = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('\\') {
            name.push_str(&rest[..at]);
            let escape = rest.get(at + 1..at + 4);
            if let Some(c) = escape.and_then(printable) {
                name.push(c);
                rest = &rest[at + 4..];
            } else {
                name.push('\\');
                rest = &rest[at + 1..];
            }
        }
        name.push_str(rest);
        name.make_ascii_lowercase();
        Self(name)
    }

    /// The name without the dot at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name with a dot at its end, as Route 53 lists it.
    #[must_use]
    pub fn absolute(&self) -> String {
        format!("{}.", self.0)
    }

    /// The first label and what follows its dot, which is `None` for a single label.
    #[must_use]
    pub fn split(&self) -> (&str, Option<&str>) {
        match self.0.split_once('.') {
            Some((label, rest)) => (label, Some(rest)),
            None => (&self.0, None),
        }
    }

    /// Whether this is `zone` or a name below it.
    #[must_use]
    pub fn is_within(&self, zone: &Self) -> bool {
        match self.0.strip_suffix(&zone.0) {
            Some(head) => head.is_empty() || head.ends_with('.'),
            None => false,
        }
    }

    /// Whether a resolver could look it up: label and total lengths.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.0.len() <= MAX_NAME
            && self
                .0
                .split('.')
                .all(|label| (1..=MAX_LABEL).contains(&label.len()))
    }
}

/// The printable character that three octal digits stand for, if resolving them is safe.
fn printable(digits: &str) -> Option<char> {
    let code = u8::from_str_radix(digits, 8).ok()?;
    (code.is_ascii_graphic() && code != b'.' && code != b'\\').then_some(char::from(code))
}

fn fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is empty");
    }
    if name.len() > MAX_NAME {
        return Some("it is longer than 253 characters");
    }
    for (index, label) in name.split('.').enumerate() {
        if label.is_empty() {
            return Some("it has an empty label");
        }
        if label.len() > MAX_LABEL {
            return Some("it has a label longer than 63 characters");
        }
        let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if !(label.bytes().all(legal) || index == 0 && label == "*") {
            return Some("allowed are letters, digits, '-' and '_', and '*' as the first label");
        }
    }
    None
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    #[test]
    fn spellings_of_one_name_are_equal() {
        let name = DnsName::parse("*.example.org").unwrap();
        for spelling in ["\\052.example.org.", "*.EXAMPLE.org", "*.example.org."] {
            assert_eq!(DnsName::from_route53(spelling), name, "{spelling}");
        }
    }

    #[test]
    fn escapes_that_carry_meaning_stay() {
        for text in [
            "a\\056b.example.org",
            "a\\000b.example.org",
            "a\\134.org",
            "a\\05",
            "a\\",
        ] {
            assert_eq!(DnsName::from_route53(text).as_str(), text);
        }
    }

    #[test]
    fn wrong_names_are_refused() {
        let long_label = format!("{}.org", "a".repeat(64));
        let long_name = vec!["abcdefghi"; 26].join(".");
        for text in [
            "",
            ".",
            "a..b",
            "ex ample.org",
            "a.*.org",
            "exämple.org",
            "a*.org",
            &long_label,
            &long_name,
        ] {
            assert!(DnsName::parse(text).is_err(), "{text:?}");
        }
        assert!(DnsName::parse(&format!("{}.org", "a".repeat(63))).is_ok());
        assert!(DnsName::parse("_sip._tcp.example.org").is_ok());
    }

    #[test]
    fn within_counts_labels_and_not_letters() {
        let zone = DnsName::parse("example.org").unwrap();
        for (name, within) in [
            ("example.org", true),
            ("a.example.org", true),
            ("badexample.org", false),
            ("org", false),
        ] {
            assert_eq!(
                DnsName::parse(name).unwrap().is_within(&zone),
                within,
                "{name}"
            );
        }
    }

    proptest! {
        // The same cases each time, so that a change is judged and not luck.
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(53), ..ProptestConfig::default() })]

        #[test]
        fn reading_twice_changes_nothing(text in ".{0,40}") {
            let once = DnsName::from_route53(&text);
            prop_assume!(!once.as_str().contains('\\') && !once.as_str().ends_with('.'));
            prop_assert_eq!(DnsName::from_route53(once.as_str()), once);
        }
    }
}
