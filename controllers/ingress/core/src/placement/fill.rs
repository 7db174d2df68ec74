//! The load balancers of one group, filled.

use std::collections::{BTreeMap, BTreeSet};

use isthmus_core::Ownership;

use super::homes::Homes;
use super::{Bounds, Candidate, GroupKey, Slot};
use crate::{Arn, SslPolicy, naming};

/// Places the members of one group, which are in the order of their names: by ordinal.
pub(super) fn fill(
    key: &GroupKey,
    members: Vec<Candidate>,
    bounds: Bounds<'_>,
    ownership: &Ownership,
) -> BTreeMap<usize, Slot> {
    let homes = Homes::new(key, &members, ownership);
    let mut packing = Packing::new(key, bounds);
    // Who names no policy stays first: a policy that would weaken him moves the
    // one who names it.
    let (plain, annotated) = by_policy(members);
    let mut homeless = (Vec::new(), Vec::new());
    for candidate in plain {
        homeless.0.extend(packing.stay(candidate, &homes));
    }
    for candidate in annotated {
        homeless.1.extend(packing.stay(candidate, &homes));
    }
    packing.note_policies(|ordinal| naming::load_balancer(ownership, key, ordinal));
    packing.index();
    // New ones the other way round: those without a policy join the others.
    for candidate in homeless.1.into_iter().chain(homeless.0) {
        packing.settle(candidate);
    }
    packing.slots
}

fn by_policy(members: Vec<Candidate>) -> (Vec<Candidate>, Vec<Candidate>) {
    members
        .into_iter()
        .partition(|candidate| candidate.ssl_policy.is_none())
}

struct Packing<'a> {
    key: &'a GroupKey,
    bounds: Bounds<'a>,
    slots: BTreeMap<usize, Slot>,
    /// The slots with room for another certificate, by their policy.
    open: BTreeMap<Option<SslPolicy>, BTreeSet<usize>>,
    /// The slots that have a certificate.
    having: BTreeMap<Arn, BTreeSet<usize>>,
    /// The policies that slots have now at AWS.
    present: BTreeMap<usize, SslPolicy>,
}

impl<'a> Packing<'a> {
    fn new(key: &'a GroupKey, bounds: Bounds<'a>) -> Self {
        Self {
            key,
            bounds,
            slots: BTreeMap::new(),
            open: BTreeMap::new(),
            having: BTreeMap::new(),
            present: BTreeMap::new(),
        }
    }

    /// Puts a candidate where it is already; gives it back if it cannot stay.
    fn stay(&mut self, candidate: Candidate, homes: &Homes) -> Option<Candidate> {
        let Some(home) = homes.of(&candidate) else {
            return Some(candidate);
        };
        let empty = || Slot::empty(self.key);
        let slot = self.slots.entry(home).or_insert_with(empty);
        if slot.can_keep(&candidate, self.bounds) {
            slot.add(candidate);
            return None;
        }
        Some(candidate)
    }

    /// A load balancer whose members name no policy, and which has one that is
    /// not the flag's, was made for someone who is not told of it yet.
    fn note_policies(&mut self, name: impl Fn(usize) -> String) {
        if self.bounds.present.is_empty() {
            return;
        }
        for (ordinal, slot) in &self.slots {
            if slot.ssl_policy.is_none()
                && let Some(policy) = self.bounds.present.get(&name(*ordinal))
            {
                self.present.insert(*ordinal, *policy);
            }
        }
    }

    /// Makes the slots that there are ready for [`Packing::settle`].
    fn index(&mut self) {
        for ordinal in self.slots.keys().copied().collect::<Vec<_>>() {
            self.reindex(ordinal);
        }
    }

    fn reindex(&mut self, ordinal: usize) {
        let Some(slot) = self.slots.get(&ordinal) else {
            return;
        };
        let open = self.open.entry(slot.ssl_policy).or_default();
        if slot.certificates.len() < self.bounds.certificates {
            open.insert(ordinal);
        } else {
            open.remove(&ordinal);
        }
        for certificate in &slot.certificates {
            if !self
                .having
                .get(certificate)
                .is_some_and(|slots| slots.contains(&ordinal))
            {
                let having = self.having.entry(certificate.clone()).or_default();
                having.insert(ordinal);
            }
        }
    }

