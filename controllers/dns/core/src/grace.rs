//! Patience with load balancers that vanish from a status.

use std::collections::BTreeMap;
use std::time::Duration;

use isthmus_core::ObjectRef;

use crate::Desired;
use crate::desired::Wish;

/// Since when objects have had no target. A status is empty for a moment when a
/// load balancer is made anew or its controller restarts; a deleted record would
/// be remembered as missing by resolvers for longer than that.
#[derive(Debug)]
pub struct Grace {
    period: Duration,
    since: BTreeMap<ObjectRef, Duration>,
}

impl Grace {
    /// Patience of `--empty-target-grace`.
    #[must_use]
    pub fn new(period: Duration) -> Self {
        Self {
            period,
            since: BTreeMap::new(),
        }
    }

    /// Takes the wishes of objects out that have waited long enough, so that
    /// their records go; the others' records stay. `now` is the time since any
    /// fixed moment; an object is first seen waiting when this is first called
    /// with it, so a restart begins anew. Gives the time until the next one has
    /// waited long enough.
    pub fn apply(&mut self, desired: &mut Desired, now: Duration) -> Option<Duration> {
        let mut waiting = BTreeMap::new();
        for candidates in desired.names.values_mut() {
            candidates.retain(|candidate| {
                if candidate.wish != Wish::Waiting {
                    return true;
                }
                let since = *self.since.get(&candidate.object).unwrap_or(&now);
                waiting.insert(candidate.object.clone(), since);
                now.saturating_sub(since) < self.period
            });
        }
        desired.names.retain(|_, candidates| !candidates.is_empty());
        self.since = waiting;
        let ends = self.since.values().map(|since| *since + self.period);
        ends.filter(|end| *end > now).min().map(|end| end - now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::Candidate;
    use crate::{DnsName, Slot};

    fn waiting(names: &[&str]) -> Desired {
        let candidate = |object: &str| Candidate {
            object: ObjectRef::new("networking.k8s.io/v1", "Ingress", "shop", object),
            resource: format!("ingress/shop/{object}"),
            labels: BTreeMap::new(),
            set_identifier: None,
            slot: Slot::Address,
            pin: None,
            wish: Wish::Waiting,
        };
        let names = names
            .iter()
            .map(|name| (DnsName::from_route53(name), vec![candidate(name)]));
        Desired {
            names: names.collect(),
            ..Desired::default()
        }
    }

    #[test]
    fn records_stay_until_the_period_is_over() {
        let mut grace = Grace::new(Duration::from_secs(120));
        let at = |seconds: u64| Duration::from_secs(1000 + seconds);
        let mut first = waiting(&["a.org"]);
        assert_eq!(
            grace.apply(&mut first, at(0)),
            Some(Duration::from_secs(120))
        );
        assert_eq!(first.names.len(), 1);
        let mut second = waiting(&["a.org", "b.org"]);
        assert_eq!(
            grace.apply(&mut second, at(100)),
            Some(Duration::from_secs(20))
        );
        assert_eq!(second.names.len(), 2);
        let mut third = waiting(&["a.org", "b.org"]);
        assert_eq!(
            grace.apply(&mut third, at(120)),
            Some(Duration::from_secs(100))
        );
        assert_eq!(
            third.names.keys().map(DnsName::as_str).collect::<Vec<_>>(),
            ["b.org"]
        );
    }

    #[test]
    fn a_target_that_came_back_starts_the_period_anew() {
        let mut grace = Grace::new(Duration::from_secs(120));
        grace.apply(&mut waiting(&["a.org"]), Duration::ZERO);
        grace.apply(&mut waiting(&[]), Duration::from_secs(60));
        let mut again = waiting(&["a.org"]);
        grace.apply(&mut again, Duration::from_secs(130));
        assert_eq!(again.names.len(), 1);
    }
}
