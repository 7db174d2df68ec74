//! Which instances a target group holds.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use crate::Node;

/// The label that takes a Node off load balancers
/// (<https://kubernetes.io/docs/reference/labels-annotations-taints/#node-kubernetes-io-exclude-from-external-load-balancers>).
const EXCLUDE: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
const CONTROL_PLANE: [&str; 2] = [
    "node-role.kubernetes.io/control-plane",
    "node-role.kubernetes.io/master",
];
/// The taints of a Node that is about to be removed: by cluster-autoscaler, by
/// Karpenter since 1.0 and before, and by aws-node-termination-handler.
const LEAVING: [&str; 6] = [
    "ToBeDeletedByClusterAutoscaler",
    "karpenter.sh/disrupted",
    "karpenter.sh/disruption",
    "aws-node-termination-handler/asg-lifecycle-termination",
    "aws-node-termination-handler/scheduled-maintenance",
    "aws-node-termination-handler/spot-itn",
];

/// The EC2 instances of the Nodes that take traffic.
///
/// Not those of the control plane nor those with the label `exclude-from-external-load-balancers`.
/// Nodes that are being removed are left out, so that they drain first; unless
/// there is no other, since an instance that goes soon is better than none.
#[must_use]
pub(crate) fn instances(nodes: &[Node], selector: &NodeSelector) -> BTreeSet<String> {
    let eligible = |node: &&Node| {
        let has = |label: &str| node.labels.contains_key(label);
        !has(EXCLUDE) && !CONTROL_PLANE.into_iter().any(has) && selector.matches(&node.labels)
    };
    let (going, staying): (Vec<_>, Vec<_>) = nodes
        .iter()
        .filter(eligible)
        .partition(|node| is_leaving(node));
    let of = |nodes: &[&Node]| -> BTreeSet<String> {
        nodes.iter().filter_map(|node| instance(node)).collect()
    };
    let staying = of(&staying);
    if staying.is_empty() {
        of(&going)
    } else {
        staying
    }
}

/// The instances of Nodes that are being removed.
pub(crate) fn leaving_instances(nodes: &[Node]) -> BTreeSet<String> {
    let leaving = nodes.iter().filter(|node| is_leaving(node));
    leaving.filter_map(instance).collect()
}

fn is_leaving(node: &Node) -> bool {
    let mut taints = node.taints.iter();
    node.deleting || taints.any(|taint| LEAVING.contains(&taint.as_str()))
}

/// The instance id of `aws:///<zone>/<instance-id>`; Fargate's Nodes have none.
fn instance(node: &Node) -> Option<String> {
    let path = node.provider_id.as_deref()?.strip_prefix("aws://")?;
    let id = path.rsplit('/').next()?;
    id.starts_with("i-").then(|| id.to_owned())
}

/// An equality-based [label selector]: `a=b,c!=d,e,!f`, all of which must hold.
///
/// [label selector]: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSelector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    Is(String, String),
    IsNot(String, String),
    Has(String),
    HasNot(String),
}

/// A text that is not such a selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a requirement such as key=value, key!=value, key or !key")]
pub struct WrongSelector(String);

impl NodeSelector {
    /// Whether these labels fulfil every requirement.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|requirement| match requirement {
            Requirement::Is(key, value) => labels.get(key) == Some(value),
            Requirement::IsNot(key, value) => labels.get(key) != Some(value),
            Requirement::Has(key) => labels.contains_key(key),
            Requirement::HasNot(key) => !labels.contains_key(key),
        })
    }
}

impl FromStr for NodeSelector {
    type Err = WrongSelector;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        text.split(',')
            .map(|part| requirement(part.trim()))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn requirement(text: &str) -> Result<Requirement, WrongSelector> {
    let legal = |word: &str| {
        word.bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'/'))
    };
    let pair = |(key, value): (&str, &str)| (key.trim().to_owned(), value.trim().to_owned());
    let (found, words) = if let Some(both) = text.split_once("!=") {
        let (key, value) = pair(both);
        (Requirement::IsNot(key.clone(), value.clone()), [key, value])
    } else if let Some(both) = text.split_once("==").or_else(|| text.split_once('=')) {
        let (key, value) = pair(both);
        (Requirement::Is(key.clone(), value.clone()), [key, value])
    } else if let Some(key) = text.strip_prefix('!') {
        (
            Requirement::HasNot(key.to_owned()),
            [key.to_owned(), String::new()],
        )
    } else {
        (
            Requirement::Has(text.to_owned()),
            [text.to_owned(), String::new()],
        )
    };
    if words[0].is_empty() || !words.iter().all(|word| legal(word)) {
        return Err(WrongSelector(text.to_owned()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str, labels: &[&str], taints: &[&str]) -> Node {
        Node {
            name: id.into(),
            provider_id: Some(format!("aws:///eu-central-1a/{id}")),
            labels: labels
                .iter()
                .map(|l| ((*l).to_owned(), String::new()))
                .collect(),
            taints: taints.iter().map(|t| (*t).to_owned()).collect(),
            deleting: false,
        }
    }

    fn of(nodes: &[Node]) -> Vec<String> {
        instances(nodes, &NodeSelector::default())
            .into_iter()
            .collect()
    }

    #[test]
    fn workers_on_ec2_alone() {
        let nodes = [
            node("i-1", &[], &[]),
            node("i-2", &["node-role.kubernetes.io/control-plane"], &[]),
            node("i-3", &["node-role.kubernetes.io/master"], &[]),
            node("i-4", &[EXCLUDE], &[]),
            node("fargate-ip-10-0-0-1", &[], &[]),
            Node {
                name: "new".into(),
                ..Node::default()
            },
        ];
        assert_eq!(of(&nodes), ["i-1"]);
    }

    #[test]
    fn leaving_nodes_drain_unless_none_is_left() {
        let leaving = node("i-2", &[], &["ToBeDeletedByClusterAutoscaler"]);
        let deleting = Node {
            deleting: true,
            ..node("i-3", &[], &[])
        };
        let staying = node("i-1", &[], &["some/other"]);
        assert_eq!(of(&[staying, leaving.clone(), deleting.clone()]), ["i-1"]);
        assert_eq!(of(&[leaving, deleting]), ["i-2", "i-3"]);
    }

    #[test]
    fn selectors() {
        let labels = BTreeMap::from([("role".to_owned(), "worker".to_owned())]);
        for (text, matches) in [
            ("", true),
            ("role=worker", true),
            ("role==worker, role", true),
            ("role!=edge,!gpu", true),
            ("role=edge", false),
            ("gpu", false),
            ("role,!role", false),
        ] {
            let selector: NodeSelector = text.parse().unwrap();
            assert_eq!(selector.matches(&labels), matches, "{text}");
        }
        for wrong in ["=x", ",", "!", "role in (a", "a b"] {
            assert!(wrong.parse::<NodeSelector>().is_err(), "{wrong}");
        }
    }
}
