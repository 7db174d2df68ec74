//! A fake ELBv2 for plans: it carries actions out on an [`Observed`], refuses what
//! AWS refuses, and panics when something without our marks is touched.
#![allow(dead_code)]

mod cluster;

use std::collections::{BTreeMap, BTreeSet};

use ingress_core::*;
use jiff::Timestamp;

pub(crate) use cluster::*;

/// AWS and the statuses in the cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) observed: Observed,
    pub(crate) made: u32,
}

impl World {
    /// Runs until nothing is left to do, as the controller does, and writes the statuses.
    pub(crate) fn settle(&mut self, snapshot: &mut Snapshot, config: &Config, now: Timestamp) {
        for _ in 0..5 {
            let run = decide(snapshot, &self.observed, config, now);
            for step in run.plan.active() {
                self.apply(&step.action, now);
            }
            write(snapshot, &run.statuses);
            for balancer in self.observed.load_balancers.values_mut() {
                balancer.state = State::Active;
            }
            let statuses = &run.statuses;
            let quiet = statuses.changes.is_empty() && statuses.provisioning.is_empty();
            if run.plan.active().count() == 0 && quiet {
                return;
            }
        }
        panic!("not settled after five runs");
    }

    /// Carries out one action.
    pub(crate) fn apply(&mut self, action: &Action, now: Timestamp) {
        match &action.operation {
            Operation::CreateLoadBalancer(new) => self.create_load_balancer(new, now),
            Operation::CreateTargetGroup(new) => self.create_target_group(new),
            Operation::CreateListener(spec) => self.create_listener(spec),
            Operation::SetListener(spec) => self.set_listener(spec),
            Operation::SetAttributes {
                load_balancer,
                attributes,
            } => {
                self.balancer(load_balancer)
                    .attributes
                    .extend(attributes.clone());
            }
            Operation::SetSecurityGroup {
                load_balancer,
                security_group,
            } => {
                self.balancer(load_balancer).security_groups =
                    BTreeSet::from([security_group.clone()]);
            }
            Operation::SetIpAddressType {
                load_balancer,
                ip_address_type,
            } => {
                self.balancer(load_balancer).ip_address_type = Some(*ip_address_type);
            }
            Operation::SetSubnets {
                load_balancer,
                subnets,
            } => {
                self.balancer(load_balancer).subnets = subnets.clone();
            }
            Operation::DeleteLoadBalancer { load_balancer } => {
                let gone = self.balancer(load_balancer).clone();
                assert_ne!(
                    gone.attributes
                        .get("deletion_protection.enabled")
                        .map(String::as_str),
                    Some("true"),
                    "OperationNotPermitted"
                );
                self.observed.load_balancers.remove(load_balancer);
                for group in self.observed.target_groups.values_mut() {
                    group.load_balancers.remove(&gone.arn);
                }
            }
            Operation::AddTags { resource, tags } => {
                self.tags(resource).extend(tags.clone());
                assert!(self.tags(resource).len() <= 50, "TooManyTags");
            }
            Operation::RemoveTags { resource, keys } => {
                self.tags(resource).retain(|key, _| !keys.contains(key));
            }
            Operation::PutAlarm {
                name,
                load_balancer,
                target_group,
                alarm,
                ..
            } => {
                let balancer = self.balancer(load_balancer);
                assert!(balancer.tags.contains_key(ALARMS_TAG), "untold alarm");
                let balancer = balancer.arn.clone();
                let alarm = alarm.of(&balancer, &self.group(target_group).arn);
                let alarms = self.observed.alarms.get_or_insert_default();
                alarms.insert(name.clone(), alarm);
            }
            Operation::DeleteAlarm { name, .. } => {
                let alarms = self.observed.alarms.get_or_insert_default();
                assert!(alarms.remove(name).is_some(), "ResourceNotFound");
            }
            Operation::Associate { load_balancer, .. } => {
                let balancer = self.balancer(load_balancer);
                assert!(balancer.web_acl().is_some(), "untold association");
                balancer.has_web_acl = true;
            }
            Operation::Disassociate { load_balancer } => {
                self.balancer(load_balancer).has_web_acl = false;
            }
            Operation::DeleteListener { .. }
            | Operation::CreateRule(_)
            | Operation::SetRule(_)
            | Operation::DeleteRule { .. }
            | Operation::Attach { .. }
            | Operation::Detach { .. } => self.apply_to_listener(&action.operation),
            _ => self.apply_to_target_group(&action.operation),
        }
    }

