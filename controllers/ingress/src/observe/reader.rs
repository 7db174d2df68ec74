//! What is read of ELBv2 once it is known how much.

use std::collections::{BTreeMap, BTreeSet};

use ingress_core::{Arn, LoadBalancer, Observed, State, TargetGroup, is_ours};

use super::Scope;
use crate::aws::{Listed, LoadBalancing, Result, Tags};
use crate::error::AwsError;

/// What the memory does not know well enough.
#[derive(Debug)]
pub(super) enum Outdated {
    All,
    These {
        /// Load balancers and target groups.
        names: BTreeSet<String>,
        /// The tags of all others too, and whatever the lists tell.
        all_tags: bool,
    },
}

impl Outdated {
    pub(super) fn needs_lists(&self) -> bool {
        match self {
            Self::All => true,
            Self::These { names, all_tags } => *all_tags || !names.is_empty(),
        }
    }

    fn contains(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::These { names, .. } => names.contains(name),
        }
    }

    fn all_tags(&self) -> bool {
        match self {
            Self::All => true,
            Self::These { all_tags, .. } => *all_tags,
        }
    }
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) observed: Observed,
    /// Of ours, those about which everything was read.
    pub(super) whole: BTreeSet<String>,
    /// Of ours, those about which something could not be read; what was known of
    /// them before stands in for it.
    pub(super) unread: BTreeMap<String, AwsError>,
}

impl Read {
    fn note(&mut self, name: &str, read: std::result::Result<(), AwsError>) {
        match read {
            Ok(()) => {
                self.whole.insert(name.to_owned());
            }
            Err(error) => {
                self.unread.insert(name.to_owned(), error);
            }
        }
    }
}

pub(super) struct Reader<'a, E> {
    pub(super) elb: &'a E,
    pub(super) scope: Scope<'a>,
}

