//! Who owns a record: the TXT records beside it.

mod claim;
mod encryption;
mod handover;
mod names;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub use encryption::Encryption;
pub use names::Affix;
pub use value::Mark;

use crate::record::RecordType;
use crate::routing::Failover;
use crate::{DnsName, RecordData, RecordKey, RecordSet, Routing, Zone, ZoneRecords};

/// `--registry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registry {
    /// Ownership is written into TXT records, as external-dns does.
    Txt(TxtRegistry),
    /// Every record that the filters admit counts as owned.
    Noop,
}

/// `--registry=txt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxtRegistry {
    /// `--txt-owner-id`.
    pub owner: String,
    /// Where it is written.
    pub affix: Affix,
    /// How it is kept from others' eyes, and read where it was.
    pub encryption: Option<Encryption>,
    /// `--adopt-from-owner`: owners whose records become ours where an object of
    /// this cluster asks for their names.
    pub adopt_from: BTreeSet<String>,
}

/// Who owns a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// We do.
    Ours {
        /// The object that it was made for, where the mark says it.
        resource: Option<String>,
        /// Every TXT record of ours that says so, the deciding one first.
        marks: Vec<RecordKey>,
    },
    /// An owner that we take over from: ours where its name is asked for here,
    /// else that owner's.
    HandedOver {
        /// The owner so far.
        owner: String,
        /// The object that it was made for, where the mark says it.
        resource: Option<String>,
        /// Every TXT record of that owner that says so, the deciding one first.
        marks: Vec<RecordKey>,
    },
    /// Somebody else, or nobody knows: it is left alone.
    Foreign(Foreign),
}

/// Why a record is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// Nothing says who owns it.
    Unmarked,
    /// Another owner's mark.
    Owner(String),
    /// The mark at this name may also be meant for another record.
    Ambiguous(DnsName),
    /// Its type or its name is not for us to manage.
    Unmanaged,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unmarked => f.write_str("has no ownership record"),
            Self::Unmanaged => f.write_str("is not managed here"),
            Self::Owner(owner) => write!(f, "is owned by {owner:?}"),
            Self::Ambiguous(mark) => write!(
                f,
                "has an ownership record ({mark}) that may be another record's"
            ),
        }
    }
}

impl Claim {
    /// Whether the record may be changed or deleted.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Ours { .. })
    }

    /// The object that the record was made for, if it is ours or may become so.
    #[must_use]
    pub fn resource(&self) -> Option<&str> {
        match self {
            Self::Ours { resource, .. } | Self::HandedOver { resource, .. } => resource.as_deref(),
            Self::Foreign(_) => None,
        }
    }
}

impl Registry {
    /// Who owns `record`, by the TXT records of its zone.
    #[must_use]
    pub fn claim(&self, record: &RecordSet, zone: &ZoneRecords) -> Claim {
        match self {
            Self::Noop => Claim::Ours {
                resource: None,
                marks: Vec::new(),
            },
            Self::Txt(registry) => registry.claim(record, zone),
        }
    }

    /// Whether a TXT record tells of ownership rather than being a record of its own.
    #[must_use]
    pub fn is_mark(&self, txt: &RecordSet) -> bool {
        let sealed = |value: &str| match self {
            Self::Txt(registry) => registry.read(value).is_some(),
            Self::Noop => false,
        };
        match &txt.data {
            RecordData::Values { values, .. } => values.iter().any(|value| {
                Mark::from_value(value)
                    .or_else(|| Mark::from_mate(value))
                    .is_some()
                    || sealed(value)
            }),
            RecordData::Alias(_) => false,
        }
    }
}

impl TxtRegistry {
    /// The registry of `owner`, in plain text.
    #[must_use]
    pub fn new(owner: &str, affix: Affix) -> Self {
        Self {
            owner: owner.to_owned(),
            affix,
            encryption: None,
            adopt_from: BTreeSet::new(),
        }
    }

    /// What a TXT value says about ownership, sealed or plain: a zone may have
    /// both from before the encryption was switched on.
    #[must_use]
    pub fn read(&self, value: &str) -> Option<Mark> {
        Mark::from_value(value).or_else(|| {
            let opened = self.encryption.as_ref()?.open(&value::unquote(value))?;
            Mark::from_value(&opened)
        })
    }

    /// The value to write for a mark at this place.
    fn value(&self, mark: &Mark, place: &RecordKey) -> String {
        let sealed = self.encryption.as_ref().filter(|key| key.writes());
        let sealed = sealed.and_then(|key| key.seal(&mark.to_text(), &place.to_string()));
        sealed.map_or_else(|| mark.to_value(), |sealed| value::quote(&sealed))
    }

