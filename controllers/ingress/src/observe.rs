//! Reading ELBv2, as little as will do.
//!
//! At the start everything is read. At a resync the lists and the tags are, and
//! of the rest a share, the oldest first, so that each load balancer is looked at
//! in full every [`WHOLE_ROUND`]. In between only what was changed, what is
//! waited for and what a step is about to change: at rest that is nothing.

mod reader;
mod web_acls;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ingress_core::{ALARM_MARK, ALARMS_TAG, Observed, alarm_prefix, is_ours};
use isthmus_core::Ownership;
use isthmus_runtime::Failure;

use crate::aws::{Alarms, Firewall, LoadBalancing, Result};
use crate::decided::Reliance;
use crate::error::AwsError;
use reader::{Outdated, Reader};

/// In this time the resyncs have read everything once. The resyncs jitter by a
/// tenth, which leaves 35 minutes as the promise: with 20 load balancers and every
/// feature that is less than ten calls a minute.
const WHOLE_ROUND: Duration = Duration::from_secs(30 * 60);
/// How many load balancers and target groups a resync reads in full at least.
const LEAST_SHARE: usize = 6;

/// How much is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Everything: nothing that is remembered can be relied on.
    Everything,
    /// The lists and a share of the rest; so often the resyncs come.
    Resync(Duration),
    /// What was forgotten and what is waited for.
    Forgotten,
}

/// What is remembered of ELBv2 between two reconciles.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    observed: Observed,
    /// Whether the lists were read at all.
    listed: bool,
    /// When all about a load balancer or target group of ours was last read.
    read_at: BTreeMap<String, Instant>,
    /// When a share was last read.
    shared_at: Option<Instant>,
    /// Load balancers and target groups that were changed, or should have been.
    forgotten: BTreeSet<String>,
    /// Whether AWS is setting up load balancers.
    provisioning: bool,
    /// Target groups whose targets are waited for.
    waiting: BTreeSet<String>,
    /// What was read in this reconcile.
    fresh: Fresh,
    /// What could not be read the last time, and why.
    unread: BTreeMap<String, AwsError>,
    /// The web ACLs that could not be read the last time.
    unread_acls: Vec<AwsError>,
    /// Whether rules of ours were seen, which may have to go.
    rules_seen: bool,
    /// Why alarms could not be read the last time.
    unread_alarms: Option<AwsError>,
}

#[derive(Debug, Default)]
struct Fresh {
    lists: bool,
    whole: BTreeSet<String>,
    targets: BTreeSet<String>,
    alarms: bool,
}

/// Whose resources are read in full.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) ownership: &'a Ownership,
    /// Resources in other VPCs are nobody's here; only their names count.
    pub(crate) vpc: &'a str,
    /// Whether there should be rules. They are read once in any case, since an
    /// earlier start may have had other flags.
    pub(crate) rules: bool,
    /// Whether there should be alarms. Otherwise they are read where a load balancer
    /// is marked to have some.
    pub(crate) alarms: bool,
}

impl Memory {
    pub(crate) fn observed(&self) -> &Observed {
        &self.observed
    }

    /// What could not be read, as failures of the run.
    pub(crate) fn failures(&self) -> Vec<Failure> {
        let failure = |(name, error): (&String, &AwsError)| Failure {
            message: format!("{name}: {error}"),
            ..error.failure("observe")
        };
        let acls = self.unread_acls.iter().map(|e| e.failure("observe"));
        let alarms = self.unread_alarms.iter().map(|e| e.failure("alarms"));
        let unread = self.unread.iter().map(failure);
        unread.chain(acls).chain(alarms).collect()
    }

    /// What could not be read, and why: no step may touch it.
    pub(crate) fn unread(&self) -> &BTreeMap<String, AwsError> {
        &self.unread
    }

    /// Forgets what is known of these load balancers and target groups.
    pub(crate) fn forget(&mut self, names: impl IntoIterator<Item = String>) {
        self.forgotten.extend(names);
    }

