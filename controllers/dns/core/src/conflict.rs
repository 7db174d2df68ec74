//! Several objects that want one name.

use std::collections::BTreeMap;

use isthmus_core::ObjectRef;

use crate::annotations::AliasTypes;
use crate::desired::{Answer, Candidate, Content, Wish};
use crate::record::RecordType;
use crate::registry::Origin;

/// What a name answers, and whom that disappoints: the object or the objects that get a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Winner<'a> {
    /// What is published.
    pub(crate) answer: Answer,
    /// Whom the record is made for; the first one is written into the registry.
    pub(crate) members: Vec<&'a Candidate>,
    /// Who asked for something else.
    pub(crate) losers: Vec<&'a Candidate>,
}

impl Winner<'_> {
    /// The object in the words of the registry, and what all of them want noted.
    pub(crate) fn origin(&self) -> Origin {
        let resource = self.members.first().map(|first| first.resource.clone());
        let labels = self.members.iter().rev().flat_map(|one| one.labels.clone());
        Origin {
            resource: resource.unwrap_or_default(),
            labels: labels.collect(),
        }
    }

    /// The objects, for the steps of the plan.
    pub(crate) fn objects(&self) -> Vec<ObjectRef> {
        self.members
            .iter()
            .map(|member| member.object.clone())
            .collect()
    }
}

/// Decides among the candidates of one name, set identifier and slot, in
/// external-dns's way: who has the name keeps it; objects with addresses only
/// share it; else fewer targets come first, addresses before host names, lower
/// before higher.
/// `None` if what there is stays as it is.
pub(crate) fn settle<'a>(candidates: &[&'a Candidate], holder: Option<&str>) -> Option<Winner<'a>> {
    let holds = |candidate: &Candidate| Some(candidate.resource.as_str()) == holder;
    let publishes = |candidate: &Candidate| matches!(candidate.wish, Wish::Publish(_));
    if candidates
        .iter()
        .any(|candidate| holds(candidate) && !publishes(candidate))
    {
        return None;
    }
    let mut groups = groups(candidates);
    let best = groups.keys().min_by_key(|answer| {
        let members = &groups[*answer];
        let held = members.iter().any(|member| holds(member));
        (!held, rank(&answer.content), &members[0].resource)
    });
    let best = best.cloned()?;
    let members = groups.remove(&best).unwrap_or_default();
    Some(Winner {
        answer: best,
        members,
        losers: groups.into_values().flatten().collect(),
    })
}

fn rank(content: &Content) -> (usize, bool) {
    match content {
        Content::Targets(targets) => (targets.len(), !targets.hosts.is_empty()),
        Content::Values(_, values) => (values.len(), false),
    }
}

/// Candidates that agree, together. Those with addresses only agree whatever the
/// addresses: all of them are published.
fn groups<'a>(candidates: &[&'a Candidate]) -> BTreeMap<Answer, Vec<&'a Candidate>> {
    let mut groups: BTreeMap<Answer, Vec<&'a Candidate>> = BTreeMap::new();
    let mut sorted = candidates.to_vec();
    sorted.sort_by(|a, b| a.resource.cmp(&b.resource));
    for candidate in sorted {
        let Wish::Publish(answer) = &candidate.wish else {
            continue;
        };
        let shared = groups.iter().find(|(other, members)| {
            let own = members
                .iter()
                .any(|member| member.resource == candidate.resource);
            **other == **answer || shares(other, answer, own)
        });
        let shared = shared.map(|(other, _)| other.clone());
        let (answer, mut members) = match shared {
            None => ((**answer).clone(), Vec::new()),
            Some(other) => {
                let members = groups.remove(&other).unwrap_or_default();
                (merged(other, answer), members)
            }
        };
        members.push(candidate);
        groups.insert(answer, members);
    }
    groups
}

