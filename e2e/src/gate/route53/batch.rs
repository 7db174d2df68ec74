//! The rules for a change batch, over plain values.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use super::super::answer::AwsError;
use super::super::xml::{self, Element};

/// The types that exist at each name; an entry is a type and a set identifier.
pub(super) type Existing = BTreeMap<String, BTreeSet<(String, String)>>;

/// One change of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    action: String,
    name: String,
    kind: String,
    set: String,
    values: Vec<String>,
    /// It is the primary of a failover pair, no alias, and has no health check.
    unchecked_primary: bool,
}

/// A change batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch(Vec<Change>);

impl Batch {
    /// The batch in a request's body; `None` if it is not one.
    pub(super) fn parse(body: &str) -> Option<Self> {
        let root = xml::parse(body)?;
        let changes = root.at(&["ChangeBatch", "Changes"])?;
        changes
            .children
            .iter()
            .map(Change::parse)
            .collect::<Option<_>>()
            .map(Self)
    }

    /// Every name, once.
    pub(super) fn names(&self) -> BTreeSet<&str> {
        self.0.iter().map(|change| change.name.as_str()).collect()
    }

    /// At most [1,000 record values and 32,000 characters], an UPSERT counted twice.
    ///
    /// [1,000 record values and 32,000 characters]: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html
    pub(super) fn check_size(&self) -> Result<(), AwsError> {
        let (mut records, mut characters) = (0, 0);
        for change in &self.0 {
            let times = if change.action == "UPSERT" { 2 } else { 1 };
            records += times * change.values.len().max(1);
            characters += times * change.values.iter().map(String::len).sum::<usize>();
        }
        if records > 1000 {
            return Err(invalid("Number of records limit of 1000 exceeded."));
        }
        if characters > 32_000 {
            return Err(invalid("Number of characters limit of 32000 exceeded."));
        }
        Ok(())
    }

    /// Addresses are addresses, and texts are quoted strings of at most 255 characters.
    pub(super) fn check_values(&self) -> Result<(), AwsError> {
        for change in &self.0 {
            for value in &change.values {
                let wrong = match change.kind.as_str() {
                    "A" if value.parse::<Ipv4Addr>().is_err() => {
                        "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"
                    }
                    "AAAA" if value.parse::<Ipv6Addr>().is_err() => {
                        "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)"
                    }
                    "TXT"
                        if !value.starts_with('"') || !value.ends_with('"') || value.len() < 2 =>
                    {
                        "InvalidCharacterString (Value should be enclosed in quotation marks)"
                    }
                    "TXT"
                        if value
                            .split("\" \"")
                            .any(|string| string.trim_matches('"').len() > 255) =>
                    {
                        "CharacterStringTooLong (Value is too long)"
                    }
                    _ => continue,
                };
                return Err(invalid(&format!(
                    "Invalid Resource Record: 'FATAL problem: {wrong} encountered with '{value}''"
                )));
            }
        }
        Ok(())
    }

    /// A [primary that is no alias] has a health check.
    ///
    /// [primary that is no alias]: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resource-record-sets-values-failover.html
    pub(super) fn check_primary(&self) -> Result<(), AwsError> {
        let mut made = self.0.iter().filter(|change| change.action != "DELETE");
        match made.find(|change| change.unchecked_primary) {
            None => Ok(()),
            Some(_) => Err(invalid(
                "A non-alias primary ResourceRecordSet must have an associated health check.",
            )),
        }
    }

    /// Every name lies in the zone.
    pub(super) fn check_names(&self, zone: &str) -> Result<(), AwsError> {
        let zone = zone.trim_end_matches('.');
        for change in &self.0 {
            let name = change.name.trim_end_matches('.');
            let inside = name == zone
                || name
                    .strip_suffix(zone)
                    .is_some_and(|rest| rest.ends_with('.'));
            if !inside {
                return Err(invalid(&format!(
                    "RRSet with DNS name {name}. is not permitted in zone {zone}."
                )));
            }
        }
        Ok(())
    }

    /// No CNAME at the apex, none beside other types, in what there is after the batch.
    pub(super) fn check_cname(&self, zone: &str, mut existing: Existing) -> Result<(), AwsError> {
        for change in &self.0 {
            let at = existing.entry(change.name.clone()).or_default();
            let entry = (change.kind.clone(), change.set.clone());
            if change.action == "DELETE" {
                at.remove(&entry);
            } else {
                at.insert(entry);
            }
        }
        for change in self.0.iter().filter(|change| change.action != "DELETE") {
            let (kind, name) = (change.kind.as_str(), change.name.as_str());
            if kind == "CNAME" && name.trim_end_matches('.') == zone.trim_end_matches('.') {
                return Err(invalid(&format!(
                    "RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {zone}"
                )));
            }
            let types: BTreeSet<&str> = existing[name]
                .iter()
                .map(|(kind, _)| kind.as_str())
                .collect();
            if types.len() > 1 && types.contains("CNAME") {
                let text = if kind == "CNAME" {
                    format!(
                        "RRSet of type CNAME with DNS name {name} is not permitted as it conflicts with other records with the same DNS name in zone {zone}"
                    )
                } else {
                    format!(
                        "RRSet of type {kind} with DNS name {name} is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists in zone {zone}"
                    )
                };
                return Err(invalid(&text));
            }
        }
        Ok(())
    }
}

