//! ELBv2 in memory, for tests of what is called and what is not. What AWS would
//! answer to the calls themselves is tested against the emulators.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use ingress_core::{
    Alarm, Arn, DesiredTargetGroup, Health, HealthCheck, IpAddressType, Listener, ListenerAction,
    LoadBalancer, NewLoadBalancer, Observed, Rule, RuleSpec, State, TargetGroup, WebAcl,
};
use isthmus_core::ErrorClass;
use jiff::Timestamp;

use super::{
    Alarms, Firewall, Listed, Listeners, LoadBalancers, Result, Rules, Tagging, Tags, TargetGroups,
    Wiring,
};
use crate::error::AwsError;

pub(crate) const VPC: &str = "vpc-1";

/// What there is, what was called, and what is to fail.
#[derive(Default)]
pub(crate) struct FakeElb {
    pub(crate) there: RefCell<Observed>,
    /// `Operation name`, in order.
    pub(crate) calls: RefCell<Vec<String>>,
    /// Calls that fail, as they appear in `calls`.
    pub(crate) failing: RefCell<BTreeSet<String>>,
}

impl FakeElb {
    fn call(&self, operation: &'static str, arn: &Arn) -> Result<()> {
        let call = format!("{operation} {}", arn.id()).trim_end().to_owned();
        self.calls.borrow_mut().push(call.clone());
        if self.failing.borrow().contains(&call) {
            return Err(AwsError {
                operation,
                class: ErrorClass::Invalid,
                code: Some("ValidationError".to_owned()),
                message: "no".to_owned(),
            });
        }
        Ok(())
    }

    /// The calls since the last time this was asked.
    pub(crate) fn said(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.borrow_mut())
    }

    fn balancer<T>(&self, arn: &Arn, change: impl FnOnce(&mut LoadBalancer) -> T) -> T {
        let mut there = self.there.borrow_mut();
        change(
            there
                .load_balancers
                .get_mut(arn.id())
                .expect("LoadBalancerNotFound"),
        )
    }

    fn group<T>(&self, arn: &Arn, change: impl FnOnce(&mut TargetGroup) -> T) -> T {
        let mut there = self.there.borrow_mut();
        change(
            there
                .target_groups
                .get_mut(arn.id())
                .expect("TargetGroupNotFound"),
        )
    }
}

const NONE: &str = "";

impl LoadBalancers for FakeElb {
    async fn load_balancers(&self) -> Result<Vec<Listed<LoadBalancer>>> {
        self.call("DescribeLoadBalancers", &Arn::new(NONE))?;
        let there = self.there.borrow();
        let listed = |(name, balancer): (&String, &LoadBalancer)| Listed {
            name: name.clone(),
            vpc: VPC.to_owned(),
            resource: LoadBalancer {
                tags: BTreeMap::new(),
                attributes: BTreeMap::new(),
                listeners: BTreeMap::new(),
                ..balancer.clone()
            },
        };
        Ok(there.load_balancers.iter().map(listed).collect())
    }

    async fn attributes(&self, balancer: &Arn) -> Result<BTreeMap<String, String>> {
        self.call("DescribeLoadBalancerAttributes", balancer)?;
        Ok(self.balancer(balancer, |b| b.attributes.clone()))
    }

    async fn create(&self, new: &NewLoadBalancer) -> Result<Arn> {
        let arn = Arn::new(&new.name);
        self.call("CreateLoadBalancer", &arn)?;
        let balancer = LoadBalancer {
            arn: arn.clone(),
            dns_name: format!("{}-1.eu-central-1.elb.amazonaws.com", new.name),
            state: State::Provisioning,
            created: Timestamp::UNIX_EPOCH,
            security_groups: new.security_group.clone().into_iter().collect(),
            subnets: new.subnets.clone(),
            tags: new.tags.clone(),
            attributes: BTreeMap::new(),
            listeners: BTreeMap::new(),
            ip_address_type: Some(new.ip_address_type),
            has_web_acl: false,
        };
        self.there
            .borrow_mut()
            .load_balancers
            .insert(new.name.clone(), balancer);
        Ok(arn)
    }

