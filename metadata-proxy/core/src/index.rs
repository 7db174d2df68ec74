//! Which pod has which address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::pod::Pod;

/// The pods of the node by UID and by address. A plain value: the watch calls
/// [`PodIndex::apply`], [`PodIndex::delete`] and [`PodIndex::replace`] in the
/// order of its events.
#[derive(Clone, Debug, Default)]
pub struct PodIndex {
    by_uid: BTreeMap<String, Arc<Pod>>,
    by_name: BTreeMap<(String, String), String>,
    by_address: BTreeMap<IpAddr, BTreeSet<String>>,
    /// Addresses of nodes: those given, and how many pods name each.
    hosts: BTreeMap<IpAddr, usize>,
}

/// Who has an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Exactly one pod that can be running.
    Pod(Arc<Pod>),
    /// The node itself, or a pod in its network, which cannot be told from it.
    Host,
    /// More than one pod that can be running. None of them is served.
    Ambiguous(Vec<Arc<Pod>>),
    /// Nobody yet: the watch may be behind.
    Nobody,
}

impl PodIndex {
    /// An index that knows `hosts` as the node's own addresses (`--host-ip`).
    #[must_use]
    pub fn new(hosts: impl IntoIterator<Item = IpAddr>) -> Self {
        Self {
            hosts: hosts
                .into_iter()
                .map(|host| (host.to_canonical(), 1))
                .collect(),
            ..Self::default()
        }
    }

    /// A pod was created or changed. A pod of the same name and another UID is
    /// gone then: the API server keeps only one of a name.
    pub fn apply(&mut self, mut pod: Pod) {
        for address in pod.addresses.iter_mut().chain(&mut pod.host_addresses) {
            *address = address.to_canonical();
        }
        let name = (pod.namespace.clone(), pod.name.clone());
        if let Some(earlier) = self.by_name.insert(name, pod.uid.clone()) {
            self.forget(&earlier);
        }
        self.forget(&pod.uid);
        for host in host_addresses(&pod) {
            *self.hosts.entry(host).or_default() += 1;
        }
        if !pod.host_network {
            for address in &pod.addresses {
                let uids = self.by_address.entry(*address).or_default();
                uids.insert(pod.uid.clone());
            }
        }
        self.by_uid.insert(pod.uid.clone(), Arc::new(pod));
    }

    /// The pod of this UID is deleted. A later pod of the same name is not touched.
    pub fn delete(&mut self, uid: &str) {
        if let Some(pod) = self.forget(uid) {
            let name = (pod.namespace.clone(), pod.name.clone());
            if self.by_name.get(&name).is_some_and(|named| named == uid) {
                self.by_name.remove(&name);
            }
        }
    }

    /// The watch was begun anew and these are all pods there are.
    pub fn replace(&mut self, pods: impl IntoIterator<Item = Pod>) {
        let mut gone: BTreeSet<String> = self.by_uid.keys().cloned().collect();
        for pod in pods {
            gone.remove(&pod.uid);
            self.apply(pod);
        }
        for uid in gone {
            self.delete(&uid);
        }
    }

    /// Who has `address` at `now`.
    #[must_use]
    pub fn find(&self, address: IpAddr, now: Timestamp) -> Found {
        let address = address.to_canonical();
        if self.hosts.contains_key(&address) {
            return Found::Host;
        }
        let uids = self.by_address.get(&address).into_iter().flatten();
        let mut living = uids
            .filter_map(|uid| self.by_uid.get(uid))
            .filter(|pod| pod.lives(now))
            .cloned();
        match (living.next(), living.next()) {
            (None, _) => Found::Nobody,
            (Some(pod), None) => Found::Pod(pod),
            (Some(first), Some(second)) => {
                Found::Ambiguous([first, second].into_iter().chain(living).collect())
            }
        }
    }

    /// Every pod, by UID.
    pub fn pods(&self) -> impl Iterator<Item = &Arc<Pod>> {
        self.by_uid.values()
    }

    /// Takes the pod and its claims on addresses out.
    fn forget(&mut self, uid: &str) -> Option<Arc<Pod>> {
        let pod = self.by_uid.remove(uid)?;
        for address in &pod.addresses {
            if let Some(uids) = self.by_address.get_mut(address) {
                uids.remove(uid);
                if uids.is_empty() {
                    self.by_address.remove(address);
                }
            }
        }
        for host in host_addresses(&pod) {
            if let Some(count) = self.hosts.get_mut(&host) {
                *count -= 1;
                if *count == 0 {
                    self.hosts.remove(&host);
                }
            }
        }
        Some(pod)
    }
}

/// The addresses that a pod shows to be a node's.
fn host_addresses(pod: &Pod) -> BTreeSet<IpAddr> {
    let own = pod.addresses.iter().filter(|_| pod.host_network);
    own.chain(&pod.host_addresses).copied().collect()
}

#[cfg(test)]
mod tests;