    /// Puts a candidate on the first slot that takes it, or on a new one.
    fn settle(&mut self, candidate: Candidate) {
        let ordinal = self.first_fit(&candidate).unwrap_or_else(|| self.unused());
        let (policy, empty) = (candidate.ssl_policy, || Slot::empty(self.key));
        let slot = self.slots.entry(ordinal).or_insert_with(empty);
        if slot.ssl_policy.is_none()
            && policy.is_some()
            && let Some(open) = self.open.get_mut(&None)
        {
            open.remove(&ordinal);
        }
        slot.add(candidate);
        self.reindex(ordinal);
    }

    fn unused(&self) -> usize {
        (0..)
            .find(|ordinal| !self.slots.contains_key(ordinal))
            .unwrap_or(usize::MAX)
    }

    fn first_fit(&self, candidate: &Candidate) -> Option<usize> {
        let fits = |ordinal: &&usize| {
            self.takes(**ordinal, candidate)
                && self
                    .slots
                    .get(ordinal)
                    .is_some_and(|slot| slot.has_room(candidate, self.bounds))
        };
        let acceptable = |policy: &Option<SslPolicy>| match (candidate.ssl_policy, policy) {
            (Some(named), Some(has)) => named == *has,
            (Some(_), None) | (None, _) => true,
        };
        let open = self
            .open
            .iter()
            .filter(|(policy, _)| acceptable(policy))
            .filter_map(|(_, slots)| slots.iter().find(fits));
        let certificate = candidate.certificates.first();
        let having = certificate.and_then(|certificate| self.having.get(certificate));
        let complete = having.and_then(|slots| slots.iter().find(fits));
        open.chain(complete).min().copied()
    }

    /// Whether the policy of a slot suits someone who comes.
    fn takes(&self, ordinal: usize, candidate: &Candidate) -> bool {
        let Some(slot) = self.slots.get(&ordinal) else {
            return false;
        };
        match (candidate.ssl_policy, slot.ssl_policy) {
            (Some(named), None) if !slot.members.is_empty() => {
                named == self.bounds.ssl_policy || self.present.get(&ordinal) == Some(&named)
            }
            _ => slot.takes(candidate, self.bounds),
        }
    }
}

impl Slot {
    fn empty(key: &GroupKey) -> Self {
        Self {
            key: key.clone(),
            ssl_policy: None,
            members: Vec::new(),
            certificates: BTreeSet::new(),
        }
    }

    fn add(&mut self, candidate: Candidate) {
        self.ssl_policy = self.ssl_policy.or(candidate.ssl_policy);
        self.certificates
            .extend(candidate.certificates.iter().cloned());
        self.members.push(candidate);
    }

    fn has_room(&self, candidate: &Candidate, bounds: Bounds<'_>) -> bool {
        let more = candidate
            .certificates
            .difference(&self.certificates)
            .count();
        self.certificates.len() + more <= bounds.certificates
    }

    /// Whether its policy suits someone who comes.
    fn takes(&self, candidate: &Candidate, bounds: Bounds<'_>) -> bool {
        match (candidate.ssl_policy, self.ssl_policy) {
            (Some(named), Some(has)) => named == has,
            (Some(_), None) => self.members.is_empty(),
            (None, Some(has)) => has.is_as_strict_as(bounds.ssl_policy),
            (None, None) => true,
        }
    }

    /// Whether someone who is on it can stay. Its policy may become stricter for
    /// those who named none, never weaker.
    fn can_keep(&self, candidate: &Candidate, bounds: Bounds<'_>) -> bool {
        let suits = match (candidate.ssl_policy, self.ssl_policy) {
            (Some(named), None) => {
                self.members.is_empty() || named.is_as_strict_as(bounds.ssl_policy)
            }
            _ => self.takes(candidate, bounds),
        };
        suits && (self.members.is_empty() || self.has_room(candidate, bounds))
    }
}
