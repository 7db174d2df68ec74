//! Reading ELBv2, as little as will do.
//!
//! At a full run everything is read. Otherwise only what was changed since the
//! last one, and what is waited for: at rest that is nothing.

use std::collections::{BTreeMap, BTreeSet};

use ingress_core::{Arn, LoadBalancer, Observed, State, TargetGroup, is_ours};
use isthmus_core::Ownership;

use crate::aws::{Listed, LoadBalancing, Result, Tags};

/// What is remembered of ELBv2 between two runs.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    observed: Observed,
    /// Whether everything was read once.
    complete: bool,
    /// Load balancers and target groups that were changed, or should have been.
    stale: BTreeSet<String>,
    /// Whether AWS is setting up load balancers.
    provisioning: bool,
    /// Target groups whose targets are waited for.
    unhealthy: BTreeSet<String>,
}

/// Whose resources are read in full.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) ownership: &'a Ownership,
    /// Resources in other VPCs are nobody's here; only their names count.
    pub(crate) vpc: &'a str,
}

impl Memory {
    pub(crate) fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Forgets what is known of these load balancers and target groups.
    pub(crate) fn forget(&mut self, names: impl IntoIterator<Item = String>) {
        self.stale.extend(names);
    }

    /// What the next run waits for.
    pub(crate) fn wait_for(&mut self, provisioning: bool, unhealthy: BTreeSet<String>) {
        self.provisioning = provisioning;
        self.unhealthy = unhealthy;
    }

    /// Brings the memory up to date. On an error it is as it was, so that nothing
    /// is decided on a part of the truth.
    pub(crate) async fn refresh(
        &mut self,
        elb: &impl LoadBalancing,
        scope: Scope<'_>,
        full: bool,
    ) -> Result<()> {
        let full = full || !self.complete;
        let at_rest = self.stale.is_empty() && self.unhealthy.is_empty() && !self.provisioning;
        if at_rest && !full {
            return Ok(());
        }
        let mut observed = self.observed.clone();
        let reader = Reader { elb, scope };
        if full || !self.stale.is_empty() {
            let outdated = |name: &str| full || self.stale.contains(name);
            reader.lists(&mut observed, outdated).await?;
        } else if self.provisioning {
            reader.states(&mut observed).await?;
        }
        for name in &self.unhealthy {
            if let Some(group) = observed.target_groups.get_mut(name)
                && !full
                && !self.stale.contains(name)
            {
                group.targets = elb.targets(&group.arn).await?;
            }
        }
        self.observed = observed;
        self.complete = true;
        self.stale.clear();
        Ok(())
    }
}

struct Reader<'a, E> {
    elb: &'a E,
    scope: Scope<'a>,
}

impl<E: LoadBalancing> Reader<'_, E> {
    /// Reads both lists, and all about those of ours that are new or outdated.
    async fn lists(&self, observed: &mut Observed, outdated: impl Fn(&str) -> bool) -> Result<()> {
        let balancers = self.elb.load_balancers().await?;
        let groups = self.elb.target_groups().await?;
        let known =
            |name: &str, arn: &Arn, before: Option<&Arn>| !outdated(name) && before == Some(arn);
        let balancers: Vec<_> = balancers
            .into_iter()
            .map(|listed| {
                let before = observed.load_balancers.get(&listed.name);
                let keep = known(&listed.name, &listed.resource.arn, before.map(|b| &b.arn));
                (keep, listed)
            })
            .collect();
        let groups: Vec<_> = groups
            .into_iter()
            .map(|listed| {
                let before = observed.target_groups.get(&listed.name);
                let keep = known(&listed.name, &listed.resource.arn, before.map(|g| &g.arn));
                (keep, listed)
            })
            .collect();
        let mut tags = self.tags_of(&balancers, &groups).await?;
        let before = std::mem::take(observed);
        for (keep, listed) in balancers {
            let old = before.load_balancers.get(&listed.name).filter(|_| keep);
            let balancer = self.load_balancer(listed.resource, old, &mut tags).await?;
            observed.load_balancers.insert(listed.name, balancer);
        }
        for (keep, listed) in groups {
            let old = before.target_groups.get(&listed.name).filter(|_| keep);
            let group = self.target_group(listed.resource, old, &mut tags).await?;
            observed.target_groups.insert(listed.name, group);
        }
        Ok(())
    }

    async fn tags_of(
        &self,
        balancers: &[(bool, Listed<LoadBalancer>)],
        groups: &[(bool, Listed<TargetGroup>)],
    ) -> Result<BTreeMap<Arn, Tags>> {
        let asked = |keep: bool, vpc: &str| !keep && vpc == self.scope.vpc;
        let of_balancers = balancers
            .iter()
            .filter(|(keep, listed)| asked(*keep, &listed.vpc))
            .map(|(_, listed)| listed.resource.arn.clone());
        let of_groups = groups
            .iter()
            .filter(|(keep, listed)| asked(*keep, &listed.vpc))
            .map(|(_, listed)| listed.resource.arn.clone());
        let arns: Vec<_> = of_balancers.chain(of_groups).collect();
        self.elb.tags(&arns).await
    }

    async fn load_balancer(
        &self,
        listed: LoadBalancer,
        old: Option<&LoadBalancer>,
        tags: &mut BTreeMap<Arn, Tags>,
    ) -> Result<LoadBalancer> {
        if let Some(old) = old {
            return Ok(LoadBalancer {
                tags: old.tags.clone(),
                attributes: old.attributes.clone(),
                listeners: old.listeners.clone(),
                ..listed
            });
        }
        let tags = tags.remove(&listed.arn).unwrap_or_default();
        let mut balancer = LoadBalancer { tags, ..listed };
        if !is_ours(self.scope.ownership, &balancer.tags) {
            return Ok(balancer);
        }
        balancer.attributes = self.elb.attributes(&balancer.arn).await?;
        balancer.listeners = self.elb.listeners(&balancer.arn).await?;
        let arns: Vec<_> = balancer
            .listeners
            .values()
            .map(|listener| listener.arn.clone())
            .collect();
        let mut tags = self.elb.tags(&arns).await?;
        for listener in balancer.listeners.values_mut() {
            listener.tags = tags.remove(&listener.arn).unwrap_or_default();
            if listener.default_certificate.is_some() {
                listener.certificates = self.elb.certificates(&listener.arn).await?;
            }
        }
        Ok(balancer)
    }

    async fn target_group(
        &self,
        listed: TargetGroup,
        old: Option<&TargetGroup>,
        tags: &mut BTreeMap<Arn, Tags>,
    ) -> Result<TargetGroup> {
        if let Some(old) = old {
            return Ok(TargetGroup {
                tags: old.tags.clone(),
                attributes: old.attributes.clone(),
                targets: old.targets.clone(),
                ..listed
            });
        }
        let tags = tags.remove(&listed.arn).unwrap_or_default();
        let mut group = TargetGroup { tags, ..listed };
        if is_ours(self.scope.ownership, &group.tags) {
            group.attributes = self.elb.target_group_attributes(&group.arn).await?;
            group.targets = self.elb.targets(&group.arn).await?;
        }
        Ok(group)
    }

    /// Reads only the states of load balancers.
    async fn states(&self, observed: &mut Observed) -> Result<()> {
        let now: BTreeMap<String, State> = self
            .elb
            .load_balancers()
            .await?
            .into_iter()
            .map(|listed| (listed.name, listed.resource.state))
            .collect();
        for (name, balancer) in &mut observed.load_balancers {
            if let Some(state) = now.get(name) {
                balancer.state = *state;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
