//! Which certificates an HTTPS listener has.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Planner;
use crate::{
    Arn, DesiredLoadBalancer, Listener, LoadBalancer, UNUSED_SINCE, certificate_tag, is_ours,
};

/// Certificates of a load balancer besides the default one, as AWS limits them
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html>).
const MAX_WITH_SNI: usize = 25;

/// How the certificates of a listener change.
#[derive(Debug, Default)]
pub(super) struct CertificateChange {
    /// For clients without SNI. Stays what it is as long as it is attached.
    pub(super) default: Option<Arn>,
    /// Detached first, to make room: kept certificates when AWS allows no more.
    pub(super) make_room: Vec<Arn>,
    /// Attached before anything else is detached.
    pub(super) attach: Vec<Arn>,
    /// Detached in the end.
    pub(super) detach: Vec<Arn>,
    /// Not needed from now on, and kept for a while.
    start: BTreeSet<Arn>,
    /// The tags of certificates that are needed again or gone.
    pub(super) end_tags: BTreeSet<String>,
}

impl CertificateChange {
    /// On a listener that is to be made.
    pub(super) fn for_new(needed: &BTreeSet<Arn>) -> Self {
        Self {
            default: needed.first().cloned(),
            attach: needed.iter().skip(1).cloned().collect(),
            ..Self::default()
        }
    }

    /// The tags that remember since when certificates are not needed.
    pub(super) fn start_tags(&self, now: Timestamp) -> BTreeMap<String, String> {
        self.start
            .iter()
            .map(|certificate| (certificate_tag(certificate), now.to_string()))
            .collect()
    }
}

impl Planner<'_> {
    pub(super) fn certificates(
        &mut self,
        want: &DesiredLoadBalancer,
        have: &LoadBalancer,
    ) -> CertificateChange {
        let ours = |listener: &&Listener| is_ours(&self.config.ownership, &listener.tags);
        let Some(listener) = have.listeners.get(&443).filter(ours) else {
            let mut change = CertificateChange::for_new(&want.certificates);
            change.end_tags = stale_tags(have, &BTreeSet::new());
            return change;
        };
        let usage = self.usages.of(have);
        let kept = Kept {
            all: usage.is_some_and(|usage| usage.held) || self.may_serve_route_groups(have),
            unlisted: usage.is_some_and(|usage| usage.incomplete),
        };
        let mut attached = listener.certificates.clone();
        attached.extend(listener.default_certificate.clone());
        let mut needed = want.certificates.clone();
        needed.extend(
            usage
                .iter()
                .flat_map(|u| u.certificates.intersection(&attached))
                .cloned(),
        );
        let mut fading = self.fading(&attached, &needed, kept, have);
        let make_room = make_room(needed.len(), &mut fading);
        let kept: BTreeSet<Arn> = fading.kept();
        let default = default_certificate(listener, &needed, &kept);
        CertificateChange {
            attach: needed
                .difference(&attached)
                .filter(|certificate| default.as_ref() != Some(certificate))
                .cloned()
                .collect(),
            detach: fading
                .over
                .intersection(&listener.certificates)
                .cloned()
                .collect(),
            make_room: make_room
                .intersection(&listener.certificates)
                .cloned()
                .collect(),
            start: fading.tagged_from_now(have),
            end_tags: stale_tags(have, &fading.since.keys().map(certificate_tag).collect()),
            default,
        }
    }

    /// What becomes of the certificates that are attached and not needed.
    fn fading(
        &mut self,
        attached: &BTreeSet<Arn>,
        needed: &BTreeSet<Arn>,
        kept: Kept,
        have: &LoadBalancer,
    ) -> Fading {
        let mut fading = Fading::default();
        for certificate in attached.difference(needed) {
            if self.config.blacklist.contains(certificate) {
                fading.over.insert(certificate.clone());
            } else if kept.all || kept.unlisted && !self.desired.listed.contains(certificate) {
                fading.held.insert(certificate.clone());
            } else {
                let since = have
                    .certificate_unused_since(certificate)
                    .unwrap_or(self.now);
                if self.kept_until(since).is_some() {
                    fading.since.insert(certificate.clone(), since);
                } else {
                    fading.over.insert(certificate.clone());
                }
            }
        }
        fading
    }
}

/// Which certificates stay for those who may need them.
#[derive(Clone, Copy)]
struct Kept {
    all: bool,
    /// Those that are not in the account's list, which may be at fault.
    unlisted: bool,
}

/// Certificates that are attached and not needed.
#[derive(Default)]
struct Fading {
    /// Not needed for long enough, or forbidden.
    over: BTreeSet<Arn>,
    /// Kept for a while, and since when.
    since: BTreeMap<Arn, Timestamp>,
    /// Kept because an Ingress that cannot have what it asks for may need them.
    held: BTreeSet<Arn>,
}

impl Fading {
    fn kept(&self) -> BTreeSet<Arn> {
        self.since.keys().chain(&self.held).cloned().collect()
    }

    fn tagged_from_now(&self, have: &LoadBalancer) -> BTreeSet<Arn> {
        self.since
            .keys()
            .filter(|certificate| have.certificate_unused_since(certificate).is_none())
            .cloned()
            .collect()
    }
}

/// Takes those that faded first out of `fading` until the rest fits on a load balancer.
fn make_room(needed: usize, fading: &mut Fading) -> BTreeSet<Arn> {
    let mut out = BTreeSet::new();
    let mut oldest_first: Vec<(Timestamp, Arn)> = fading
        .since
        .iter()
        .map(|(arn, since)| (*since, arn.clone()))
        .collect();
    oldest_first.sort();
    for (_, certificate) in oldest_first {
        let all = needed + fading.held.len() + fading.since.len();
        if all <= 1 + MAX_WITH_SNI {
            break;
        }
        fading.since.remove(&certificate);
        out.insert(certificate);
    }
    out
}

fn default_certificate(
    listener: &Listener,
    needed: &BTreeSet<Arn>,
    kept: &BTreeSet<Arn>,
) -> Option<Arn> {
    let stays = listener
        .default_certificate
        .as_ref()
        .filter(|default| needed.contains(default) || kept.contains(default));
    stays
        .or_else(|| needed.intersection(&listener.certificates).next())
        .or_else(|| needed.first())
        .cloned()
}

/// The certificate tags of a load balancer that say nothing any more.
fn stale_tags(have: &LoadBalancer, live: &BTreeSet<String>) -> BTreeSet<String> {
    let prefix = format!("{UNUSED_SINCE}/");
    have.tags
        .keys()
        .filter(|key| key.starts_with(&prefix) && !live.contains(*key))
        .cloned()
        .collect()
}
