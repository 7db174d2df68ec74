//! Values of records that are no addresses, as Route 53 takes them
//! ([formats](https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html)).

use crate::DnsName;
use crate::record::RecordType;

/// A value that is not one of its type: what would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault(pub(super) &'static str);

/// The most characters of one string of a TXT value.
const MAX_STRING: usize = 255;

/// A value of a record of this type. Spaces around it are forgiven, and where
/// it ends in a name, so are a dot at the end and the lack of one.
pub(super) fn value(record_type: &RecordType, text: &str) -> Result<String, Fault> {
    let text = text.trim();
    match record_type {
        RecordType::Txt => txt(text).ok_or(Fault(
            "text without control characters, or strings in quotes of at most 255 characters each",
        )),
        RecordType::Mx => numbers_and_host::<1>(text).ok_or(Fault("\"<preference> <host>\"")),
        RecordType::Srv => {
            numbers_and_host::<3>(text).ok_or(Fault("\"<priority> <weight> <port> <host>.\""))
        }
        RecordType::Naptr => naptr(text).ok_or(Fault(
            "'<order> <preference> \"<flags>\" \"<service>\" \"<regexp>\" <replacement>'",
        )),
        _ => {
            DnsName::parse(text).map_err(|_| Fault("a host name"))?;
            Ok(text.to_owned())
        }
    }
}

fn numbers_and_host<const NUMBERS: usize>(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (host, numbers) = words.split_last()?;
    let right = numbers.len() == NUMBERS && numbers.iter().all(|n| n.parse::<u16>().is_ok());
    // A single dot says that there is no such service.
    let named = *host == "." || DnsName::parse(host).is_ok();
    (right && named).then(|| words.join(" "))
}

fn naptr(text: &str) -> Option<String> {
    let (order, rest) = text.split_once(' ')?;
    let (preference, rest) = rest.trim_start().split_once(' ')?;
    let (strings, replacement) = rest.rsplit_once(' ')?;
    let right = order.parse::<u16>().is_ok()
        && preference.parse::<u16>().is_ok()
        && quoted(strings)? == 3
        && (replacement == "." || DnsName::parse(replacement).is_ok());
    right.then(|| text.to_owned())
}

/// Quotes a text, in pieces if it is long; leaves one that is in quotes already.
fn txt(text: &str) -> Option<String> {
    if text.starts_with('"') {
        return quoted(text).map(|_| text.to_owned());
    }
    if text.is_empty() || !text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        return None;
    }
    let characters: Vec<char> = text.chars().collect();
    let strings = characters.chunks(MAX_STRING).map(|piece| {
        let piece: String = piece.iter().collect();
        format!("\"{}\"", piece.replace('\\', "\\\\").replace('"', "\\\""))
    });
    Some(strings.collect::<Vec<_>>().join(" "))
}

/// How many strings in quotes a text is made of, with spaces between; `None` if it is not.
fn quoted(text: &str) -> Option<usize> {
    let (mut count, mut length, mut open, mut escaped) = (0, 0, false, false);
    for c in text.chars() {
        match c {
            _ if escaped => {
                escaped = false;
                length += 1;
            }
            '\\' if open => escaped = true,
            '"' => {
                open = !open;
                count += usize::from(open);
                length = 0;
            }
            _ if open => length += 1,
            ' ' => {}
            _ => return None,
        }
        if length > MAX_STRING || c.is_control() {
            return None;
        }
    }
    (!open && count > 0).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_each_type() {
        for (record_type, text, value_of) in [
            (
                RecordType::Mx,
                " 10  mail.example.org ",
                Some("10 mail.example.org"),
            ),
            (RecordType::Mx, "mail.example.org", None),
            (RecordType::Mx, "ten mail.example.org", None),
            (RecordType::Mx, "0 .", Some("0 .")),
            (
                RecordType::Srv,
                "0 50 80 a.example.org.",
                Some("0 50 80 a.example.org."),
            ),
            (RecordType::Srv, "0 50 a.example.org.", None),
            (RecordType::Srv, "0 50 70000 a.example.org.", None),
            (RecordType::Ns, "ns-1.example.org", Some("ns-1.example.org")),
            (RecordType::Ns, "192 168", None),
            (
                RecordType::Ptr,
                "host.example.org.",
                Some("host.example.org."),
            ),
            (RecordType::Txt, "v=spf1 -all", Some("\"v=spf1 -all\"")),
            (RecordType::Txt, "say \"hi\"", Some("\"say \\\"hi\\\"\"")),
            (RecordType::Txt, "\"a b\" \"c\"", Some("\"a b\" \"c\"")),
            (RecordType::Txt, "\"a", None),
            (RecordType::Txt, "", None),
            (RecordType::Txt, "a\nb", None),
            (
                RecordType::Naptr,
                "100 50 \"s\" \"http\" \"\" _http._tcp.example.org.",
                Some("100 50 \"s\" \"http\" \"\" _http._tcp.example.org."),
            ),
            (
                RecordType::Naptr,
                "100 50 s http _http._tcp.example.org.",
                None,
            ),
        ] {
            let found = value(&record_type, text).ok();
            assert_eq!(found.as_deref(), value_of, "{record_type} {text:?}");
        }
    }

    #[test]
    fn a_long_text_is_made_of_strings_that_fit() {
        let text = value(&RecordType::Txt, &"x".repeat(600)).unwrap();
        assert_eq!(quoted(&text), Some(3));
        assert!(value(&RecordType::Txt, &format!("\"{}\"", "x".repeat(256))).is_err());
    }
}
