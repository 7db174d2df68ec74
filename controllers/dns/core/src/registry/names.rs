//! Where the ownership of a record is written: the names of external-dns's TXT registry.

use crate::record::RecordType;
use crate::{DnsName, RecordSet};

const TEMPLATE: &str = "%{record_type}";

/// `--txt-prefix`, `--txt-suffix` and `--txt-wildcard-replacement`.
///
/// The names are external-dns's, byte for byte, so that either can take over
/// from the other: the type and a dash before the first label, or the type
/// wherever an affix says `%{record_type}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affix {
    prefix: String,
    suffix: String,
    wildcard: String,
}

impl Affix {
    /// The affixes in lower case. At most one of `prefix` and `suffix` is not
    /// empty; an empty `wildcard` leaves `*` in the name.
    #[must_use]
    pub fn new(prefix: &str, suffix: &str, wildcard: &str) -> Self {
        Self {
            prefix: prefix.to_ascii_lowercase(),
            suffix: suffix.to_ascii_lowercase(),
            wildcard: wildcard.to_ascii_lowercase(),
        }
    }

    /// The name that external-dns writes for a record of this name and type.
    #[must_use]
    pub fn current(&self, name: &DnsName, record_type: &RecordType) -> DnsName {
        let word = record_type.as_str().to_ascii_lowercase();
        let prefix = self.prefix.replace(TEMPLATE, &word);
        let suffix = self.suffix.replace(TEMPLATE, &word);
        let dash = if self.is_template() {
            String::new()
        } else {
            format!("{word}-")
        };
        self.build(name, &format!("{prefix}{dash}"), &suffix)
    }

    /// The name that versions before the type was in it wrote, one for all types.
    #[must_use]
    pub fn bare(&self, name: &DnsName) -> DnsName {
        let prefix = self.prefix.replace(TEMPLATE, "");
        let suffix = self.suffix.replace(TEMPLATE, "");
        self.build(name, &prefix, &suffix)
    }

    /// With a template, external-dns also reads the type from its usual place
    /// between the affix without the template and the first label.
    fn untemplated(&self, name: &DnsName, record_type: &RecordType) -> Option<DnsName> {
        let word = record_type.as_str().to_ascii_lowercase();
        let prefix = self.prefix.replace(TEMPLATE, "");
        let suffix = self.suffix.replace(TEMPLATE, "");
        self.is_template()
            .then(|| self.build(name, &format!("{prefix}{word}-"), &suffix))
    }

    fn is_template(&self) -> bool {
        self.prefix.contains(TEMPLATE) || self.suffix.contains(TEMPLATE)
    }

    fn build(&self, name: &DnsName, before: &str, after: &str) -> DnsName {
        let (label, rest) = name.split();
        let label = if label == "*" && !self.wildcard.is_empty() {
            &self.wildcard
        } else {
            label
        };
        match rest {
            None => DnsName::from_route53(&format!("{before}{label}{after}")),
            Some(rest) => DnsName::from_route53(&format!("{before}{label}{after}.{rest}")),
        }
    }

    /// The name to write, in this zone. It is external-dns's current one where
    /// that is a legal name inside the zone. Where it is not, at the apex and for
    /// labels that would grow over 63, it is external-dns's older form if an
    /// affix with a dot puts that inside the zone (external-dns reads it, though
    /// not for AAAA; written for A and CNAME alone), and else a form of our own, one label more. `None` if no form fits.
    #[must_use]
    pub fn to_write(
        &self,
        name: &DnsName,
        record_type: &RecordType,
        zone: &DnsName,
    ) -> Option<DnsName> {
        let fits = |candidate: &DnsName| candidate.fits() && candidate.is_within(zone);
        let current = self.current(name, record_type);
        if fits(&current) {
            return Some(current);
        }
        let bare = self.bare(name);
        // It is one name for all types: what stands beside an address needs its own.
        let bare_speaks_of_it = matches!(record_type, RecordType::A | RecordType::Cname);
        if fits(&bare) && bare != *name && bare_speaks_of_it {
            return Some(bare);
        }
        Some(own(name, record_type)).filter(fits)
    }

    /// Every name at which the ownership of this record may be written, the one
    /// that decides first. `true` marks external-dns's old form, in which the
    /// type is not said.
    #[must_use]
    pub fn to_read(&self, record: &RecordSet) -> Vec<(DnsName, bool)> {
        let (name, record_type) = (&record.key.name, &record.key.record_type);
        let mut names = vec![(self.current(name, record_type), false)];
        names.extend(
            self.untemplated(name, record_type)
                .map(|name| (name, false)),
        );
        if *record_type == RecordType::A && record.data.is_alias() {
            // Until 0.22 external-dns kept an alias under the type it was asked for as.
            names.push((self.current(name, &RecordType::Cname), false));
        }
        names.push((own(name, record_type), false));
        if *record_type != RecordType::Aaaa {
            names.push((self.bare(name), true));
        }
        names
    }
}

/// A form of our own that fits wherever the record does: a label more. External-dns
/// takes it for the mark of a name that does not exist, and leaves it alone.
pub(super) fn own(name: &DnsName, record_type: &RecordType) -> DnsName {
    let word = record_type.as_str().to_ascii_lowercase();
    DnsName::from_route53(&format!("_isthmus-{word}.{name}"))
}

#[cfg(test)]
mod tests;