    /// What the next run waits for.
    pub(crate) fn wait_for(&mut self, provisioning: bool, unhealthy: BTreeSet<String>) {
        self.provisioning = provisioning;
        self.waiting = unhealthy;
    }

    /// A reconcile begins: nothing was read in it yet.
    pub(crate) fn begin(&mut self) {
        self.fresh = Fresh::default();
    }

    /// Forgets what steps rely on and was not read in this reconcile. Whether
    /// there is such a thing, so that it has to be read before they are believed.
    pub(crate) fn doubt(&mut self, reliance: &Reliance) -> bool {
        let known = |name: &String| {
            self.observed.load_balancers.contains_key(name)
                || self.observed.target_groups.contains_key(name)
        };
        let fresh = &self.fresh;
        let sure = |name: &&String| fresh.lists && (fresh.whole.contains(*name) || !known(name));
        let doubted: Vec<_> = reliance.whole.iter().filter(|name| !sure(name)).collect();
        let targets = reliance.targets.iter().filter(|name| {
            !sure(name) && !fresh.targets.contains(*name) && !self.unread.contains_key(*name)
        });
        let targets: Vec<_> = targets.cloned().collect();
        let doubted: Vec<_> = doubted
            .into_iter()
            .filter(|name| !self.unread.contains_key(*name))
            .cloned()
            .collect();
        let any = !doubted.is_empty() || !targets.is_empty();
        let (known, unknown): (Vec<_>, Vec<_>) = targets.into_iter().partition(known);
        self.forgotten.extend(doubted.into_iter().chain(unknown));
        self.waiting.extend(known);
        self.doubts_alarms(reliance) || any
    }

    /// As if that much time had passed.
    #[cfg(test)]
    fn pass(&mut self, time: Duration) {
        let earlier = |at: &mut Instant| *at -= time;
        self.read_at.values_mut().for_each(earlier);
        self.shared_at.iter_mut().for_each(earlier);
    }

    /// Brings the memory up to date. When a list cannot be read it is as it was, so
    /// that nothing is decided on a part of the truth; when something about one
    /// load balancer or target group cannot, that one alone is [`Self::unread`].
    pub(crate) async fn refresh(
        &mut self,
        (elb, waf, alarms): (&impl LoadBalancing, &impl Firewall, &impl Alarms),
        mut scope: Scope<'_>,
        depth: Depth,
    ) -> Result<()> {
        scope.rules |= self.rules_seen || !self.listed;
        let now = Instant::now();
        let reader = Reader { elb, scope };
        let outdated = self.outdated(depth, now);
        if outdated.needs_lists() {
            let read = reader.everything(&self.observed, &outdated).await?;
            let whole = read.whole.clone();
            self.take(read, depth, now);
            self.rules_seen |= has_rules(&self.observed, scope.ownership);
            let outdated = |name: &str| whole.contains(name);
            self.unread_acls = web_acls::read(waf, scope, &mut self.observed, outdated).await;
            self.read_alarms(alarms, scope).await;
        } else if self.provisioning {
            let active = reader.states(&mut self.observed).await?;
            self.waiting.extend(active);
        }
        self.read_targets(elb).await
    }

    fn take(&mut self, read: reader::Read, depth: Depth, now: Instant) {
        let shares = self.has_a_share(depth, now);
        let active = reader::newly_active(&self.observed, &read.observed);
        self.waiting.extend(active);
        self.observed = read.observed;
        self.listed = true;
        self.fresh.lists = true;
        self.forgotten = read.unread.keys().cloned().collect();
        self.unread = read.unread;
        if shares {
            self.shared_at = Some(now);
        }
        for name in &read.whole {
            self.read_at.insert(name.clone(), now);
            self.waiting.remove(name);
        }
        self.fresh.whole.extend(read.whole);
        let there = &self.observed;
        self.read_at.retain(|name, _| {
            there.load_balancers.contains_key(name) || there.target_groups.contains_key(name)
        });
    }