    async fn set_attributes(&self, balancer: &Arn, set: &BTreeMap<String, String>) -> Result<()> {
        self.call("ModifyLoadBalancerAttributes", balancer)?;
        self.balancer(balancer, |b| b.attributes.extend(set.clone()));
        Ok(())
    }

    async fn set_security_group(&self, balancer: &Arn, group: &str) -> Result<()> {
        self.call("SetSecurityGroups", balancer)?;
        self.balancer(balancer, |b| {
            b.security_groups = BTreeSet::from([group.to_owned()]);
        });
        Ok(())
    }

    async fn set_ip_address_type(&self, balancer: &Arn, set: IpAddressType) -> Result<()> {
        self.call("SetIpAddressType", balancer)?;
        self.balancer(balancer, |b| b.ip_address_type = Some(set));
        Ok(())
    }

    async fn set_subnets(&self, balancer: &Arn, subnets: &BTreeMap<String, String>) -> Result<()> {
        self.call("SetSubnets", balancer)?;
        self.balancer(balancer, |b| b.subnets.clone_from(subnets));
        Ok(())
    }

    async fn delete(&self, balancer: &Arn) -> Result<()> {
        self.call("DeleteLoadBalancer", balancer)?;
        self.there.borrow_mut().load_balancers.remove(balancer.id());
        Ok(())
    }
}

/// A listener's ARN is `listener/<load balancer>:<port>`.
fn listener_key(arn: &Arn) -> (Arn, u16) {
    let (balancer, port) = arn.id().rsplit_once(':').expect("a listener");
    (Arn::new(balancer), port.parse().expect("a port"))
}

impl FakeElb {
    fn listener<T>(&self, arn: &Arn, change: impl FnOnce(&mut Listener) -> T) -> T {
        let (balancer, port) = listener_key(arn);
        self.balancer(&balancer, |b| {
            change(b.listeners.get_mut(&port).expect("ListenerNotFound"))
        })
    }

    fn write(&self, arn: &Arn, wiring: &Wiring<'_>) {
        let spec = wiring.spec;
        self.listener(arn, |listener| {
            if let Some(protocol) = spec.protocol {
                listener.protocol = protocol.to_string();
            }
            if let Some(policy) = spec.ssl_policy {
                listener.ssl_policy = Some(policy.to_string());
            }
            if let Some(certificate) = &spec.default_certificate {
                listener.default_certificate = Some(certificate.clone());
            }
            match (&spec.action, &wiring.target_groups[..]) {
                (Some(_), [group]) => listener.action = ListenerAction::Forward((*group).clone()),
                (Some(_), []) => listener.action = ListenerAction::RedirectToHttps,
                (Some(_), groups) => {
                    listener.action = ListenerAction::Shift {
                        from: groups[0].clone(),
                        to: groups[1].clone(),
                    };
                }
                (None, _) => {}
            }
        });
    }
}

impl Listeners for FakeElb {
    async fn listeners(&self, balancer: &Arn) -> Result<BTreeMap<u16, Listener>> {
        self.call("DescribeListeners", balancer)?;
        let mut listeners = self.balancer(balancer, |b| b.listeners.clone());
        for listener in listeners.values_mut() {
            listener.tags.clear();
            listener.certificates.clear();
        }
        Ok(listeners)
    }

    async fn certificates(&self, listener: &Arn) -> Result<BTreeSet<Arn>> {
        self.call("DescribeListenerCertificates", listener)?;
        Ok(self.listener(listener, |l| l.certificates.clone()))
    }

    async fn create_listener(&self, balancer: &Arn, wiring: Wiring<'_>) -> Result<Arn> {
        let port = wiring.spec.port;
        let arn = Arn::new(format!("listener/{}:{port}", balancer.id()));
        self.call("CreateListener", &arn)?;
        let listener = Listener {
            arn: arn.clone(),
            protocol: String::new(),
            ssl_policy: None,
            action: ListenerAction::Other,
            default_certificate: None,
            certificates: BTreeSet::new(),
            rules: BTreeMap::new(),
            tags: wiring.spec.tags.clone(),
        };
        self.balancer(balancer, |b| b.listeners.insert(port, listener));
        self.write(&arn, &wiring);
        Ok(arn)
    }

