//! The web ACL of a load balancer.

use std::collections::{BTreeMap, BTreeSet};

use super::Planner;
use crate::action::{Operation, Resource};
use crate::{DesiredLoadBalancer, LoadBalancer, WEB_ACL_TAG};

impl Planner<'_> {
    /// Gives a load balancer its web ACL. The tag is written first, so that it tells
    /// of the association even if the controller dies between the two.
    pub(super) fn associate(
        &mut self,
        name: &str,
        want: &DesiredLoadBalancer,
        have: Option<&LoadBalancer>,
    ) {
        let Some(acl) = &want.web_acl else { return };
        let tagged = have.and_then(LoadBalancer::web_acl);
        if tagged.as_ref() != Some(acl) && have.is_some() {
            let add = Operation::AddTags {
                resource: Resource::LoadBalancer(name.to_owned()),
                tags: BTreeMap::from([(WEB_ACL_TAG.to_owned(), acl.to_string())]),
            };
            self.push(name, &want.members, add);
        }
        let associated = have.is_some_and(|have| have.has_web_acl);
        if tagged.as_ref() != Some(acl) || !associated {
            let associate = Operation::Associate {
                load_balancer: name.to_owned(),
                web_acl: acl.clone(),
            };
            self.push(name, &want.members, associate);
        }
    }

    /// Takes away the web ACL that was given here before and is not wanted any more.
    pub(super) fn disassociate(
        &mut self,
        name: &str,
        want: &DesiredLoadBalancer,
        have: &LoadBalancer,
    ) {
        if want.web_acl.is_some() || !have.tags.contains_key(WEB_ACL_TAG) {
            return;
        }
        if have.has_web_acl {
            let load_balancer = name.to_owned();
            self.push(
                name,
                &want.members,
                Operation::Disassociate { load_balancer },
            );
        }
        let remove = Operation::RemoveTags {
            resource: Resource::LoadBalancer(name.to_owned()),
            keys: BTreeSet::from([WEB_ACL_TAG.to_owned()]),
        };
        self.push(name, &want.members, remove);
    }
}
