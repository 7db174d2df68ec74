//! Changes of record sets, as steps of a plan.

use std::fmt;
use std::sync::Arc;

use isthmus_core::{Action, Effect, Step};

use crate::{DnsName, RecordSet, Zone};

/// What is done to one record set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub zone: Arc<Zone>,
    /// The name that it is done for: changes for one name succeed or fail together.
    pub name: DnsName,
    /// Whether the record set is an ownership record.
    pub is_mark: bool,
    /// Whether the removal limit counts it: the first removal of a name does.
    pub counts: bool,
    /// What.
    pub verb: Verb,
}

/// A change, with the whole record sets that Route 53 wants to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// There was none. `CREATE`: refused if there is one after all.
    Create(RecordSet),
    /// It is changed in place. `UPSERT`.
    Update {
        /// As it was read.
        from: RecordSet,
        /// As it shall be.
        to: RecordSet,
    },
    /// It is replaced, because Route 53 does not change its nature in place. `DELETE` and `CREATE`.
    Replace {
        /// As it was read.
        from: RecordSet,
        /// As it shall be.
        to: RecordSet,
    },
    /// Our mark is taken out of a TXT record that has other values too. `UPSERT`.
    Strip {
        /// As it was read.
        from: RecordSet,
        /// What is left.
        to: RecordSet,
    },
    /// It goes, exactly as it was read. `DELETE`: refused if it is different by now.
    Delete {
        /// As it was read.
        record: RecordSet,
        /// It makes room for another record set of the same name.
        gives_way: bool,
    },
}

impl Verb {
    /// The change of `from` into `to`, in place where Route 53 can: not between
    /// an alias and values, nor between kinds of routing policy.
    #[must_use]
    pub fn transition(from: &RecordSet, to: RecordSet) -> Self {
        let in_place =
            from.data.is_alias() == to.data.is_alias() && from.routing.same_kind(&to.routing);
        let from = from.clone();
        if in_place {
            Self::Update { from, to }
        } else {
            Self::Replace { from, to }
        }
    }

    /// The record set that is written or deleted.
    #[must_use]
    pub fn record(&self) -> &RecordSet {
        match self {
            Self::Create(record) | Self::Delete { record, .. } => record,
            Self::Update { to, .. } | Self::Replace { to, .. } | Self::Strip { to, .. } => to,
        }
    }

    /// What Route 53 counts for it: [elements, values, characters]. An UPSERT counts twice
    /// ([limits](https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html#limits-api-requests-changeresourcerecordsets)).
    #[must_use]
    pub fn weight(&self) -> [usize; 3] {
        let of = |record: &RecordSet| [1, record.value_count(), record.value_chars()];
        match self {
            Self::Create(record) | Self::Delete { record, .. } => of(record),
            Self::Update { to, .. } | Self::Strip { to, .. } => of(to).map(|count| count * 2),
            Self::Replace { from, to } => {
                let (from, to) = (of(from), of(to));
                std::array::from_fn(|i| from[i] + to[i])
            }
        }
    }
}

impl Change {
    /// Why a removal or a change is not carried out under a policy that leaves it out.
    pub(crate) const WITHHELD_BY_POLICY: &str = "policy";
    /// Why a removal is not carried out while the API of its source is not served.
    pub const SOURCE_UNAVAILABLE: &str = "source-unavailable";
}

impl Action for Change {
    fn effect(&self) -> Effect {
        match &self.verb {
            Verb::Create(_) => Effect::Add,
            Verb::Delete {
                gives_way: false, ..
            }
            | Verb::Strip { .. } => Effect::Remove,
            Verb::Update { .. } | Verb::Replace { .. } | Verb::Delete { .. } => Effect::Change,
        }
    }

    fn kind(&self) -> &'static str {
        if self.is_mark {
            "ownership"
        } else {
            "record-set"
        }
    }

    fn name(&self) -> String {
        self.verb.record().key.to_string()
    }

    fn removes(&self) -> usize {
        usize::from(self.counts)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verb {
            Verb::Create(record)
            | Verb::Delete {
                record,
                gives_way: false,
            } => write!(f, "{record}")?,
            Verb::Update { from, to } | Verb::Replace { from, to } | Verb::Strip { from, to } => {
                write!(f, "{from} -> {to}")?;
            }
            Verb::Delete {
                record,
                gives_way: true,
            } => write!(f, "{record} makes room")?,
        }
        write!(f, " in {}", self.zone)
    }
}

/// The part of a step's order within its name: what goes makes room for what comes.
pub(crate) fn order(step: &Step<Change>) -> (u8, bool) {
    let rank = match &step.action.verb {
        Verb::Delete { .. } => 0,
        Verb::Update { .. } | Verb::Replace { .. } | Verb::Strip { .. } => 1,
        Verb::Create(_) => 2,
    };
    (rank, step.action.is_mark)
}