    /// Whether there is nothing to change to make `mark` out of what is there.
    /// Sealed values that say the same may look different.
    pub(crate) fn is_written(&self, mark: &RecordSet, there: &RecordSet) -> bool {
        if mark.same_as(there, true) {
            return true;
        }
        let (RecordData::Values { values, .. }, RecordData::Values { values: found, .. }) =
            (&mark.data, &there.data)
        else {
            return false;
        };
        let ([value], [found]) = (&values[..], &found[..]) else {
            return false;
        };
        let sealed = |value: &str| Mark::from_value(value).is_none();
        let mut respelled = there.clone();
        if let RecordData::Values { values: found, .. } = &mut respelled.data {
            found.clone_from(values);
        }
        sealed(value)
            && sealed(found)
            && self.read(value) == self.read(found)
            && mark.same_as(&respelled, true)
    }

    /// The TXT record that says that `record` is ours and was made for the
    /// object of `origin`. It has the TTL and the routing policy that
    /// external-dns gives it. `None` if no name for it fits.
    #[must_use]
    pub fn mark(&self, record: &RecordSet, zone: &Zone, origin: &Origin) -> Option<RecordSet> {
        const TTL: u32 = 300;
        let (host, record_type) = (&record.key.name, &record.key.record_type);
        let mut name = self.affix.to_write(host, record_type, &zone.name)?;
        let mut routing = record.routing.clone();
        let mut health_check = None;
        if let Routing::Failover(side) = record.routing {
            // Route 53 takes no primary without a health check unless it is an
            // alias, which a mark never is.
            if side == Failover::Primary {
                health_check.clone_from(&record.health_check);
            }
            let own = names::own(host, record_type);
            if side == Failover::Primary && health_check.is_none() {
                name = Some(own.clone()).filter(DnsName::fits)?;
            }
            if name == own {
                (routing, health_check) = (Routing::Weighted(0), None);
            }
        }
        let mark = Mark {
            owner: self.owner.clone(),
            resource: Some(origin.resource.clone()),
            labels: origin.labels.clone(),
        };
        let key = txt_key(name, record);
        let values = vec![self.value(&mark, &key)];
        Some(RecordSet {
            key,
            routing,
            health_check,
            data: RecordData::Values { ttl: TTL, values },
        })
    }
}

/// What a record was made for, in the words of the registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// `ingress/<namespace>/<name>`.
    pub resource: String,
    /// What else its author wants noted of it.
    pub labels: BTreeMap<String, String>,
}

fn txt_key(name: DnsName, record: &RecordSet) -> RecordKey {
    RecordKey {
        name,
        record_type: RecordType::Txt,
        set_identifier: record.key.set_identifier.clone(),
    }
}

fn mark_at(
    key: &RecordKey,
    zone: &ZoneRecords,
    read: impl Fn(&str) -> Option<Mark>,
) -> Option<Mark> {
    match &zone.records.get(key)?.data {
        RecordData::Values { values, .. } => values.iter().find_map(|value| read(value)),
        RecordData::Alias(_) => None,
    }
}

/// What stands at the name where a mark is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Site {
    /// Nothing.
    Free,
    /// Our mark or one that we take over, and nothing else.
    Ours,
    /// Something that is not ours to change.
    Taken(Foreign),
}

impl TxtRegistry {
    /// What stands where `mark` is to be written.
    pub(crate) fn site(&self, mark: &RecordSet, zone: &ZoneRecords) -> Site {
        let Some(there) = zone.records.get(&mark.key) else {
            let mut others = zone.at(&mark.key.name);
            let cname = others.any(|other| other.key.record_type == RecordType::Cname);
            return if cname {
                Site::Taken(Foreign::Unmarked)
            } else {
                Site::Free
            };
        };
        let RecordData::Values { values, .. } = &there.data else {
            return Site::Taken(Foreign::Unmarked);
        };
        let marks: Vec<_> = values.iter().filter_map(|value| self.read(value)).collect();
        match marks.iter().find(|mark| !self.may_change(&mark.owner)) {
            Some(other) => Site::Taken(Foreign::Owner(other.owner.clone())),
            None if marks.len() == values.len() => Site::Ours,
            None => Site::Taken(Foreign::Unmarked),
        }
    }
}

#[cfg(test)]
mod tests;
