//! What takes traffic: instances, or pods.

use std::collections::BTreeSet;

use crate::targets::{instances, leaving_instances};
use crate::{Config, Pod, Snapshot};

/// What the targets of a target group are
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html#target-type>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetType {
    /// Instances, by id: `--target-access-mode=HostPort`.
    Instance,
    /// Pods, by address: `--target-access-mode=AWSCNI`.
    Ip,
}

impl TargetType {
    /// As ELBv2 names it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Ip => "ip",
        }
    }

    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Instance => "instances",
            Self::Ip => "addresses",
        }
    }
}

/// The targets that every target group should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    /// What they are.
    pub kind: TargetType,
    /// Instance ids, or addresses. Empty if there is none to send traffic to: then
    /// what is registered is the best guess.
    pub ids: BTreeSet<String>,
    /// Those that are known to stop. They go even if nothing else is left.
    pub stopping: BTreeSet<String>,
}

impl Default for Targets {
    fn default() -> Self {
        Self {
            kind: TargetType::Instance,
            ids: BTreeSet::new(),
            stopping: BTreeSet::new(),
        }
    }
}

impl Targets {
    /// The targets of a cluster.
    #[must_use]
    pub fn new(snapshot: &Snapshot, config: &Config) -> Self {
        let kind = config.target.kind;
        match (kind, &snapshot.instances) {
            (TargetType::Ip, _) => pods(&snapshot.pods),
            (TargetType::Instance, None) => Self {
                kind,
                ids: instances(&snapshot.nodes, &config.nodes),
                stopping: BTreeSet::new(),
            },
            (TargetType::Instance, Some(selected)) => Self {
                kind,
                ids: without(selected, &leaving_instances(&snapshot.nodes)),
                stopping: BTreeSet::new(),
            },
        }
    }
}

/// Those that stay, unless none does: an instance that goes soon is better than none.
fn without(selected: &BTreeSet<String>, leaving: &BTreeSet<String>) -> BTreeSet<String> {
    let staying: BTreeSet<_> = selected.difference(leaving).cloned().collect();
    if staying.is_empty() {
        selected.clone()
    } else {
        staying
    }
}

/// A pod takes traffic from when it is ready until it begins to terminate.
fn pods(pods: &[Pod]) -> Targets {
    let addresses = |wanted: fn(&Pod) -> bool| -> BTreeSet<String> {
        let wanted = pods.iter().filter(|pod| wanted(pod));
        wanted.filter_map(|pod| pod.ip.clone()).collect()
    };
    let ids = addresses(|pod| pod.ready && !pod.deleting);
    // The pods of a Node's own network share its address.
    let stopping = &addresses(|pod| pod.deleting) - &addresses(|pod| !pod.deleting);
    Targets {
        kind: TargetType::Ip,
        ids,
        stopping,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(ip: &str, ready: bool, deleting: bool) -> Pod {
        Pod {
            name: ip.to_owned(),
            ip: (!ip.is_empty()).then(|| ip.to_owned()),
            ready,
            deleting,
        }
    }

    fn set(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn pods_that_are_ready_and_stay() {
        let targets = pods(&[
            pod("10.0.0.1", true, false),
            pod("10.0.0.2", false, false),
            pod("10.0.0.3", true, true),
            pod("", false, false),
        ]);
        assert_eq!(targets.ids, set(&["10.0.0.1"]));
        assert_eq!(targets.stopping, set(&["10.0.0.3"]));
    }

    #[test]
    fn an_address_that_another_pod_has_does_not_stop() {
        let targets = pods(&[pod("10.0.0.1", true, true), pod("10.0.0.1", false, false)]);
        assert_eq!(targets.ids, set(&[]));
        assert_eq!(targets.stopping, set(&[]));
    }

    #[test]
    fn selected_instances_but_those_that_leave() {
        assert_eq!(
            without(&set(&["i-1", "i-2"]), &set(&["i-2"])),
            set(&["i-1"])
        );
        assert_eq!(without(&set(&["i-2"]), &set(&["i-2"])), set(&["i-2"]));
    }
}