/// Whether both can be published as one: addresses, ports of a service, values
/// that one object spreads over several records, and an alias with its types.
fn shares(a: &Answer, b: &Answer, of_one_object: bool) -> bool {
    if a.routing != b.routing || a.health_check != b.health_check {
        return false;
    }
    match (&a.content, &b.content) {
        (Content::Targets(x), Content::Targets(y)) => {
            let addresses_only = x.hosts.is_empty() && y.hosts.is_empty();
            let same_but_types = Answer {
                alias_types: b.alias_types,
                ..a.clone()
            };
            addresses_only || (of_one_object && same_but_types == *b)
        }
        (Content::Values(RecordType::Srv, _), Content::Values(RecordType::Srv, _)) => true,
        (Content::Values(x, _), Content::Values(y, _)) => of_one_object && x == y,
        _ => false,
    }
}

fn merged(mut answer: Answer, other: &Answer) -> Answer {
    match (&mut answer.content, &other.content) {
        (Content::Targets(targets), Content::Targets(more)) => targets.merge(more),
        (Content::Values(_, values), Content::Values(_, more)) => {
            values.extend(more.iter().cloned());
        }
        _ => {}
    }
    answer.ttl = answer.ttl.or(other.ttl);
    if answer.alias_types != other.alias_types {
        answer.alias_types = AliasTypes::Both;
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Routing, Slot, Targets};

    fn candidate(name: &str, targets: &[&str]) -> Candidate {
        let mut all = Targets::default();
        for target in targets {
            all.add(target).unwrap();
        }
        let answer = Answer {
            content: Content::Targets(all),
            ttl: None,
            routing: Routing::Simple,
            health_check: None,
            alias: None,
            alias_types: AliasTypes::ByFlag,
            evaluate_target_health: true,
            target_zone: None,
            dualstack: false,
        };
        let wish = if targets.is_empty() {
            Wish::Waiting
        } else {
            Wish::Publish(Box::new(answer))
        };
        Candidate {
            object: ObjectRef::new("networking.k8s.io/v1", "Ingress", "shop", name),
            resource: format!("ingress/shop/{name}"),
            labels: BTreeMap::new(),
            set_identifier: None,
            slot: Slot::Address,
            pin: None,
            wish,
        }
    }

    /// Winners and losers by name.
    fn settled(candidates: &[Candidate], holder: Option<&str>) -> (String, String) {
        let holder = holder.map(|name| format!("ingress/shop/{name}"));
        let all: Vec<_> = candidates.iter().collect();
        let names = |list: &[&Candidate]| {
            list.iter()
                .map(|c| c.object.name.as_str())
                .collect::<Vec<_>>()
                .join(",")
        };
        match settle(&all, holder.as_deref()) {
            None => ("keep".into(), String::new()),
            Some(winner) => (names(&winner.members), names(&winner.losers)),
        }
    }

    #[test]
    fn who_has_the_name_keeps_it() {
        let both = [
            candidate("a", &["lb-1.example.com"]),
            candidate("b", &["lb-2.example.com"]),
        ];
        assert_eq!(settled(&both, None), ("a".into(), "b".into()));
        assert_eq!(settled(&both, Some("b")), ("b".into(), "a".into()));
        assert_eq!(settled(&both, Some("gone")), ("a".into(), "b".into()));
    }

    #[test]
    fn the_same_target_is_no_conflict() {
        let both = [
            candidate("b", &["lb.example.com"]),
            candidate("a", &["lb.example.com"]),
        ];
        assert_eq!(settled(&both, None), ("a,b".into(), String::new()));
    }

    #[test]
    fn addresses_are_shared_and_come_before_hosts() {
        let all = [
            candidate("a", &["lb.example.com"]),
            candidate("b", &["10.0.0.2"]),
            candidate("c", &["10.0.0.1"]),
        ];
        assert_eq!(settled(&all, Some("a")), ("a".into(), "b,c".into()));
        assert_eq!(settled(&all[1..], None), ("b,c".into(), String::new()));
        let single = [
            candidate("a", &["lb.example.com"]),
            candidate("z", &["10.0.0.2"]),
        ];
        assert_eq!(settled(&single, None), ("z".into(), "a".into()));
    }

    #[test]
    fn a_holder_without_a_target_keeps_the_name_for_its_time() {
        let both = [candidate("a", &["lb.example.com"]), candidate("b", &[])];
        assert_eq!(settled(&both, Some("b")).0, "keep");
        assert_eq!(settled(&both, Some("a")), ("a".into(), String::new()));
        assert_eq!(settled(&both[1..], None).0, "keep");
    }
}
