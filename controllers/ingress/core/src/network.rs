//! Which subnets and which security group a load balancer gets.

use std::collections::BTreeMap;

use isthmus_core::Ownership;

use crate::Scheme;

/// The VPC, as read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Its subnets.
    pub subnets: Vec<Subnet>,
    /// Its security groups that carry the cluster's tag.
    pub security_groups: Vec<SecurityGroup>,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// `subnet-…`.
    pub id: String,
    /// Its availability zone.
    pub zone: String,
    /// Whether its route table, or the VPC's main one, has a route to an internet gateway.
    pub public: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroup {
    /// `sg-…`.
    pub id: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Network {
    /// The tag that marks the subnets for load balancers of a scheme.
    #[must_use]
    pub fn role_tag(scheme: Scheme) -> &'static str {
        match scheme {
            Scheme::InternetFacing => "kubernetes.io/role/elb",
            Scheme::Internal => "kubernetes.io/role/internal-elb",
        }
    }

    /// One subnet for each zone, as kube-ingress-aws-controller takes them: those
    /// with the cluster's tag if there is any, public ones for `internet-facing`
    /// and any for `internal`; in each zone one with the role's tag first, then
    /// the smallest id.
    #[must_use]
    pub fn subnets(&self, scheme: Scheme, ownership: &Ownership) -> BTreeMap<String, String> {
        let in_cluster = |subnet: &Subnet| subnet.tags.contains_key(ownership.cluster_tag());
        let tagged = self.subnets.iter().any(in_cluster);
        let role = Self::role_tag(scheme);
        let mut chosen: BTreeMap<String, (bool, &str)> = BTreeMap::new();
        for subnet in &self.subnets {
            let reachable = scheme == Scheme::Internal || subnet.public;
            if (tagged && !in_cluster(subnet)) || !reachable {
                continue;
            }
            let candidate = (!subnet.tags.contains_key(role), subnet.id.as_str());
            chosen
                .entry(subnet.zone.clone())
                .and_modify(|best| *best = candidate.min(*best))
                .or_insert(candidate);
        }
        chosen
            .into_iter()
            .map(|(zone, (_, id))| (zone, id.to_owned()))
            .collect()
    }

    /// The security group that carries the cluster's and the controller's tag;
    /// the smallest id of several.
    #[must_use]
    pub fn security_group(&self, ownership: &Ownership) -> Option<&str> {
        self.security_groups
            .iter()
            .filter(|group| ownership.owns(&group.tags))
            .map(|group| group.id.as_str())
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ownership() -> Ownership {
        Ownership::new(Ownership::DEFAULT_TAG_PREFIX, "kube-1", "isthmus")
    }

    fn subnet(id: &str, zone: &str, public: bool, tags: &[&str]) -> Subnet {
        Subnet {
            id: id.into(),
            zone: zone.into(),
            public,
            tags: tags
                .iter()
                .map(|t| ((*t).to_owned(), "1".to_owned()))
                .collect(),
        }
    }

    fn ids(network: &Network, scheme: Scheme) -> Vec<String> {
        network
            .subnets(scheme, &ownership())
            .into_values()
            .collect()
    }

    #[test]
    fn the_role_tag_then_the_smallest_id() {
        let network = Network {
            subnets: vec![
                subnet("subnet-3", "a", true, &["kubernetes.io/role/elb"]),
                subnet("subnet-1", "a", true, &[]),
                subnet("subnet-9", "b", true, &[]),
                subnet("subnet-8", "b", true, &[]),
                subnet("subnet-0", "b", false, &["kubernetes.io/role/internal-elb"]),
            ],
            ..Network::default()
        };
        assert_eq!(
            ids(&network, Scheme::InternetFacing),
            ["subnet-3", "subnet-8"]
        );
        assert_eq!(ids(&network, Scheme::Internal), ["subnet-1", "subnet-0"]);
    }

    #[test]
    fn the_clusters_tag_leaves_out_the_others() {
        let mine = "kubernetes.io/cluster/kube-1";
        let network = Network {
            subnets: vec![
                subnet("subnet-1", "a", true, &[]),
                subnet("subnet-2", "a", true, &[mine]),
                subnet("subnet-3", "b", true, &["kubernetes.io/cluster/kube-2"]),
            ],
            ..Network::default()
        };
        assert_eq!(ids(&network, Scheme::InternetFacing), ["subnet-2"]);
    }

    #[test]
    fn a_security_group_needs_both_tags() {
        let group = |id: &str, tags| SecurityGroup {
            id: id.into(),
            tags,
        };
        let half = BTreeMap::from([("kubernetes.io/cluster/kube-1".into(), "owned".into())]);
        let mut network = Network {
            security_groups: vec![group("sg-1", half)],
            ..Network::default()
        };
        assert_eq!(network.security_group(&ownership()), None);
        for id in ["sg-3", "sg-2"] {
            network.security_groups.push(group(id, ownership().tags()));
        }
        assert_eq!(network.security_group(&ownership()), Some("sg-2"));
    }
}
