//! What one run leaves for the next.

use std::collections::BTreeSet;

use egress_core::{Observed, RoutesSeen, Snapshot, UnixTime};
use isthmus_core::ObjectRef;
use isthmus_runtime::Page;

use crate::answers::Answers;
use crate::apply::Done;
use crate::confirm::EmptyLists;

/// How long something that was made may stay invisible: EC2 is [eventually
/// consistent](https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html),
/// usually within seconds. After that somebody has deleted it.
const PATIENCE_SECONDS: i64 = 60;

/// How often in a row "it is there already" is taken for a lost answer.
const MOST_SECOND_LOOKS: u32 = 5;

/// Lost with the process, and nothing that was made depends on it: it spares work
/// and words, and tells a route that was changed from one that was always another's.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// What the last run went by, if it left nothing to do.
    pub(crate) settled: Option<Snapshot>,
    /// What the ConfigMaps were told.
    pub(crate) answers: Answers,
    /// For the admin server.
    pub(crate) page: Page,
    /// The last plan as text.
    pub(crate) plan: String,
    /// The routes that were ours at the last look.
    pub(crate) routes: RoutesSeen,
    /// Whether an empty list is news.
    pub(crate) empty: EmptyLists,
    made: Vec<(String, UnixTime)>,
    second_looks: u32,
}

impl Memory {
    /// Notes what a run has made.
    pub(crate) fn note(&mut self, done: &Done, now: UnixTime) {
        self.made
            .extend(done.made.iter().map(|id| (id.clone(), now)));
        self.second_looks = match done.look_again {
            true => self.second_looks + 1,
            false => 0,
        };
    }

    /// Something was made a moment ago and is not to be seen: this look at EC2
    /// shows the past, and a plan made of it would make things twice.
    pub(crate) fn unseen(&mut self, observed: &Observed, now: UnixTime) -> Option<String> {
        self.made.retain(|(id, since)| {
            let seen = observed.subnets.contains_key(id)
                || observed.route_tables.contains_key(id)
                || observed.addresses.contains_key(id)
                || observed.nat_gateways.contains_key(id);
            !seen && now - since < PATIENCE_SECONDS
        });
        self.made.first().map(|(id, _)| id.clone())
    }

    /// Whether "it is there already" has been said too often to be a lost answer.
    pub(crate) fn is_tired(&self) -> bool {
        self.second_looks > MOST_SECOND_LOOKS
    }

    /// The ConfigMaps that were told something and ask for nothing any more.
    pub(crate) fn gone(&self, snapshot: &Snapshot) -> BTreeSet<ObjectRef> {
        let told = self.answers.iter().map(|(object, _)| object);
        let gone = told.filter(|object| {
            let key = (object.namespace.clone(), object.name.clone());
            !snapshot.lists.contains_key(&key)
        });
        gone.cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egress_core::{Address, Vpc};
    use std::collections::BTreeMap;

    fn observed(addresses: &[&str]) -> Observed {
        let address = |id: &&str| {
            let address = Address {
                public_ip: "192.0.2.1".into(),
                attached_to: None,
                tags: BTreeMap::new(),
            };
            ((*id).to_owned(), address)
        };
        Observed {
            vpc: Vpc {
                id: "vpc-1".into(),
                cidrs: Vec::new(),
            },
            internet_gateway: None,
            subnets: BTreeMap::new(),
            route_tables: BTreeMap::new(),
            addresses: addresses.iter().map(address).collect(),
            nat_gateways: BTreeMap::new(),
        }
    }

    #[test]
    fn a_look_into_the_past_is_recognised() {
        let mut memory = Memory::default();
        let done = Done {
            made: vec!["eipalloc-1".into()],
            ..Done::default()
        };
        memory.note(&done, 1000);
        assert_eq!(
            memory.unseen(&observed(&[]), 1001).as_deref(),
            Some("eipalloc-1")
        );
        assert_eq!(memory.unseen(&observed(&["eipalloc-1"]), 1002), None);
        assert_eq!(
            memory.unseen(&observed(&[]), 1003),
            None,
            "deleted by somebody: it was seen before"
        );
    }

    #[test]
    fn what_stays_invisible_is_given_up() {
        let mut memory = Memory::default();
        let done = Done {
            made: vec!["eipalloc-1".into()],
            ..Done::default()
        };
        memory.note(&done, 1000);
        assert!(memory.unseen(&observed(&[]), 1059).is_some());
        assert_eq!(memory.unseen(&observed(&[]), 1060), None);
    }

    #[test]
    fn there_already_is_believed_a_few_times() {
        let mut memory = Memory::default();
        let again = Done {
            look_again: true,
            ..Done::default()
        };
        for _ in 0..MOST_SECOND_LOOKS {
            memory.note(&again, 0);
            assert!(!memory.is_tired());
        }
        memory.note(&again, 0);
        assert!(memory.is_tired());
        memory.note(&Done::default(), 0);
        assert!(!memory.is_tired());
    }
}
