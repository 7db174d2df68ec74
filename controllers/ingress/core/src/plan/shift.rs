//! From one target group to another without a gap.

use super::Planner;
use crate::action::DefaultAction;
use crate::{Arn, DesiredLoadBalancer, Listener, Protocol, TargetGroup, is_ours};

impl Planner<'_> {
    /// A listener that is to forward elsewhere goes on with what it has until the
    /// new target group has a healthy target. AWS checks the health of targets only
    /// where a listener can reach them, so meanwhile it has both, the new one with
    /// the [weight] 0.
    ///
    /// [weight]: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-action-types.html#forward-actions
    pub(super) fn shift(&mut self, have: &Listener, action: DefaultAction) -> DefaultAction {
        let DefaultAction::Forward(to) = action else {
            return action;
        };
        let Some(from) = self.serving_instead(have, &to) else {
            return DefaultAction::Forward(to);
        };
        self.serving.insert(from.clone());
        if !self.desired.targets.ids.is_empty() {
            self.out.warming.insert(to.clone());
        }
        DefaultAction::Shift { from, to }
    }

    /// The target group that serves and is healthy, while the wanted one is not.
    fn serving_instead(&self, have: &Listener, to: &str) -> Option<String> {
        let next = self.observed.target_groups.get(to);
        if next.is_some_and(TargetGroup::has_healthy_target) {
            return None;
        }
        let (name, group) = self.ours(have.action.serving()?)?;
        let instead = name != to && group.has_healthy_target() && self.may_be_together(group, to);
        instead.then(|| name.clone())
    }

    /// The target groups of one action of an NLB have one protocol.
    fn may_be_together(&self, group: &TargetGroup, to: &str) -> bool {
        let balancers = self.desired.load_balancers.values();
        let mut wanted = balancers.flat_map(DesiredLoadBalancer::target_groups);
        let next = wanted.find(|group| group.name == to).map(|g| g.protocol);
        let of_nlbs = |protocol| matches!(protocol, Some(Protocol::Tcp | Protocol::Tls));
        next == group.protocol || !(of_nlbs(next) || of_nlbs(group.protocol))
    }

    fn ours(&self, arn: &Arn) -> Option<(&String, &TargetGroup)> {
        let found = self.observed.target_group(arn);
        found.filter(|(_, group)| is_ours(&self.config.ownership, &group.tags))
    }
}
