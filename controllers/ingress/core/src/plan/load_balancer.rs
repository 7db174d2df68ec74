//! Load balancers that Ingresses need.

use std::collections::{BTreeMap, BTreeSet};

use super::certificates::CertificateChange;
use super::{Planner, differing, missing_tags};
use crate::action::{NewLoadBalancer, Operation, Resource};
use crate::rejection::{LOAD_BALANCER_FAILED, NOT_OWNED, reject_all};
use crate::{
    DesiredLoadBalancer, LoadBalancer, ROUTE_GROUPS, State, UNUSED_SINCE, WEB_ACL_TAG, is_ours,
};

impl Planner<'_> {
    /// Makes or mends one load balancer with everything on it.
    pub(super) fn serve(&mut self, name: &str, want: &DesiredLoadBalancer) {
        let have = self.observed.load_balancers.get(name);
        if self.is_taken(name, want) {
            return;
        }
        match have {
            None if !want.can_be_made() => {}
            None => {
                self.target_groups(name, want);
                self.create(name, want);
            }
            Some(have) if have.state == State::Failed => {
                let message = format!(
                    "AWS could not set up the load balancer {name}; look at it in the AWS console and delete it there, and it is made again"
                );
                reject_all(
                    &mut self.out.rejections,
                    &want.members,
                    LOAD_BALANCER_FAILED,
                    &message,
                );
            }
            Some(have) => {
                self.target_groups(name, want);
                self.update(name, want, have);
            }
        }
    }

    /// Whether a name that is needed belongs to a resource without our marks.
    fn is_taken(&mut self, name: &str, want: &DesiredLoadBalancer) -> bool {
        let ownership = &self.config.ownership;
        let balancer = self
            .observed
            .load_balancers
            .get(name)
            .map(|b| ("load balancer", name, &b.tags));
        let groups = want.target_groups().filter_map(|group| {
            let there = self.observed.target_groups.get(&group.name)?;
            Some(("target group", group.name.as_str(), &there.tags))
        });
        let foreign = balancer
            .into_iter()
            .chain(groups)
            .find(|(_, _, tags)| !is_ours(ownership, tags));
        let Some((what, which, _)) = foreign else {
            return false;
        };
        let message = format!(
            "the {what} {which} exists and does not have the tags {}=owned and {}={}; it is left alone: tag it if it is this cluster's, delete it if not",
            ownership.cluster_tag(),
            isthmus_core::CONTROLLER_TAG,
            ownership.controller_id(),
        );
        reject_all(&mut self.out.rejections, &want.members, NOT_OWNED, &message);
        true
    }

    fn create(&mut self, name: &str, want: &DesiredLoadBalancer) {
        let mut tags = want.tags.clone();
        if let Some(acl) = &want.web_acl {
            tags.insert(WEB_ACL_TAG.to_owned(), acl.to_string());
        }
        let new = NewLoadBalancer {
            name: name.to_owned(),
            kind: want.kind,
            scheme: want.scheme,
            ip_address_type: want.ip_address_type,
            security_group: want.security_group.clone(),
            subnets: want.subnets.clone(),
            tags,
        };
        self.push(name, &want.members, Operation::CreateLoadBalancer(new));
        self.attributes(name, want, &BTreeMap::new());
        self.associate(name, want, None);
        self.listeners(
            name,
            want,
            None,
            &CertificateChange::for_new(&want.certificates),
        );
    }

    fn update(&mut self, name: &str, want: &DesiredLoadBalancer, have: &LoadBalancer) {
        self.attributes(name, want, &have.attributes);
        self.network(name, want, have);
        let certificates = self.certificates(want, have);
        let mut tags = missing_tags(&want.tags, &have.tags);
        tags.extend(certificates.start_tags(self.now));
        if !tags.is_empty() {
            let resource = Resource::LoadBalancer(name.to_owned());
            self.push(name, &want.members, Operation::AddTags { resource, tags });
        }
        // Nobody gets in before the web ACL is there; but who is in is not stopped by a wrong one.
        let closed = have.listeners.is_empty();
        if closed {
            self.associate(name, want, Some(have));
        }
        self.listeners(name, want, Some(have), &certificates);
        if !closed {
            self.associate(name, want, Some(have));
        }
        self.disassociate(name, want, have);
        let mut keys = certificates.end_tags.clone();
        if have.tags.contains_key(UNUSED_SINCE) {
            keys.insert(UNUSED_SINCE.to_owned());
        }
        let served = want.tags.contains_key(ROUTE_GROUPS) || self.may_serve_route_groups(have);
        if have.tags.contains_key(ROUTE_GROUPS) && !served {
            keys.insert(ROUTE_GROUPS.to_owned());
        }
        self.remove_tags(name, want, keys);
    }

    fn remove_tags(&mut self, name: &str, want: &DesiredLoadBalancer, keys: BTreeSet<String>) {
        if !keys.is_empty() {
            let resource = Resource::LoadBalancer(name.to_owned());
            self.push(
                name,
                &want.members,
                Operation::RemoveTags { resource, keys },
            );
        }
    }

    fn attributes(
        &mut self,
        name: &str,
        want: &DesiredLoadBalancer,
        have: &BTreeMap<String, String>,
    ) {
        let attributes = differing(&want.attributes, have);
        if !attributes.is_empty() {
            let load_balancer = name.to_owned();
            self.push(
                name,
                &want.members,
                Operation::SetAttributes {
                    load_balancer,
                    attributes,
                },
            );
        }
    }

    /// The security group follows the tags. Another type of addresses was set by hand:
    /// who asks for another one gets another load balancer. Subnets are only added: a
    /// zone that is there keeps the subnet it has.
    fn network(&mut self, name: &str, want: &DesiredLoadBalancer, have: &LoadBalancer) {
        if let Some(group) = &want.security_group
            && have.security_groups != BTreeSet::from([group.clone()])
        {
            let set = Operation::SetSecurityGroup {
                load_balancer: name.to_owned(),
                security_group: group.clone(),
            };
            self.push(name, &want.members, set);
        }
        if have.ip_address_type != Some(want.ip_address_type) {
            let set = Operation::SetIpAddressType {
                load_balancer: name.to_owned(),
                ip_address_type: want.ip_address_type,
            };
            self.push(name, &want.members, set);
        }
        let mut subnets = want.subnets.clone();
        subnets.extend(have.subnets.clone());
        if subnets != have.subnets {
            let load_balancer = name.to_owned();
            self.push(
                name,
                &want.members,
                Operation::SetSubnets {
                    load_balancer,
                    subnets,
                },
            );
        }
    }
}
