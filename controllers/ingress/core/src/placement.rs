//! Which Ingress is on which load balancer.

use std::collections::{BTreeMap, BTreeSet};

use isthmus_core::{ObjectRef, Ownership};

use crate::{
    Arn, IpAddressType, LoadBalancerType, Scheme, SecurityGroupId, Settings, SslPolicy, naming,
};

/// What Ingresses on one load balancer must agree on.
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
    /// An annotated policy: those without one never weaken it.
    pub ssl_policy: Option<SslPolicy>,
    /// `<namespace>/<name>` of the one Ingress on an unshared load balancer.
    pub owner: Option<String>,
}

impl GroupKey {
    /// The group of an Ingress with these settings.
    #[must_use]
    pub fn new(object: &ObjectRef, settings: &Settings) -> Self {
        Self {
            scheme: settings.scheme,
            kind: settings.kind,
            ip_address_type: settings.ip_address_type,
            http2: settings.http2,
            security_group: settings.security_group.clone(),
            ssl_policy: settings.ssl_policy,
            owner: (!settings.shared).then(|| format!("{}/{}", object.namespace, object.name)),
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
    /// The certificates of its hosts.
    pub certificates: BTreeSet<Arn>,
    /// The hostnames in its status, which tell where it is now.
    pub hostnames: Vec<String>,
}

/// A load balancer with those that are on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// What they agree on.
    pub key: GroupKey,
    /// In the order of namespace and name.
    pub members: Vec<Candidate>,
    /// All their certificates.
    pub certificates: BTreeSet<Arn>,
}

impl Slot {
    fn fits(&self, candidate: &Candidate, max_certificates: usize) -> bool {
        let more = candidate
            .certificates
            .difference(&self.certificates)
            .count();
        self.certificates.len() + more <= max_certificates
    }

    fn add(&mut self, candidate: Candidate) {
        self.certificates
            .extend(candidate.certificates.iter().cloned());
        self.members.push(candidate);
    }
}

/// Places every candidate: the load balancers by name, and those that fit on none
/// because they alone need more than `max_certificates`.
///
/// The answer does not depend on the order of the candidates. Whoever has a load
/// balancer, as his status tells, stays there while the certificates fit; the
/// others fill the load balancers of their group from the first on.
#[must_use]
pub fn place(
    candidates: Vec<Candidate>,
    max_certificates: usize,
    ownership: &Ownership,
) -> (BTreeMap<String, Slot>, Vec<Candidate>) {
    let (candidates, too_big): (Vec<_>, Vec<_>) = candidates
        .into_iter()
        .partition(|candidate| candidate.certificates.len() <= max_certificates);
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
        for (ordinal, mut slot) in fill(&key, members, max_certificates, ownership) {
            slot.members.sort_by(|a, b| a.object.cmp(&b.object));
            placed.insert(naming::load_balancer(ownership, &key, ordinal), slot);
        }
    }
    (placed, too_big)
}

fn fill(
    key: &GroupKey,
    members: Vec<Candidate>,
    max_certificates: usize,
    ownership: &Ownership,
) -> BTreeMap<usize, Slot> {
    let homes = Homes::new(key, &members, ownership);
    let empty = || Slot {
        key: key.clone(),
        members: Vec::new(),
        certificates: BTreeSet::new(),
    };
    let mut slots: BTreeMap<usize, Slot> = BTreeMap::new();
    let mut homeless = Vec::new();
    for candidate in members {
        match homes.of(&candidate) {
            Some(home)
                if slots
                    .get(&home)
                    .is_none_or(|s| s.fits(&candidate, max_certificates)) =>
            {
                slots.entry(home).or_insert_with(empty).add(candidate);
            }
            _ => homeless.push(candidate),
        }
    }
    for candidate in homeless {
        let first = slots
            .iter()
            .find(|(_, slot)| slot.fits(&candidate, max_certificates))
            .map(|(ordinal, _)| *ordinal);
        let ordinal =
            first.unwrap_or_else(|| (0..).find(|n| !slots.contains_key(n)).unwrap_or(usize::MAX));
        slots.entry(ordinal).or_insert_with(empty).add(candidate);
    }
    slots
}

/// The load balancers that a status can mean, by their names.
struct Homes(BTreeMap<String, usize>);

impl Homes {
    /// More load balancers than this in one group with fewer Ingresses than
    /// load balancers are not looked for.
    const AT_LEAST: usize = 64;

    fn new(key: &GroupKey, members: &[Candidate], ownership: &Ownership) -> Self {
        if members.iter().all(|member| member.hostnames.is_empty()) {
            return Self(BTreeMap::new());
        }
        let count = members.len().max(Self::AT_LEAST);
        Self(
            (0..count)
                .map(|ordinal| (naming::load_balancer(ownership, key, ordinal), ordinal))
                .collect(),
        )
    }