    fn apply_to_listener(&mut self, operation: &Operation) {
        match operation {
            Operation::DeleteListener {
                load_balancer,
                port,
            } => {
                let balancer = self.balancer(load_balancer);
                let listener = balancer.listeners.remove(port).expect("ListenerNotFound");
                owned(&listener.tags);
                self.recount();
            }
            Operation::CreateRule(spec) => {
                let arn = self.arn("listener-rule/app", &spec.load_balancer);
                owned(&spec.tags);
                let rule = Rule {
                    arn,
                    hosts: Some(spec.hosts.clone()),
                    response: Some(spec.response.clone()),
                    tags: spec.tags.clone(),
                };
                let rules = &mut self.listener(&spec.load_balancer, spec.port).rules;
                let before = rules.insert(spec.priority, rule);
                assert!(before.is_none(), "PriorityInUse");
            }
            Operation::SetRule(spec) => {
                let listener = self.listener(&spec.load_balancer, spec.port);
                let rule = listener
                    .rules
                    .get_mut(&spec.priority)
                    .expect("RuleNotFound");
                owned(&rule.tags);
                rule.hosts = Some(spec.hosts.clone());
                rule.response = Some(spec.response.clone());
            }
            Operation::DeleteRule {
                load_balancer,
                port,
                priority,
            } => {
                let rules = &mut self.listener(load_balancer, *port).rules;
                owned(&rules.remove(priority).expect("RuleNotFound").tags);
            }
            Operation::Attach {
                load_balancer,
                certificate,
            } => {
                let listener = self.https(load_balancer);
                listener.certificates.insert(certificate.clone());
                assert!(listener.certificates.len() <= 25, "TooManyCertificates");
            }
            Operation::Detach {
                load_balancer,
                certificate,
            } => {
                let gone = self.https(load_balancer).certificates.remove(certificate);
                assert!(gone, "CertificateNotFound");
            }
            other => panic!("not for listeners: {other:?}"),
        }
    }

    fn apply_to_target_group(&mut self, operation: &Operation) {
        match operation {
            Operation::SetHealthCheck {
                target_group,
                health_check,
            } => {
                self.group(target_group).health_check = Some(health_check.clone());
            }
            Operation::SetTargetGroupAttributes {
                target_group,
                attributes,
            } => {
                self.group(target_group)
                    .attributes
                    .extend(attributes.clone());
            }
            Operation::Register {
                target_group,
                targets,
            } => {
                let targets = targets.iter().map(|id| (id.clone(), Health::Healthy));
                self.group(target_group).targets.extend(targets);
            }
            Operation::Deregister {
                target_group,
                targets,
                ..
            } => {
                self.group(target_group)
                    .targets
                    .retain(|id, _| !targets.contains(id));
            }
            Operation::DeleteTargetGroup { target_group } => {
                assert!(
                    self.group(target_group).load_balancers.is_empty(),
                    "ResourceInUse"
                );
                self.observed.target_groups.remove(target_group);
            }
            other => panic!("not for target groups: {other:?}"),
        }
    }

    fn arn(&mut self, what: &str, name: &str) -> Arn {
        self.made += 1;
        let made = self.made;
        Arn::new(format!(
            "arn:aws:elasticloadbalancing:eu-central-1:123456789012:{what}/{name}/{made:016x}"
        ))
    }

    fn create_load_balancer(&mut self, new: &NewLoadBalancer, now: Timestamp) {
        assert!(new.name.len() <= 32, "ValidationError");
        let is_alb = new.kind == LoadBalancerType::Application;
        assert!(new.subnets.len() >= 2 || !is_alb, "ValidationError");
        assert_eq!(new.security_group.is_some(), is_alb, "{new:?}");
        owned(&new.tags);
        let kind = if is_alb { "app" } else { "net" };
        let arn = self.arn(&format!("loadbalancer/{kind}"), &new.name);
        let prefix = if new.scheme == Scheme::Internal && is_alb {
            "internal-"
        } else {
            ""
        };
        let balancer = LoadBalancer {
            arn,
            dns_name: format!("{prefix}{}-1234.eu-central-1.elb.amazonaws.com", new.name),
            state: State::Provisioning,
            created: now,
            security_groups: new.security_group.clone().into_iter().collect(),
            subnets: new.subnets.clone(),
            tags: new.tags.clone(),
            attributes: BTreeMap::new(),
            listeners: BTreeMap::new(),
            ip_address_type: Some(new.ip_address_type),
            has_web_acl: false,
        };
        let before = self
            .observed
            .load_balancers
            .insert(new.name.clone(), balancer);
        assert!(before.is_none(), "DuplicateLoadBalancerName");
    }

