//! Which Ingress is on which load balancer.

mod fill;
mod homes;

use std::collections::{BTreeMap, BTreeSet};

use isthmus_core::{ObjectRef, Ownership};

use crate::{
    Arn, IpAddressType, LoadBalancerType, Scheme, SecurityGroupId, Settings, SslPolicy,
    WebAclChoice, naming,
};
use fill::fill;

/// What Ingresses on one load balancer must agree on: what cannot differ between
/// them, whatever else they ask for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// Who can reach it.
    pub scheme: Scheme,
    /// Its type.
    pub kind: LoadBalancerType,
    /// Its addresses.
    pub ip_address_type: IpAddressType,
    /// Whether clients may speak HTTP/2.
    pub http2: bool,
    /// An annotated security group.
    pub security_group: Option<SecurityGroupId>,
    /// A web ACL that is not the default one.
    pub web_acl: WebAclChoice,
    /// The one object on an unshared load balancer.
    pub owner: Option<Owner>,
}

/// Who has a load balancer of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// `Ingress` or `RouteGroup`: two of one name are two owners.
    pub kind: &'static str,
    /// `<namespace>/<name>`.
    pub name: String,
}

impl GroupKey {
    /// The group of an object with these settings.
    #[must_use]
    pub fn new(object: &ObjectRef, settings: &Settings) -> Self {
        Self {
            scheme: settings.scheme,
            kind: settings.kind,
            ip_address_type: settings.ip_address_type,
            http2: settings.http2,
            security_group: settings.security_group.clone(),
            web_acl: settings.web_acl.clone(),
            owner: (!settings.shared).then(|| Owner {
                kind: object.kind,
                name: format!("{}/{}", object.namespace, object.name),
            }),
        }
    }
}

/// An Ingress that looks for its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which one.
    pub object: ObjectRef,
    /// Its group.
    pub key: GroupKey,
    /// An annotated TLS policy: it shares with those of the same one, and with
    /// those that do not name any.
    pub ssl_policy: Option<SslPolicy>,
    /// The certificates of its hosts.
    pub certificates: BTreeSet<Arn>,
    /// Whether every host has one.
    pub complete: bool,
    /// The hostnames in its status, which tell where it is now.
    pub hostnames: Vec<String>,
}

/// A load balancer with those that are on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// What they agree on.
    pub key: GroupKey,
    /// The TLS policy that members name; those who name none do not change it.
    pub ssl_policy: Option<SslPolicy>,
    /// In the order of namespace and name.
    pub members: Vec<Candidate>,
    /// All their certificates.
    pub certificates: BTreeSet<Arn>,
}

/// What bounds a load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds<'a> {
    /// `--max-certs-alb`.
    pub certificates: usize,
    /// `--ssl-policy`, for those who name none: no policy that allows more than
    /// this one is put on them.
    pub ssl_policy: SslPolicy,
    /// The policies that load balancers have now, by name.
    pub present: &'a BTreeMap<String, SslPolicy>,
}

/// Places every candidate: the load balancers by name, and those that fit on none
/// because they alone need more certificates than `bounds` allows.
///
/// The answer does not depend on the order of the candidates. Whoever has a load
/// balancer, as his status tells, stays there while certificates and TLS policy
/// allow it; the others fill the load balancers of their group from the first on.
#[must_use]
pub fn place(
    candidates: Vec<Candidate>,
    bounds: Bounds<'_>,
    ownership: &Ownership,
) -> (BTreeMap<String, Slot>, Vec<Candidate>) {
    let (candidates, too_big): (Vec<_>, Vec<_>) = candidates
        .into_iter()
        .partition(|candidate| candidate.certificates.len() <= bounds.certificates);
    let mut groups: BTreeMap<GroupKey, Vec<Candidate>> = BTreeMap::new();
    for candidate in candidates {
        groups
            .entry(candidate.key.clone())
            .or_default()
            .push(candidate);
    }
    let mut placed = BTreeMap::new();
    for (key, mut members) in groups {
        members.sort_by(|a, b| a.object.cmp(&b.object));
        for (ordinal, mut slot) in fill(&key, members, bounds, ownership) {
            slot.members.sort_by(|a, b| a.object.cmp(&b.object));
            placed.insert(naming::load_balancer(ownership, &key, ordinal), slot);
        }
    }
    (placed, too_big)
}

#[cfg(test)]
mod tests;
