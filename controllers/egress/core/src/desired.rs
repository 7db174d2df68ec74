//! What the ConfigMaps ask for, all together.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::Ipv4Net;
use isthmus_core::{ObjectRef, Rejection};

use crate::{CidrList, Entry, Guards, Refusal, Snapshot, entries};

/// What all ConfigMaps ask for together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// Every ConfigMap with the verdict on each of its entries, by namespace and name.
    pub lists: Vec<WantedList>,
    /// Every network accepted, with the ConfigMaps that ask for it. It stays
    /// until the last of them is gone.
    pub networks: BTreeMap<Ipv4Net, Vec<ObjectRef>>,
    /// What is to become of the zones.
    pub stance: Stance,
}

/// One ConfigMap and what became of its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedList {
    /// The ConfigMap.
    pub object: ObjectRef,
    /// In the order of its keys.
    pub entries: Vec<Entry>,
}

/// What is to become of the zones' NAT gateways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stance {
    /// A network is wanted: build and repair.
    Build,
    /// Entries are there, but all of them are refused. Nothing is built, and
    /// what is there is not torn down for what is most likely a typing error:
    /// a NAT gateway takes minutes to come back.
    Keep,
    /// Nobody asks for anything: tear down.
    Remove,
}

impl Desired {
    /// The largest wanted network that contains `network` and is not it.
    #[must_use]
    pub fn cover(&self, network: &Ipv4Net) -> Option<Ipv4Net> {
        (0..network.prefix_len())
            .filter_map(|len| Ipv4Net::new(network.network(), len).ok())
            .map(|larger| larger.trunc())
            .find(|larger| self.networks.contains_key(larger))
    }

    /// Every ConfigMap that asks for an accepted network.
    #[must_use]
    pub fn askers(&self) -> Vec<ObjectRef> {
        let all: BTreeSet<_> = self.networks.values().flatten().collect();
        all.into_iter().cloned().collect()
    }
}

/// Judges every entry of every ConfigMap.
///
/// `vpc_cidrs` are the VPC's own networks, which nobody may ask for. The result
/// does not depend on the order of anything.
#[must_use]
pub fn desired(
    snapshot: &Snapshot,
    guards: &Guards,
    vpc_cidrs: &[Ipv4Net],
) -> (Desired, Vec<Rejection>) {
    let mut lists: Vec<WantedList> = snapshot
        .lists
        .values()
        .map(|list| WantedList {
            object: list.object.clone(),
            entries: entries(&list.data, guards, vpc_cidrs),
        })
        .collect();
    limit_namespaces(&mut lists, snapshot, guards.max_per_namespace);

    let mut networks: BTreeMap<Ipv4Net, Vec<ObjectRef>> = BTreeMap::new();
    let mut rejections = Vec::new();
    for list in &lists {
        for entry in &list.entries {
            match &entry.network {
                Ok(network) => networks
                    .entry(*network)
                    .or_default()
                    .push(list.object.clone()),
                Err(refusal) => rejections.push(rejection(&list.object, entry, refusal)),
            }
        }
    }
    for askers in networks.values_mut() {
        askers.dedup();
    }
    let stance = if !networks.is_empty() {
        Stance::Build
    } else if lists.iter().any(|list| !list.entries.is_empty()) {
        Stance::Keep
    } else {
        Stance::Remove
    };
    let desired = Desired {
        lists,
        networks,
        stance,
    };
    (desired, rejections)
}

fn rejection(object: &ObjectRef, entry: &Entry, refusal: &Refusal) -> Rejection {
    Rejection {
        object: object.clone(),
        reason: refusal.reason,
        message: format!("data key {}: {}", entry.key, refusal.message),
    }
}

/// Refuses what is over the limit of its namespace. The oldest ConfigMap comes
/// first, by name among those of the same second, so that a new one does not take
/// the place of what is in use.
fn limit_namespaces(lists: &mut [WantedList], snapshot: &Snapshot, most: usize) {
    if most == 0 {
        return;
    }
    let age = |object: &ObjectRef| {
        let key = (object.namespace.clone(), object.name.clone());
        snapshot.lists.get(&key).map(|list: &CidrList| list.created)
    };
    let mut by_age: Vec<&mut WantedList> = lists.iter_mut().collect();
    by_age.sort_by_cached_key(|list| (age(&list.object), list.object.clone()));
    let mut used: BTreeMap<String, BTreeSet<Ipv4Net>> = BTreeMap::new();
    for list in by_age {
        let namespace = &list.object.namespace;
        let used = used.entry(namespace.clone()).or_default();
        for entry in &mut list.entries {
            let Ok(network) = entry.network else { continue };
            if !used.contains(&network) && used.len() >= most {
                let message = format!(
                    "{network} is more than the {most} networks that namespace {namespace} may ask for \
                     (--max-cidrs-per-namespace)"
                );
                entry.network = Err(Refusal::new(Refusal::NAMESPACE_LIMIT, message));
            } else {
                used.insert(network);
            }
        }
    }
}
