//! Who still points at which load balancer.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Arn, Desired, Fate, LoadBalancer};

/// What the statuses of Ingresses say about one load balancer.
#[derive(Debug, Default)]
pub(super) struct Usage {
    /// An Ingress that cannot have what it asks for is on it: what it had stays.
    pub(super) held: bool,
    /// A host of an Ingress on it has no certificate: those that are attached and
    /// not listed any more may be the missing ones.
    pub(super) incomplete: bool,
    /// The certificates of Ingresses that are on it until their new load balancer is ready.
    pub(super) certificates: BTreeSet<Arn>,
}

/// Usages by hostname, lower case.
pub(super) struct Usages(BTreeMap<String, Usage>);

impl Usages {
    pub(super) fn new(desired: &Desired) -> Self {
        let mut usages: BTreeMap<String, Usage> = BTreeMap::new();
        for ingress in &desired.ingresses {
            for hostname in ingress.hostnames() {
                let usage = usages.entry(hostname.to_ascii_lowercase()).or_default();
                match &ingress.fate {
                    Fate::On {
                        certificates,
                        complete,
                        ..
                    } => {
                        usage.certificates.extend(certificates.iter().cloned());
                        usage.incomplete |= !complete;
                    }
                    Fate::Held => usage.held = true,
                    Fate::NotOurs => {}
                }
            }
        }
        Self(usages)
    }

    /// `None` when no status names the load balancer.
    pub(super) fn of(&self, balancer: &LoadBalancer) -> Option<&Usage> {
        self.0.get(&balancer.dns_name.to_ascii_lowercase())
    }
}
