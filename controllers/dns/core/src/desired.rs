//! What the objects of the cluster ask for.

use std::collections::{BTreeMap, BTreeSet};

use isthmus_core::{ObjectRef, Rejection};

use crate::annotations::{AliasTypes, Targets};
use crate::record::RecordType;
use crate::{Config, DnsName, Routing, Snapshot, Source, ZoneId};
use reading::Reading;

mod endpoint;
mod hosts;
mod node_port;
mod pods;
mod reading;
mod service;
mod value;

/// Who asks for which name. Which of several gets it is decided in each zone,
/// where it is known who has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// In the order of the objects, whatever the order of the snapshot.
    pub names: BTreeMap<DnsName, Vec<Candidate>>,
    /// Faulty objects, in the words of the registry: nothing that was made for
    /// one is deleted, even if it cannot be read off it any more.
    pub frozen: BTreeSet<String>,
    /// Sources that cannot be asked: nothing that was made for their objects is
    /// changed or deleted.
    pub unavailable: BTreeSet<Source>,
}

/// One object's wish for one name and slot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// The object.
    pub object: ObjectRef,
    /// The object in the words of the registry: `ingress/<namespace>/<name>`.
    pub resource: String,
    /// What else is to be noted in the registry.
    pub labels: BTreeMap<String, String>,
    /// Tells it from others of the name under a routing policy.
    pub set_identifier: Option<String>,
    /// Which records of the name it is about.
    pub slot: Slot,
    /// The one zone it is for.
    pub pin: Option<ZoneId>,
    /// What is to be published.
    pub wish: Wish,
}

/// The records of a name that are decided about together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// How the host is found: A, AAAA and CNAME, aliases among them.
    Address,
    /// Records of another type.
    Type(RecordType),
}

impl Slot {
    /// The slot of records of this type.
    #[must_use]
    pub fn of(record_type: &RecordType) -> Self {
        if record_type.is_address() {
            Self::Address
        } else {
            Self::Type(record_type.clone())
        }
    }
}

/// What is to be published for a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// This.
    Publish(Box<Answer>),
    /// Nothing new: the object is faulty, and what it has stays until it is right.
    Frozen,
    /// Nothing yet: the object has no target, and what it has stays for a while.
    Waiting,
}

/// An answer, before it is known which record types it makes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answer {
    /// What the name answers.
    pub content: Content,
    /// Seconds, where the object says them.
    pub ttl: Option<u32>,
    /// The routing policy.
    pub routing: Routing,
    /// The health check.
    pub health_check: Option<String>,
    /// Whether an alias is insisted on, or none.
    pub alias: Option<bool>,
    /// Which types the alias has.
    pub alias_types: AliasTypes,
    /// Whether an alias follows its target's health.
    pub evaluate_target_health: bool,
    /// The hosted zone of an alias's target, where the object says it.
    pub target_zone: Option<String>,
    /// Whether the load balancer is known to have IPv6 addresses.
    pub dualstack: bool,
}

/// The content of an answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// Where the name points to.
    Targets(Targets),
    /// Values of another type of records, as Route 53 takes them.
    Values(RecordType, BTreeSet<String>),
}

/// Turns a snapshot into wishes and into what is wrong with the objects. Pure:
/// the order of the snapshot makes no difference.
#[must_use]
pub fn desired(snapshot: &Snapshot, config: &Config) -> (Desired, Vec<Rejection>) {
    let mut reading = Reading::new(snapshot, config);
    for ingress in &snapshot.ingresses {
        reading.ingress(ingress);
    }
    for route_group in &snapshot.route_groups {
        reading.route_group(route_group);
    }
    for service in &snapshot.services {
        reading.service(service);
    }
    for dns_endpoint in &snapshot.dns_endpoints {
        reading.dns_endpoint(dns_endpoint);
    }
    reading.finish()
}