    /// What is to be read in full.
    fn outdated(&self, depth: Depth, now: Instant) -> Outdated {
        match depth {
            _ if !self.listed => Outdated::All,
            Depth::Everything => Outdated::All,
            Depth::Forgotten => Outdated::These {
                names: self.forgotten.clone(),
                all_tags: false,
            },
            Depth::Resync(_) => {
                let mut names = self.forgotten.clone();
                if self.has_a_share(depth, now) {
                    names.extend(self.share(now));
                }
                Outdated::These {
                    names,
                    all_tags: true,
                }
            }
        }
    }

    /// Whether a reconcile reads a share: not when one was read just now, since runs
    /// after a failure are no resyncs.
    fn has_a_share(&self, depth: Depth, now: Instant) -> bool {
        match depth {
            Depth::Everything => true,
            Depth::Resync(interval) => self.since_share(now) >= interval / 2,
            Depth::Forgotten => !self.listed,
        }
    }

    fn since_share(&self, now: Instant) -> Duration {
        self.shared_at
            .map_or(WHOLE_ROUND, |at| now.saturating_duration_since(at))
    }

    /// Those that were read longest ago.
    fn share(&self, now: Instant) -> Vec<String> {
        let since = self.since_share(now);
        let part = since.as_secs_f64() / WHOLE_ROUND.as_secs_f64();
        let share = (self.read_at.len() as f64 * part).ceil() as usize;
        let mut oldest: Vec<_> = self.read_at.iter().map(|(name, at)| (*at, name)).collect();
        oldest.sort();
        let oldest = oldest.into_iter().map(|(_, name)| name.clone());
        oldest.take(share.max(LEAST_SHARE)).collect()
    }

    /// Reads the targets that are waited for.
    async fn read_targets(&mut self, elb: &impl LoadBalancing) -> Result<()> {
        for name in std::mem::take(&mut self.waiting) {
            if self.fresh.whole.contains(&name) {
                continue;
            }
            let Some(group) = self.observed.target_groups.get_mut(&name) else {
                continue;
            };
            match elb.targets(&group.arn).await {
                Ok(targets) => {
                    group.targets = targets;
                    self.fresh.targets.insert(name);
                }
                Err(error) => {
                    self.forgotten.insert(name.clone());
                    self.unread.insert(name, error);
                }
            }
        }
        Ok(())
    }
}

impl Memory {
    /// Alarms are read together, with the lists of load balancers. Without them
    /// there are no steps for alarms, and everything else goes on.
    async fn read_alarms(&mut self, alarms: &impl Alarms, scope: Scope<'_>) {
        let mut balancers = self.observed.our_load_balancers(scope.ownership);
        let marked = balancers.any(|(_, balancer)| balancer.tags.contains_key(ALARMS_TAG));
        drop(balancers);
        self.unread_alarms = None;
        self.observed.alarms = None;
        self.fresh.alarms = true;
        if !scope.alarms && !marked {
            return;
        }
        match alarms.alarms(&alarm_prefix(scope.ownership)).await {
            Ok(found) => self.observed.alarms = Some(found),
            Err(error) => self.unread_alarms = Some(error),
        }
    }

    /// Whether steps rely on alarms that were not read in this reconcile.
    fn doubts_alarms(&mut self, reliance: &Reliance) -> bool {
        let mut names = reliance.whole.iter();
        let alarm = names.find(|name| name.starts_with(ALARM_MARK));
        let doubted = alarm.filter(|_| !self.fresh.alarms).cloned();
        self.forgotten.extend(doubted.clone());
        doubted.is_some()
    }
}

fn has_rules(observed: &Observed, ownership: &Ownership) -> bool {
    let mut listeners = observed
        .our_load_balancers(ownership)
        .flat_map(|(_, balancer)| balancer.listeners.values());
    listeners.any(|listener| {
        let mut rules = listener.rules.values();
        rules.any(|rule| is_ours(ownership, &rule.tags))
    })
}

#[cfg(test)]
mod tests;
