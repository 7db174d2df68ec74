//! Where Ingresses are now.

use std::collections::BTreeMap;

use isthmus_core::Ownership;

use super::{Candidate, GroupKey};
use crate::naming;

/// The load balancers that a status can mean, by their names.
pub(super) struct Homes(BTreeMap<String, usize>);

impl Homes {
    /// More load balancers than this in one group with fewer Ingresses than
    /// load balancers are not looked for.
    const AT_LEAST: usize = 64;

    pub(super) fn new(key: &GroupKey, members: &[Candidate], ownership: &Ownership) -> Self {
        if members.iter().all(|member| member.hostnames.is_empty()) {
            return Self(BTreeMap::new());
        }
        let count = if key.owner.is_some() {
            1
        } else {
            members.len().max(Self::AT_LEAST)
        };
        Self(
            (0..count)
                .map(|ordinal| (naming::load_balancer(ownership, key, ordinal), ordinal))
                .collect(),
        )
    }

    pub(super) fn of(&self, candidate: &Candidate) -> Option<usize> {
        let name = |hostname: &String| naming::in_hostname(hostname).map(str::to_owned);
        candidate
            .hostnames
            .iter()
            .filter_map(name)
            .find_map(|name| self.0.get(&name).copied())
    }
}