impl Change {
    fn parse(change: &Element) -> Option<Self> {
        let set = change.child("ResourceRecordSet")?;
        let values = set.child("ResourceRecords").map(|records| {
            let values = records.children.iter();
            values
                .filter_map(|record| Some(record.text_at(&["Value"])?.to_owned()))
                .collect()
        });
        Some(Self {
            action: change.text_at(&["Action"])?.to_owned(),
            name: absolute(set.text_at(&["Name"])?),
            kind: set.text_at(&["Type"])?.to_owned(),
            set: set
                .text_at(&["SetIdentifier"])
                .unwrap_or_default()
                .to_owned(),
            values: values.unwrap_or_default(),
            unchecked_primary: set.text_at(&["Failover"]) == Some("PRIMARY")
                && set.child("AliasTarget").is_none()
                && set.child("HealthCheckId").is_none(),
        })
    }
}

/// Adds the record sets of a listing that have one of the names.
pub(super) fn collect(listing: &Element, names: &BTreeSet<&str>, existing: &mut Existing) {
    let sets = listing
        .child("ResourceRecordSets")
        .map(|sets| sets.children.as_slice());
    for set in sets.unwrap_or_default() {
        let text = |field| set.text_at(&[field]).unwrap_or_default();
        let name = absolute(text("Name")).replace("\\052", "*");
        if names.contains(name.as_str()) {
            let entry = (text("Type").to_owned(), text("SetIdentifier").to_owned());
            existing.entry(name).or_default().insert(entry);
        }
    }
}

fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.').to_ascii_lowercase())
}

fn invalid(message: &str) -> AwsError {
    AwsError::new(400, "InvalidChangeBatch", format!("[{message}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(changes: &[(&str, &str, &str, &[&str])]) -> Batch {
        let changes = changes.iter().map(|(action, name, kind, values)| Change {
            action: (*action).into(),
            name: absolute(name),
            kind: (*kind).into(),
            set: String::new(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            unchecked_primary: false,
        });
        Batch(changes.collect())
    }

    fn existing(name: &str, kind: &str) -> Existing {
        Existing::from([(
            absolute(name),
            BTreeSet::from([(kind.to_owned(), String::new())]),
        )])
    }

    #[test]
    fn a_request_is_read() {
        let body = "<R><ChangeBatch><Changes><Change><Action>CREATE</Action><ResourceRecordSet><Name>A.example.org</Name>\
            <Type>TXT</Type><TTL>300</TTL><ResourceRecords><ResourceRecord><Value>&quot;x&quot;</Value></ResourceRecord>\
            </ResourceRecords></ResourceRecordSet></Change></Changes></ChangeBatch></R>";
        assert_eq!(
            Batch::parse(body),
            Some(batch(&[("CREATE", "a.example.org.", "TXT", &["\"x\""])]))
        );
    }

    #[test]
    fn a_batch_has_a_limit_and_an_upsert_counts_twice() {
        let create: Vec<_> = (0..1000)
            .map(|_| ("CREATE", "a.", "A", &["1.1.1.1"][..]))
            .collect();
        assert!(batch(&create).check_size().is_ok());
        let upsert: Vec<_> = (0..501)
            .map(|_| ("UPSERT", "a.", "A", &["1.1.1.1"][..]))
            .collect();
        assert!(batch(&upsert).check_size().is_err());
        let long = format!("\"{}\"", "x".repeat(16_000));
        assert!(
            batch(&[("CREATE", "a.", "TXT", &[&long])])
                .check_size()
                .is_ok()
        );
        assert!(
            batch(&[("UPSERT", "a.", "TXT", &[&long])])
                .check_size()
                .is_err()
        );
    }

    #[test]
    fn values_must_fit_their_type() {
        assert!(
            batch(&[("CREATE", "a.", "A", &["1.2.3.4"])])
                .check_values()
                .is_ok()
        );
        assert!(
            batch(&[("CREATE", "a.", "A", &["lb.example.org"])])
                .check_values()
                .is_err()
        );
        assert!(
            batch(&[("CREATE", "a.", "TXT", &["heritage"])])
                .check_values()
                .is_err()
        );
        let long = format!("\"{}\"", "x".repeat(256));
        assert!(
            batch(&[("CREATE", "a.", "TXT", &[&long])])
                .check_values()
                .is_err()
        );
    }

    #[test]
    fn a_name_that_only_ends_like_the_zone_is_outside() {
        let outside = batch(&[("CREATE", "xexample.org", "A", &["1.1.1.1"])]);
        let error = outside.check_names("example.org.").unwrap_err();
        assert!(
            error
                .message
                .contains("xexample.org. is not permitted in zone example.org.")
        );
        for name in ["example.org", "a.b.example.org."] {
            assert!(
                batch(&[("CREATE", name, "A", &[])])
                    .check_names("example.org.")
                    .is_ok()
            );
        }
    }

    #[test]
    fn a_cname_stands_alone_and_not_at_the_apex() {
        let zone = "example.org.";
        let cname = batch(&[("CREATE", "a.example.org", "CNAME", &["b."])]);
        assert!(cname.check_cname(zone, Existing::new()).is_ok());
        assert!(
            cname
                .check_cname(zone, existing("a.example.org", "A"))
                .is_err()
        );
        let a = batch(&[("CREATE", "a.example.org", "A", &["1.1.1.1"])]);
        assert!(
            a.check_cname(zone, existing("a.example.org", "CNAME"))
                .is_err()
        );
        assert!(
            a.check_cname(zone, existing("a.example.org", "TXT"))
                .is_ok()
        );
        let apex = batch(&[("CREATE", "example.org", "CNAME", &["b."])]);
        assert!(apex.check_cname(zone, Existing::new()).is_err());
        let swap = batch(&[
            ("DELETE", "a.example.org", "A", &["1.1.1.1"]),
            ("CREATE", "a.example.org", "CNAME", &["b."]),
        ]);
        assert!(
            swap.check_cname(zone, existing("a.example.org", "A"))
                .is_ok()
        );
    }
}