    fn create_target_group(&mut self, new: &DesiredTargetGroup) {
        assert!(new.name.len() <= 32, "ValidationError");
        owned(&new.tags);
        let group = TargetGroup {
            arn: self.arn("targetgroup", &new.name),
            kind: Some(new.kind),
            protocol: Some(new.protocol),
            port: new.port,
            health_check: Some(new.health_check.clone()),
            tags: new.tags.clone(),
            attributes: BTreeMap::new(),
            targets: BTreeMap::new(),
            load_balancers: BTreeSet::new(),
        };
        let before = self.observed.target_groups.insert(new.name.clone(), group);
        assert!(before.is_none(), "DuplicateTargetGroupName");
    }

    fn create_listener(&mut self, spec: &ListenerSpec) {
        owned(&spec.tags);
        let listener = Listener {
            arn: self.arn("listener/app", &spec.load_balancer),
            protocol: String::new(),
            ssl_policy: None,
            action: ListenerAction::Other,
            default_certificate: None,
            certificates: BTreeSet::new(),
            rules: BTreeMap::new(),
            tags: spec.tags.clone(),
        };
        let listeners = &mut self.balancer(&spec.load_balancer).listeners;
        assert!(
            listeners.insert(spec.port, listener).is_none(),
            "DuplicateListener"
        );
        self.set_listener(spec);
    }

    fn set_listener(&mut self, spec: &ListenerSpec) {
        let action = spec.action.as_ref().map(|action| match action {
            DefaultAction::Forward(name) => ListenerAction::Forward(self.group(name).arn.clone()),
            DefaultAction::Shift { from, to } => ListenerAction::Shift {
                from: self.group(from).arn.clone(),
                to: self.group(to).arn.clone(),
            },
            DefaultAction::RedirectToHttps => ListenerAction::RedirectToHttps,
        });
        let balancer = self.balancer(&spec.load_balancer);
        let listener = balancer
            .listeners
            .get_mut(&spec.port)
            .expect("ListenerNotFound");
        owned(&listener.tags);
        if let Some(protocol) = spec.protocol {
            listener.protocol = protocol.to_string();
        }
        if let Some(policy) = spec.ssl_policy {
            listener.ssl_policy = Some(policy.to_string());
        }
        if let Some(certificate) = &spec.default_certificate {
            listener.default_certificate = Some(certificate.clone());
        }
        if let Some(action) = action {
            listener.action = action;
        }
        let https = matches!(listener.protocol.as_str(), "HTTPS" | "TLS");
        assert_eq!(
            https,
            listener.default_certificate.is_some(),
            "CertificateNotFound"
        );
        self.recount();
    }

    /// Which load balancers use which target group.
    fn recount(&mut self) {
        let mut users: BTreeMap<Arn, BTreeSet<Arn>> = BTreeMap::new();
        for balancer in self.observed.load_balancers.values() {
            for group in balancer.forwards() {
                let of = users.entry(group.clone()).or_default();
                of.insert(balancer.arn.clone());
            }
        }
        for group in self.observed.target_groups.values_mut() {
            group.load_balancers = users.remove(&group.arn).unwrap_or_default();
        }
    }

    fn balancer(&mut self, name: &str) -> &mut LoadBalancer {
        let balancer = self
            .observed
            .load_balancers
            .get_mut(name)
            .expect("LoadBalancerNotFound");
        owned(&balancer.tags);
        balancer
    }

    fn group(&mut self, name: &str) -> &mut TargetGroup {
        let group = self
            .observed
            .target_groups
            .get_mut(name)
            .expect("TargetGroupNotFound");
        owned(&group.tags);
        group
    }

    fn https(&mut self, name: &str) -> &mut Listener {
        self.listener(name, 443)
    }

    fn listener(&mut self, name: &str, port: u16) -> &mut Listener {
        let listener = self
            .balancer(name)
            .listeners
            .get_mut(&port)
            .expect("ListenerNotFound");
        owned(&listener.tags);
        listener
    }

    fn tags(&mut self, resource: &Resource) -> &mut BTreeMap<String, String> {
        match resource {
            Resource::LoadBalancer(name) => &mut self.balancer(name).tags,
            Resource::TargetGroup(name) => &mut self.group(name).tags,
        }
    }
}

/// Nothing without our marks is ever touched.
fn owned(tags: &BTreeMap<String, String>) {
    assert!(
        is_ours(&ownership(), tags),
        "touched what is not ours: {tags:?}"
    );
}

/// Writes statuses into the Ingresses.
pub(crate) fn write(snapshot: &mut Snapshot, statuses: &Statuses) {
    let changes = statuses.changes.iter();
    let mut entries: BTreeMap<_, _> = changes.map(|c| (&c.object, &c.entries)).collect();
    for ingress in &mut snapshot.ingresses {
        if let Some(entries) = entries.remove(&ingress.object) {
            ingress.status.clone_from(entries);
        }
    }
}