    fn of(&self, candidate: &Candidate) -> Option<usize> {
        let name = |hostname: &String| naming::in_hostname(hostname).map(str::to_owned);
        candidate
            .hostnames
            .iter()
            .filter_map(name)
            .find_map(|name| self.0.get(&name).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ownership() -> Ownership {
        Ownership::new(Ownership::DEFAULT_TAG_PREFIX, "kube-1", "isthmus")
    }

    fn key(owner: Option<&str>) -> GroupKey {
        GroupKey {
            scheme: Scheme::InternetFacing,
            kind: LoadBalancerType::Application,
            ip_address_type: IpAddressType::Ipv4,
            http2: true,
            security_group: None,
            ssl_policy: None,
            owner: owner.map(str::to_owned),
        }
    }

    fn candidate(name: &str, certificates: &[u8]) -> Candidate {
        Candidate {
            object: ObjectRef::new("networking.k8s.io/v1", "Ingress", "default", name),
            key: key(None),
            certificates: certificates
                .iter()
                .map(|c| Arn::new(format!("c/{c:03}")))
                .collect(),
            hostnames: Vec::new(),
        }
    }

    fn homes(slots: &BTreeMap<String, Slot>) -> BTreeMap<String, String> {
        slots
            .iter()
            .flat_map(|(name, slot)| {
                slot.members
                    .iter()
                    .map(move |m| (m.object.name.clone(), name.clone()))
            })
            .collect()
    }

    #[test]
    fn an_unshared_one_is_alone() {
        let mut own = candidate("own", &[1]);
        own.key = key(Some("default/own"));
        let all = vec![candidate("a", &[1]), own, candidate("b", &[1])];
        let (slots, _) = place(all, 24, &ownership());
        let homes = homes(&slots);
        assert_eq!(slots.len(), 2);
        assert_eq!(homes["a"], homes["b"]);
        assert_ne!(homes["a"], homes["own"]);
    }

    #[test]
    fn whoever_has_a_place_keeps_it() {
        let (before, _) = place(
            vec![candidate("m", &[1]), candidate("n", &[2])],
            1,
            &ownership(),
        );
        let home = homes(&before)["n"].clone();
        let mut stays = candidate("n", &[2]);
        stays.hostnames = vec![format!("{home}-77.eu-central-1.elb.amazonaws.com")];
        let (after, _) = place(vec![candidate("a", &[3]), stays], 1, &ownership());
        assert_eq!(
            homes(&after)["n"],
            home,
            "the second load balancer, though the first is free"
        );
        assert_eq!(
            homes(&after)["a"],
            homes(&before)["m"],
            "the first is filled first"
        );
    }

    #[test]
    fn too_many_certificates_for_any() {
        let (slots, too_big) = place(vec![candidate("a", &[1, 2, 3])], 2, &ownership());
        assert!(slots.is_empty());
        assert_eq!(too_big.len(), 1);
    }

    proptest! {
        #[test]
        fn order_means_nothing_and_no_one_is_lost(
            wanted in prop::collection::vec((prop::collection::vec(0..40_u8, 1..6), 0..4_usize), 1..30),
            by in any::<prop::sample::Index>(),
        ) {
            let max = 6;
            let mut candidates: Vec<_> = wanted
                .iter()
                .enumerate()
                .map(|(n, (certificates, home))| {
                    let mut candidate = candidate(&format!("i{n:02}"), certificates);
                    if *home > 0 {
                        let name = naming::load_balancer(&ownership(), &candidate.key, *home);
                        candidate.hostnames = vec![format!("{name}-1.x.elb.amazonaws.com")];
                    }
                    candidate
                })
                .collect();
            let (first, _) = place(candidates.clone(), max, &ownership());
            candidates.reverse();
            let turn = by.index(candidates.len());
            candidates.rotate_left(turn);
            let (second, _) = place(candidates.clone(), max, &ownership());
            prop_assert_eq!(&first, &second);
            prop_assert_eq!(homes(&first).len(), wanted.len());
            for slot in first.values() {
                prop_assert!(slot.certificates.len() <= max);
            }
            // Placed again with the statuses that follow from it, nobody moves.
            for candidate in &mut candidates {
                let name = homes(&first)[&candidate.object.name].clone();
                candidate.hostnames = vec![format!("{name}-1.x.elb.amazonaws.com")];
            }
            let (third, _) = place(candidates, max, &ownership());
            prop_assert_eq!(homes(&first), homes(&third));
        }
    }
}