    async fn set_listener(&self, listener: &Arn, wiring: Wiring<'_>) -> Result<()> {
        self.call("ModifyListener", listener)?;
        self.write(listener, &wiring);
        Ok(())
    }

    async fn delete_listener(&self, listener: &Arn) -> Result<()> {
        self.call("DeleteListener", listener)?;
        let (balancer, port) = listener_key(listener);
        self.balancer(&balancer, |b| b.listeners.remove(&port));
        Ok(())
    }

    async fn attach(&self, listener: &Arn, certificate: &Arn) -> Result<()> {
        self.call("AddListenerCertificates", listener)?;
        self.listener(listener, |l| l.certificates.insert(certificate.clone()));
        Ok(())
    }

    async fn detach(&self, listener: &Arn, certificate: &Arn) -> Result<()> {
        self.call("RemoveListenerCertificates", listener)?;
        self.listener(listener, |l| l.certificates.remove(certificate));
        Ok(())
    }
}

impl Rules for FakeElb {
    async fn rules(&self, listener: &Arn) -> Result<BTreeMap<u32, Rule>> {
        self.call("DescribeRules", listener)?;
        Ok(self.listener(listener, |l| l.rules.clone()))
    }

    async fn create_rule(&self, listener: &Arn, spec: &RuleSpec) -> Result<Arn> {
        self.call("CreateRule", listener)?;
        Ok(Arn::new(format!("rule/{}", spec.priority)))
    }

    async fn set_rule(&self, rule: &Arn, _: &RuleSpec) -> Result<()> {
        self.call("ModifyRule", rule)
    }

    async fn delete_rule(&self, rule: &Arn) -> Result<()> {
        self.call("DeleteRule", rule)
    }
}

impl Firewall for FakeElb {
    async fn guarded_by(&self, acl: &WebAcl) -> Result<BTreeSet<Arn>> {
        self.call("ListResourcesForWebACL", &Arn::new(acl.as_str()))?;
        let there = self.there.borrow();
        let guarded = there.load_balancers.values().filter(|b| b.has_web_acl);
        Ok(guarded.map(|balancer| balancer.arn.clone()).collect())
    }

    async fn associate(&self, balancer: &Arn, _: &WebAcl) -> Result<()> {
        self.call("AssociateWebACL", balancer)?;
        self.balancer(balancer, |b| b.has_web_acl = true);
        Ok(())
    }

    async fn disassociate(&self, balancer: &Arn) -> Result<()> {
        self.call("DisassociateWebACL", balancer)?;
        self.balancer(balancer, |b| b.has_web_acl = false);
        Ok(())
    }
}

impl Alarms for FakeElb {
    async fn alarms(&self, _: &str) -> Result<BTreeMap<String, Alarm>> {
        self.call("DescribeAlarms", &Arn::new(NONE))?;
        Ok(self.there.borrow().alarms.clone().unwrap_or_default())
    }

    async fn put_alarm(&self, name: &str, _: &Alarm, _: Option<&Tags>) -> Result<()> {
        self.call("PutMetricAlarm", &Arn::new(name))
    }

    async fn delete_alarm(&self, name: &str) -> Result<()> {
        self.call("DeleteAlarms", &Arn::new(name))
    }
}

impl TargetGroups for FakeElb {
    async fn target_groups(&self) -> Result<Vec<Listed<TargetGroup>>> {
        self.call("DescribeTargetGroups", &Arn::new(NONE))?;
        let there = self.there.borrow();
        let listed = |(name, group): (&String, &TargetGroup)| Listed {
            name: name.clone(),
            vpc: VPC.to_owned(),
            resource: TargetGroup {
                tags: BTreeMap::new(),
                attributes: BTreeMap::new(),
                targets: BTreeMap::new(),
                ..group.clone()
            },
        };
        Ok(there.target_groups.iter().map(listed).collect())
    }

