//! Ring 1: the decisions of isthmus-dns, as pure functions.
//!
//! ```text
//! Snapshot -> desired -> Desired (who wants which name), rejections
//!          -> Grace      (load balancers that vanished for a moment)
//! Observed -> plan    -> Plan<Change>, rejections
//!          -> Quarantine (names that Route 53 refused)
//!          -> batches -> what one ChangeResourceRecordSets call carries
//! ```
//!
//! # Guarantees
//!
//! * Equal inputs give equal plans, whatever the order of the snapshot.
//! * No step touches a record set that the registry does not say is ours, nor an
//!   ownership record of anybody else.
//! * A deletion repeats exactly what was read.
//! * Once a plan is carried out, the next one is empty.

mod annotations;
mod batch;
mod canonical_zone;
mod change;
mod config;
mod conflict;
mod desired;
mod grace;
mod name;
mod observed;
mod owned;
mod plan;
mod policy;
mod quarantine;
pub mod reason;
pub mod record;
pub mod registry;
pub mod routing;
mod row;
mod selector;
pub mod snapshot;
mod source;
mod wanted;
mod zone;

pub use annotations::{AliasTypes, PREFIXES, Targets, annotation_reference};
pub use batch::{Batch, Limits, Unit, batches};
pub use change::{Change, Verb};
pub use config::{AliasIpv6, AliasOptions, Config, Policy, ServiceOptions, SourceOptions};
pub use desired::{Answer, Candidate, Content, Desired, Slot, Wish, desired};
pub use grace::Grace;
pub use name::{DnsName, NameError};
pub use observed::{Observed, ZoneRecords};
pub use owned::{Owned, owned};
pub use plan::{Decision, plan};
pub use quarantine::Quarantine;
pub use record::{Alias, RecordData, RecordKey, RecordSet, RecordType};
pub use registry::{Affix, Encryption, Origin, Registry, TxtRegistry};
pub use routing::Routing;
pub use selector::{Selector, SelectorError};
pub use snapshot::Snapshot;
pub use source::Source;
pub use zone::{DomainFilter, Zone, ZoneFilter, ZoneId, ZoneType, zones_of};
