//! What each Ingress is told.

use std::collections::BTreeSet;

use isthmus_core::ObjectRef;
use jiff::Timestamp;

use crate::{
    Arn, Config, Desired, DesiredLoadBalancer, Fate, LoadBalancer, Observed, PlainHttp, Served,
    State, StatusEntry, is_ours,
};

/// A status to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChange {
    /// The Ingress.
    pub object: ObjectRef,
    /// The whole of `status.loadBalancer.ingress`.
    pub entries: Vec<StatusEntry>,
    /// A name is taken away and none takes its place.
    pub withdraws: bool,
}

/// The statuses to be written, and what is waited for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statuses {
    /// In the order of the Ingresses.
    pub changes: Vec<StatusChange>,
    /// How many Ingresses have a name of ours in their status now.
    pub told: usize,
    /// Load balancers that AWS is still setting up.
    pub provisioning: BTreeSet<String>,
    /// Load balancers that wait for their first healthy target, or for their age.
    pub unhealthy: BTreeSet<String>,
}

/// What a load balancer lacks before its name is told to an Ingress.
enum Readiness {
    Ready,
    Provisioning,
    Unhealthy,
    /// The plan has steps for it.
    Incomplete,
}

/// Decides the statuses from what was observed.
///
/// A hostname is told once the load balancer is active, has the listeners and the
/// certificates of the Ingress, and has a healthy target or is old enough
/// ([`Config::min_age`]). Until then an Ingress keeps the name it has. A name of
/// ours goes when the Ingress asks for nothing any more; names and addresses that
/// others wrote stay.
#[must_use]
pub fn status(desired: &Desired, observed: &Observed, config: &Config, now: Timestamp) -> Statuses {
    let ours = observed
        .our_load_balancers(&config.ownership)
        .map(|(_, balancer)| balancer.dns_name.to_ascii_lowercase())
        .collect();
    let teller = Teller {
        desired,
        observed,
        config,
        now,
        ours,
    };
    let mut out = Statuses::default();
    for ingress in &desired.ingresses {
        out.told += usize::from(ingress.status.iter().any(|entry| teller.is_ours(entry)));
        let entries = match &ingress.fate {
            Fate::Held => None,
            Fate::NotOurs => Some(teller.without_ours(ingress)),
            Fate::On {
                load_balancer,
                certificates,
                ..
            } => teller.hostname(load_balancer, certificates, ingress, &mut out),
        };
        if let Some(entries) = entries.filter(|entries| *entries != ingress.status) {
            out.changes.push(StatusChange {
                object: ingress.object.clone(),
                withdraws: ingress.fate == Fate::NotOurs,
                entries,
            });
        }
    }
    out
}

struct Teller<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    config: &'a Config,
    now: Timestamp,
    /// The names of our load balancers, lower case.
    ours: BTreeSet<String>,
}

impl Teller<'_> {
    /// The status with the name of this load balancer, or `None` while it is not
    /// to be told.
    fn hostname(
        &self,
        name: &str,
        certificates: &BTreeSet<Arn>,
        ingress: &Served,
        out: &mut Statuses,
    ) -> Option<Vec<StatusEntry>> {
        let balancer = self
            .observed
            .load_balancers
            .get(name)
            .filter(|balancer| is_ours(&self.config.ownership, &balancer.tags))?;
        let told = ingress
            .hostnames()
            .any(|hostname| balancer.is_named(hostname));
        if !told {
            match self.readiness(name, balancer, certificates) {
                Readiness::Ready => {}
                Readiness::Incomplete => return None,
                Readiness::Provisioning => {
                    out.provisioning.insert(name.to_owned());
                    return None;
                }
                Readiness::Unhealthy => {
                    out.unhealthy.insert(name.to_owned());
                    return None;
                }
            }
        }
        Some(vec![StatusEntry::hostname(
            balancer.dns_name.to_ascii_lowercase(),
        )])
    }

    fn readiness(
        &self,
        name: &str,
        balancer: &LoadBalancer,
        certificates: &BTreeSet<Arn>,
    ) -> Readiness {
        match balancer.state {
            State::Provisioning => return Readiness::Provisioning,
            State::Failed => return Readiness::Incomplete,
            State::Active => {}
        }
        let Some(https) = balancer.listeners.get(&443) else {
            return Readiness::Incomplete;
        };
        let has = |certificate: &Arn| {
            https.certificates.contains(certificate)
                || https.default_certificate.as_ref() == Some(certificate)
        };
        let want = self.desired.load_balancers.get(name);
        let plain = want.is_none_or(|want| want.plain != PlainHttp::Closed);
        if (plain && !balancer.listeners.contains_key(&80)) || !certificates.iter().all(has) {
            return Readiness::Incomplete;
        }
        if want.is_some_and(|want| !is_guarded(want, balancer)) {
            return Readiness::Incomplete;
        }
        let old = balancer
            .created
            .checked_add(self.config.min_age)
            .is_ok_and(|grown_up| grown_up <= self.now);
        if old || self.has_healthy_target(name) {
            Readiness::Ready
        } else {
            Readiness::Unhealthy
        }
    }

    fn has_healthy_target(&self, name: &str) -> bool {
        let group = self
            .desired
            .load_balancers
            .get(name)
            .and_then(|want| self.observed.target_groups.get(&want.target_group.name));
        group.is_some_and(crate::TargetGroup::has_healthy_target)
    }

    fn is_ours(&self, entry: &StatusEntry) -> bool {
        let hostname = entry.hostname.as_ref();
        hostname.is_some_and(|hostname| self.ours.contains(&hostname.to_ascii_lowercase()))
    }

    fn without_ours(&self, ingress: &Served) -> Vec<StatusEntry> {
        let others = ingress.status.iter().filter(|entry| !self.is_ours(entry));
        others.cloned().collect()
    }
}

/// Whether a load balancer has the web ACL that it should have.
fn is_guarded(want: &DesiredLoadBalancer, balancer: &LoadBalancer) -> bool {
    want.web_acl.is_none() || (balancer.has_web_acl && balancer.web_acl() == want.web_acl)
}