    async fn target_group_attributes(&self, group: &Arn) -> Result<BTreeMap<String, String>> {
        self.call("DescribeTargetGroupAttributes", group)?;
        Ok(self.group(group, |g| g.attributes.clone()))
    }

    async fn targets(&self, group: &Arn) -> Result<BTreeMap<String, Health>> {
        self.call("DescribeTargetHealth", group)?;
        Ok(self.group(group, |g| g.targets.clone()))
    }

    async fn create_target_group(&self, new: &DesiredTargetGroup) -> Result<Arn> {
        let arn = Arn::new(&new.name);
        self.call("CreateTargetGroup", &arn)?;
        let group = TargetGroup {
            arn: arn.clone(),
            kind: Some(new.kind),
            protocol: Some(new.protocol),
            port: new.port,
            health_check: Some(new.health_check.clone()),
            tags: new.tags.clone(),
            attributes: BTreeMap::new(),
            targets: BTreeMap::new(),
            load_balancers: BTreeSet::new(),
        };
        self.there
            .borrow_mut()
            .target_groups
            .insert(new.name.clone(), group);
        Ok(arn)
    }

    async fn set_health_check(&self, group: &Arn, check: &HealthCheck) -> Result<()> {
        self.call("ModifyTargetGroup", group)?;
        self.group(group, |g| g.health_check = Some(check.clone()));
        Ok(())
    }

    async fn set_target_group_attributes(
        &self,
        group: &Arn,
        set: &BTreeMap<String, String>,
    ) -> Result<()> {
        self.call("ModifyTargetGroupAttributes", group)?;
        self.group(group, |g| g.attributes.extend(set.clone()));
        Ok(())
    }

    async fn delete_target_group(&self, group: &Arn) -> Result<()> {
        self.call("DeleteTargetGroup", group)?;
        self.there.borrow_mut().target_groups.remove(group.id());
        Ok(())
    }

    async fn register(&self, group: &Arn, targets: &BTreeSet<String>) -> Result<()> {
        self.call("RegisterTargets", group)?;
        let targets = targets.iter().map(|id| (id.clone(), Health::NotHealthy));
        self.group(group, |g| g.targets.extend(targets));
        Ok(())
    }

    async fn deregister(&self, group: &Arn, targets: &BTreeSet<String>) -> Result<()> {
        self.call("DeregisterTargets", group)?;
        self.group(group, |g| g.targets.retain(|id, _| !targets.contains(id)));
        Ok(())
    }
}

impl Tagging for FakeElb {
    async fn tags(&self, resources: &[Arn]) -> Result<BTreeMap<Arn, Tags>> {
        if resources.is_empty() {
            return Ok(BTreeMap::new());
        }
        self.call("DescribeTags", &Arn::new(NONE))?;
        let there = self.there.borrow();
        let balancers = there.load_balancers.values();
        let listeners = balancers
            .clone()
            .flat_map(|b| b.listeners.values().map(|l| (&l.arn, &l.tags)));
        let groups = there.target_groups.values().map(|g| (&g.arn, &g.tags));
        let all = balancers
            .map(|b| (&b.arn, &b.tags))
            .chain(listeners)
            .chain(groups);
        let asked = all.filter(|(arn, _)| resources.contains(arn));
        Ok(asked
            .map(|(arn, tags)| (arn.clone(), tags.clone()))
            .collect())
    }

    async fn add_tags(&self, resource: &Arn, tags: &Tags) -> Result<()> {
        self.call("AddTags", resource)?;
        self.balancer(resource, |b| b.tags.extend(tags.clone()));
        Ok(())
    }

    async fn remove_tags(&self, resource: &Arn, keys: &BTreeSet<String>) -> Result<()> {
        self.call("RemoveTags", resource)?;
        self.balancer(resource, |b| b.tags.retain(|key, _| !keys.contains(key)));
        Ok(())
    }
}
