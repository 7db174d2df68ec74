//! From the names of a plan to calls with ARNs.

use std::collections::BTreeMap;

use ingress_core::{Arn, DefaultAction, ListenerSpec, Observed, Operation, Resource, is_ours};
use isthmus_core::{ErrorClass, Ownership};

use crate::aws::{Alarms, Firewall, LoadBalancing, Result, Wiring};
use crate::error::AwsError;

/// The ARNs behind the names of a plan: of what was observed with our marks, and
/// of what the plan itself has made. Nothing else can be reached.
pub(super) struct Arns {
    balancers: BTreeMap<String, Arn>,
    groups: BTreeMap<String, Arn>,
    listeners: BTreeMap<(String, u16), Arn>,
    rules: BTreeMap<(String, u16, u32), Arn>,
}

impl Arns {
    pub(super) fn new(observed: &Observed, ownership: &Ownership) -> Self {
        let mut arns = Self {
            balancers: BTreeMap::new(),
            groups: BTreeMap::new(),
            listeners: BTreeMap::new(),
            rules: BTreeMap::new(),
        };
        for (name, balancer) in observed.our_load_balancers(ownership) {
            arns.balancers.insert(name.clone(), balancer.arn.clone());
            for (port, listener) in &balancer.listeners {
                if is_ours(ownership, &listener.tags) {
                    arns.listeners
                        .insert((name.clone(), *port), listener.arn.clone());
                }
                for (priority, rule) in &listener.rules {
                    if is_ours(ownership, &rule.tags) {
                        let key = (name.clone(), *port, *priority);
                        arns.rules.insert(key, rule.arn.clone());
                    }
                }
            }
        }
        for (name, group) in observed.our_target_groups(ownership) {
            arns.groups.insert(name.clone(), group.arn.clone());
        }
        arns
    }

    fn balancer(&self, name: &str) -> Result<&Arn> {
        self.balancers
            .get(name)
            .ok_or_else(|| unknown("load balancer", name))
    }

    fn group(&self, name: &str) -> Result<&Arn> {
        self.groups
            .get(name)
            .ok_or_else(|| unknown("target group", name))
    }

    fn listener(&self, balancer: &str, port: u16) -> Result<&Arn> {
        let key = (balancer.to_owned(), port);
        self.listeners
            .get(&key)
            .ok_or_else(|| unknown("listener", &format!("{balancer}:{port}")))
    }

    fn wiring<'a>(&'a self, spec: &'a ListenerSpec) -> Result<Wiring<'a>> {
        let target_groups = match &spec.action {
            Some(DefaultAction::Forward(name)) => vec![self.group(name)?],
            Some(DefaultAction::Shift { from, to }) => vec![self.group(from)?, self.group(to)?],
            Some(DefaultAction::RedirectToHttps) | None => Vec::new(),
        };
        Ok(Wiring {
            spec,
            target_groups,
        })
    }

    fn rule(&self, balancer: &str, port: u16, priority: u32) -> Result<&Arn> {
        let key = (balancer.to_owned(), port, priority);
        let unknown = || unknown("rule", &format!("{balancer}:{port}/{priority}"));
        self.rules.get(&key).ok_or_else(unknown)
    }

    pub(super) async fn carry_out(
        &mut self,
        operation: &Operation,
        (elb, waf, alarms): (&impl LoadBalancing, &impl Firewall, &impl Alarms),
    ) -> Result<()> {
        use Operation as Op;
        match operation {
            Op::PutAlarm {
                name,
                load_balancer,
                target_group,
                alarm,
                tags,
                is_new,
            } => {
                let alarm = alarm.of(self.balancer(load_balancer)?, self.group(target_group)?);
                let tags = is_new.then_some(tags);
                alarms.put_alarm(name, &alarm, tags).await
            }
            Op::DeleteAlarm { name, .. } => alarms.delete_alarm(name).await,
            Op::Associate {
                load_balancer,
                web_acl,
            } => waf.associate(self.balancer(load_balancer)?, web_acl).await,
            Op::Disassociate { load_balancer } => {
                waf.disassociate(self.balancer(load_balancer)?).await
            }
            Op::CreateRule(_) | Op::SetRule(_) | Op::DeleteRule { .. } => {
                self.on_rule(operation, elb).await
            }
            Op::CreateLoadBalancer(new) => {
                let arn = elb.create(new).await?;
                self.balancers.insert(new.name.clone(), arn);
                Ok(())
            }
            Op::CreateListener(_)
            | Op::SetListener(_)
            | Op::DeleteListener { .. }
            | Op::Attach { .. }
            | Op::Detach { .. } => self.on_listener(operation, elb).await,
            Op::SetAttributes {
                load_balancer,
                attributes,
            } => {
                elb.set_attributes(self.balancer(load_balancer)?, attributes)
                    .await
            }
            Op::SetSecurityGroup {
                load_balancer,
                security_group,
            } => {
                elb.set_security_group(self.balancer(load_balancer)?, security_group)
                    .await
            }
            Op::SetIpAddressType {
                load_balancer,
                ip_address_type,
            } => {
                elb.set_ip_address_type(self.balancer(load_balancer)?, *ip_address_type)
                    .await
            }
            Op::SetSubnets {
                load_balancer,
                subnets,
            } => {
                elb.set_subnets(self.balancer(load_balancer)?, subnets)
                    .await
            }
            Op::DeleteLoadBalancer { load_balancer } => {
                elb.delete(self.balancer(load_balancer)?).await
            }
            Op::AddTags { resource, tags } => elb.add_tags(self.resource(resource)?, tags).await,
            Op::RemoveTags { resource, keys } => {
                elb.remove_tags(self.resource(resource)?, keys).await
            }
            _ => self.on_target_group(operation, elb).await,
        }
    }

