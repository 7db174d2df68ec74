//! Rules that refuse requests for internal hosts.

use std::collections::{BTreeMap, BTreeSet};

use super::Planner;
use crate::action::{Operation, RuleSpec};
use crate::rejection::{NOT_OWNED, reject_all};
use crate::{DesiredLoadBalancer, Listener, Rule, is_ours};

impl Planner<'_> {
    /// Makes, mends and deletes the rules of one listener. Someone else's rules stay,
    /// and keep their priorities.
    pub(super) fn rules(
        &mut self,
        name: &str,
        want: &DesiredLoadBalancer,
        port: u16,
        have: Option<&Listener>,
    ) {
        let none = BTreeMap::new();
        let rules = have.map_or(&none, |listener| &listener.rules);
        let ownership = &self.config.ownership;
        let (ours, others): (BTreeMap<_, _>, BTreeMap<_, _>) = rules
            .iter()
            .partition(|(_, rule)| is_ours(ownership, &rule.tags));
        let before = others.keys().map(|priority| **priority).next();
        let mut wanted = BTreeSet::new();
        for spec in specs(name, want, port, &others) {
            wanted.insert(spec.priority);
            match ours.get(&spec.priority) {
                Some(rule) if is_met(&spec, rule) => {}
                Some(_) => self.push(name, &want.members, Operation::SetRule(spec)),
                None => self.push(name, &want.members, Operation::CreateRule(spec)),
            }
        }
        if let Some(before) = before.filter(|b| wanted.last().is_some_and(|last| b < last)) {
            let message = format!(
                "rule {before} of the listener on port {port} of the load balancer {name} does not have our tags and goes before the refusal of internal domains; it is left alone: delete it, or give it a lower priority"
            );
            reject_all(&mut self.out.rejections, &want.members, NOT_OWNED, &message);
        }
        for priority in ours.into_keys().filter(|p| !wanted.contains(p)) {
            let delete = Operation::DeleteRule {
                load_balancer: name.to_owned(),
                port,
                priority: *priority,
            };
            self.push(name, &want.members, delete);
        }
    }
}

fn is_met(spec: &RuleSpec, rule: &Rule) -> bool {
    rule.hosts.as_ref() == Some(&spec.hosts) && rule.response.as_ref() == Some(&spec.response)
}

/// The rules on the first priorities that are free.
fn specs(
    name: &str,
    want: &DesiredLoadBalancer,
    port: u16,
    others: &BTreeMap<&u32, &Rule>,
) -> Vec<RuleSpec> {
    let Some(denial) = &want.denial else {
        return Vec::new();
    };
    let free = (1..).filter(|priority| !others.contains_key(priority));
    let rules = free.zip(denial.rules());
    rules
        .map(|(priority, hosts)| RuleSpec {
            load_balancer: name.to_owned(),
            port,
            priority,
            hosts,
            response: denial.response.clone(),
            tags: want.target_group.tags.clone(),
        })
        .collect()
}