impl<E: LoadBalancing> Reader<'_, E> {
    /// Reads both lists, and all about those of ours that are new or outdated.
    pub(super) async fn everything(&self, before: &Observed, outdated: &Outdated) -> Result<Read> {
        let balancers = self.elb.load_balancers().await?;
        let groups = self.elb.target_groups().await?;
        let tags = self.all_tags(&balancers, &groups, before, outdated).await?;
        let mut read = Read::default();
        for listed in balancers {
            let old = before.load_balancers.get(&listed.name);
            let old = old.filter(|old| old.arn == listed.resource.arn);
            let mut balancer = remember_balancer(listed.resource, old, &tags);
            let ours = is_ours(self.scope.ownership, &balancer.tags);
            let known = old.is_some_and(|old| is_ours(self.scope.ownership, &old.tags));
            if ours && (!known || outdated.contains(&listed.name)) {
                let whole = self.load_balancer(&mut balancer).await;
                read.note(&listed.name, whole);
            }
            read.observed.load_balancers.insert(listed.name, balancer);
        }
        for listed in groups {
            let old = before.target_groups.get(&listed.name);
            let old = old.filter(|old| old.arn == listed.resource.arn);
            let mut group = remember_group(listed.resource, old, &tags);
            let ours = is_ours(self.scope.ownership, &group.tags);
            let known = old.is_some_and(|old| is_ours(self.scope.ownership, &old.tags));
            if ours && (!known || outdated.contains(&listed.name)) {
                let whole = self.target_group(&mut group).await;
                read.note(&listed.name, whole);
            }
            read.observed.target_groups.insert(listed.name, group);
        }
        self.listener_tags(&mut read).await;
        Ok(read)
    }

    /// The tags of load balancers and target groups of this VPC.
    async fn all_tags(
        &self,
        balancers: &[Listed<LoadBalancer>],
        groups: &[Listed<TargetGroup>],
        before: &Observed,
        outdated: &Outdated,
    ) -> Result<BTreeMap<Arn, Tags>> {
        let asked = |name: &str, vpc: &str, is_new: bool| {
            vpc == self.scope.vpc && (is_new || outdated.all_tags() || outdated.contains(name))
        };
        let of_balancers = balancers.iter().filter(|listed| {
            let old = before.load_balancers.get(&listed.name).map(|old| &old.arn);
            asked(&listed.name, &listed.vpc, old != Some(&listed.resource.arn))
        });
        let of_groups = groups.iter().filter(|listed| {
            let old = before.target_groups.get(&listed.name).map(|old| &old.arn);
            asked(&listed.name, &listed.vpc, old != Some(&listed.resource.arn))
        });
        let arns: Vec<_> = of_balancers
            .map(|listed| listed.resource.arn.clone())
            .chain(of_groups.map(|listed| listed.resource.arn.clone()))
            .collect();
        self.elb.tags(&arns).await
    }

    /// What the list does not tell of a load balancer, but for the tags of its
    /// listeners.
    async fn load_balancer(&self, balancer: &mut LoadBalancer) -> Result<()> {
        let attributes = self.elb.attributes(&balancer.arn).await?;
        let mut listeners = self.elb.listeners(&balancer.arn).await?;
        for listener in listeners.values_mut() {
            // NLBs have no rules.
            if self.scope.rules && listener.protocol.starts_with("HTTP") {
                listener.rules = self.elb.rules(&listener.arn).await?;
            }
            if listener.default_certificate.is_some() {
                listener.certificates = self.elb.certificates(&listener.arn).await?;
            }
        }
        balancer.attributes = attributes;
        balancer.listeners = listeners;
        Ok(())
    }

    async fn target_group(&self, group: &mut TargetGroup) -> Result<()> {
        let attributes = self.elb.target_group_attributes(&group.arn).await?;
        group.targets = self.elb.targets(&group.arn).await?;
        group.attributes = attributes;
        Ok(())
    }

    /// The tags of the listeners that were just read, many in one call. Without
    /// them a listener would pass for someone else's.
    async fn listener_tags(&self, read: &mut Read) {
        let balancers = &mut read.observed.load_balancers;
        let whole = |name: &&String| balancers.contains_key(*name);
        let names: Vec<_> = read.whole.iter().filter(whole).cloned().collect();
        // Ten load balancers with two listeners each make one call.
        for names in names.chunks(10) {
            let of = |name: &String| {
                let listeners = balancers[name].listeners.values();
                listeners.flat_map(|l| {
                    let rules = l.rules.values().map(|rule| rule.arn.clone());
                    std::iter::once(l.arn.clone()).chain(rules)
                })
            };
            let arns: Vec<_> = names.iter().flat_map(of).collect();
            match self.elb.tags(&arns).await {
                Ok(mut tags) => {
                    for name in names {
                        let listeners = balancers.get_mut(name).map(|b| &mut b.listeners);
                        for listener in listeners.into_iter().flat_map(|l| l.values_mut()) {
                            listener.tags = tags.remove(&listener.arn).unwrap_or_default();
                            for rule in listener.rules.values_mut() {
                                rule.tags = tags.remove(&rule.arn).unwrap_or_default();
                            }
                        }
                    }
                }
                Err(error) => {
                    for name in names {
                        read.whole.remove(name);
                        read.unread.insert(name.clone(), error.clone());
                    }
                }
            }
        }
    }

    /// Reads only the states of load balancers; gives the target groups of those
    /// that have just become active.
    pub(super) async fn states(&self, observed: &mut Observed) -> Result<Vec<String>> {
        let now: BTreeMap<String, State> = self
            .elb
            .load_balancers()
            .await?
            .into_iter()
            .map(|listed| (listed.name, listed.resource.state))
            .collect();
        let before = observed.clone();
        for (name, balancer) in &mut observed.load_balancers {
            if let Some(state) = now.get(name) {
                balancer.state = *state;
            }
        }
        Ok(newly_active(&before, observed))
    }
}

/// The target groups of load balancers that have just become active: from now on
/// the health of their targets means something.
pub(super) fn newly_active(before: &Observed, now: &Observed) -> Vec<String> {
    let was_set_up = |name: &String| {
        let before = before.load_balancers.get(name);
        before.is_some_and(|before| before.state == State::Provisioning)
    };
    now.load_balancers
        .iter()
        .filter(|(name, balancer)| balancer.state == State::Active && was_set_up(name))
        .flat_map(|(_, balancer)| balancer.forwards())
        .filter_map(|arn| now.target_group(arn))
        .map(|(name, _)| name.clone())
        .collect()
}

/// What the list tells now, and what else is known from before.
fn remember_balancer(
    listed: LoadBalancer,
    old: Option<&LoadBalancer>,
    tags: &BTreeMap<Arn, Tags>,
) -> LoadBalancer {
    let known = old.map(|old| old.tags.clone());
    LoadBalancer {
        tags: tags.get(&listed.arn).cloned().or(known).unwrap_or_default(),
        attributes: old.map(|old| old.attributes.clone()).unwrap_or_default(),
        listeners: old.map(|old| old.listeners.clone()).unwrap_or_default(),
        has_web_acl: old.is_some_and(|old| old.has_web_acl),
        ..listed
    }
}

fn remember_group(
    listed: TargetGroup,
    old: Option<&TargetGroup>,
    tags: &BTreeMap<Arn, Tags>,
) -> TargetGroup {
    let known = old.map(|old| old.tags.clone());
    TargetGroup {
        tags: tags.get(&listed.arn).cloned().or(known).unwrap_or_default(),
        attributes: old.map(|old| old.attributes.clone()).unwrap_or_default(),
        targets: old.map(|old| old.targets.clone()).unwrap_or_default(),
        ..listed
    }
}