    async fn on_listener(&mut self, operation: &Operation, elb: &impl LoadBalancing) -> Result<()> {
        use Operation as Op;
        match operation {
            Op::CreateListener(spec) => {
                let balancer = self.balancer(&spec.load_balancer)?;
                let arn = elb.create_listener(balancer, self.wiring(spec)?).await?;
                self.listeners
                    .insert((spec.load_balancer.clone(), spec.port), arn);
                Ok(())
            }
            Op::SetListener(spec) => {
                let listener = self.listener(&spec.load_balancer, spec.port)?;
                elb.set_listener(listener, self.wiring(spec)?).await
            }
            Op::DeleteListener {
                load_balancer,
                port,
            } => {
                elb.delete_listener(self.listener(load_balancer, *port)?)
                    .await
            }
            Op::Attach {
                load_balancer,
                certificate,
            } => {
                elb.attach(self.listener(load_balancer, 443)?, certificate)
                    .await
            }
            Op::Detach {
                load_balancer,
                certificate,
            } => {
                elb.detach(self.listener(load_balancer, 443)?, certificate)
                    .await
            }
            other => unreachable!("carry_out has an arm for {other:?}"),
        }
    }

    async fn on_rule(&mut self, operation: &Operation, elb: &impl LoadBalancing) -> Result<()> {
        use Operation as Op;
        match operation {
            Op::CreateRule(spec) => {
                let listener = self.listener(&spec.load_balancer, spec.port)?;
                elb.create_rule(listener, spec).await?;
                Ok(())
            }
            Op::SetRule(spec) => {
                let rule = self.rule(&spec.load_balancer, spec.port, spec.priority)?;
                elb.set_rule(rule, spec).await
            }
            Op::DeleteRule {
                load_balancer,
                port,
                priority,
            } => {
                let rule = self.rule(load_balancer, *port, *priority)?;
                elb.delete_rule(rule).await
            }
            other => unreachable!("carry_out has an arm for {other:?}"),
        }
    }

    async fn on_target_group(
        &mut self,
        operation: &Operation,
        elb: &impl LoadBalancing,
    ) -> Result<()> {
        use Operation as Op;
        match operation {
            Op::CreateTargetGroup(new) => {
                let arn = elb.create_target_group(new).await?;
                self.groups.insert(new.name.clone(), arn);
                Ok(())
            }
            Op::SetHealthCheck {
                target_group,
                health_check,
            } => {
                elb.set_health_check(self.group(target_group)?, health_check)
                    .await
            }
            Op::SetTargetGroupAttributes {
                target_group,
                attributes,
            } => {
                elb.set_target_group_attributes(self.group(target_group)?, attributes)
                    .await
            }
            Op::DeleteTargetGroup { target_group } => {
                elb.delete_target_group(self.group(target_group)?).await
            }
            Op::Register {
                target_group,
                targets,
            } => elb.register(self.group(target_group)?, targets).await,
            Op::Deregister {
                target_group,
                targets,
                ..
            } => elb.deregister(self.group(target_group)?, targets).await,
            other => unreachable!("carry_out has an arm for {other:?}"),
        }
    }

    fn resource(&self, resource: &Resource) -> Result<&Arn> {
        match resource {
            Resource::LoadBalancer(name) => self.balancer(name),
            Resource::TargetGroup(name) => self.group(name),
        }
    }
}

/// A plan for something that was not observed with our marks: it is not touched.
fn unknown(what: &str, name: &str) -> AwsError {
    AwsError {
        operation: "plan",
        class: ErrorClass::Conflict,
        code: None,
        message: format!("the {what} {name} is not known to be ours"),
    }
}
