//! What the objects of the cluster ask for.

use std::collections::{BTreeMap, BTreeSet};

use isthmus_core::{ObjectRef, Rejection};

use crate::annotations::{self, Findings, HostnameSource, Targets, Wishes};
use crate::reason;
use crate::snapshot::{Address, Ingress};
use crate::{Config, DnsName, Routing, Snapshot, ZoneId};

/// Who asks for which name. Which of several gets it is decided in each zone,
/// where it is known who has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// In the order of the objects, whatever the order of the snapshot.
    pub names: BTreeMap<DnsName, Vec<Candidate>>,
}

/// One object's wish for one name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// The object.
    pub object: ObjectRef,
    /// The object in the words of the registry: `ingress/<namespace>/<name>`.
    pub resource: String,
    /// Tells it from others of the name under a routing policy.
    pub set_identifier: Option<String>,
    /// The one zone it is for.
    pub pin: Option<ZoneId>,
    /// What is to be published.
    pub wish: Wish,
}

/// What is to be published for a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// This.
    Publish(Box<Answer>),
    /// Nothing new: the object is faulty, and what it has stays until it is right.
    Frozen,
    /// Nothing yet: the object has no target, and what it has stays for a while.
    Waiting,
}

/// An answer, before it is known which record types it makes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answer {
    /// Where the name points to.
    pub targets: Targets,
    /// Seconds, where the object says them.
    pub ttl: Option<u32>,
    /// The routing policy.
    pub routing: Routing,
    /// The health check.
    pub health_check: Option<String>,
    /// Whether an alias is insisted on, or none.
    pub alias: Option<bool>,
    /// Whether an alias follows its target's health.
    pub evaluate_target_health: bool,
    /// The hosted zone of an alias's target, where the object says it.
    pub target_zone: Option<String>,
    /// Whether the load balancer is known to have IPv6 addresses.
    pub dualstack: bool,
}

/// Turns a snapshot into wishes and into what is wrong with the objects. Pure:
/// the order of the snapshot makes no difference.
#[must_use]
pub fn desired(snapshot: &Snapshot, config: &Config) -> (Desired, Vec<Rejection>) {
    let mut reading = Reading {
        config,
        desired: Desired::default(),
        rejections: Vec::new(),
    };
    for ingress in &snapshot.ingresses {
        reading.ingress(ingress);
    }
    for candidates in reading.desired.names.values_mut() {
        candidates.sort();
    }
    reading.rejections.sort();
    (reading.desired, reading.rejections)
}

struct Reading<'a> {
    config: &'a Config,
    desired: Desired,
    rejections: Vec<Rejection>,
}

impl Reading<'_> {
    fn ingress(&mut self, ingress: &Ingress) {
        let source = &self.config.source;
        let admitted = source.labels.admits(&ingress.labels)
            && source.annotations.admits(&ingress.annotations)
            && self.has_class(ingress)
            && !annotations::is_hidden(&ingress.annotations);
        if !admitted {
            return;
        }
        let (wishes, findings) = annotations::read(&ingress.annotations);
        let frozen = !findings.errors.is_empty();
        self.report(&ingress.object, findings);
        let hosts = self.hosts(ingress, &wishes, frozen);
        let wish = if frozen {
            Wish::Frozen
        } else {
            self.wish(ingress, &wishes)
        };
        let candidate = Candidate {
            object: ingress.object.clone(),
            resource: format!(
                "ingress/{}/{}",
                ingress.object.namespace, ingress.object.name
            ),
            set_identifier: wishes.set_identifier,
            pin: wishes.pin,
            wish,
        };
        for host in hosts {
            self.desired
                .names
                .entry(host)
                .or_default()
                .push(candidate.clone());
        }
    }

    fn has_class(&self, ingress: &Ingress) -> bool {
        let classes = &self.config.source.ingress_classes;
        let annotated = ingress.annotations.get("kubernetes.io/ingress.class");
        let class = ingress.class.as_ref().or(annotated);
        classes.is_empty() || class.is_some_and(|class| classes.contains(class))
    }

    fn report(&mut self, object: &ObjectRef, findings: Findings) {
        for error in findings.errors {
            self.reject(object, reason::INVALID_ANNOTATION, error.to_string());
        }
        for key in findings.unknown {
            let message = format!("annotation {key} is not known and has no effect");
            self.reject(object, reason::UNKNOWN_ANNOTATION, message);
        }
        for key in findings.conflicts {
            let [newer, older] = annotations::PREFIXES;
            let message =
                format!("annotations {newer}{key} and {older}{key} differ; the first one counts");
            self.reject(object, reason::ANNOTATION_CONFLICT, message);
        }
    }

    /// The hosts that the object is about. All of them if it is faulty, so that
    /// none loses its record over the fault.
    fn hosts(&mut self, ingress: &Ingress, wishes: &Wishes, frozen: bool) -> BTreeSet<DnsName> {
        let source = &self.config.source;
        let defined = frozen || wishes.hostname_source != HostnameSource::AnnotationOnly;
        let annotated = frozen || wishes.hostname_source != HostnameSource::DefinedHostsOnly;
        let mut texts: BTreeSet<&String> = BTreeSet::new();
        if defined && !source.ignore_rules {
            texts.extend(&ingress.rule_hosts);
        }
        if defined && !source.ignore_tls {
            texts.extend(&ingress.tls_hosts);
        }
        if annotated && !source.ignore_hostname_annotation {
            texts.extend(&wishes.hostnames);
        }
        let mut hosts = BTreeSet::new();
        for text in texts.into_iter().filter(|text| !text.is_empty()) {
            match DnsName::parse(text) {
                Ok(host) if self.config.domains.admits(&host) => {
                    hosts.insert(host);
                }
                Ok(_) => {}
                Err(error) => self.reject(
                    &ingress.object,
                    reason::INVALID_HOST,
                    format!("host {error}"),
                ),
            }
        }
        hosts
    }

    fn wish(&mut self, ingress: &Ingress, wishes: &Wishes) -> Wish {
        let mut targets = wishes.targets.clone().unwrap_or_default();
        if targets.is_empty() {
            for address in &ingress.addresses {
                match address {
                    Address::Ip(ip) => targets.add_ip(*ip),
                    Address::Host(host) => match DnsName::parse(host) {
                        Ok(host) => drop(targets.hosts.insert(host)),
                        Err(error) => {
                            let message = format!("status.loadBalancer.ingress[].hostname {error}");
                            self.reject(&ingress.object, reason::INVALID_HOST, message);
                        }
                    },
                }
            }
        }
        if targets.is_empty() {
            return Wish::Waiting;
        }
        let alias = &self.config.alias;
        let named_dualstack = targets
            .hosts
            .iter()
            .any(|host| host.as_str().starts_with("dualstack."));
        Wish::Publish(Box::new(Answer {
            targets,
            ttl: wishes.ttl.or(self.config.min_ttl),
            routing: wishes.routing.clone(),
            health_check: wishes.health_check.clone(),
            alias: wishes.alias,
            evaluate_target_health: wishes
                .evaluate_target_health
                .unwrap_or(alias.evaluate_target_health),
            target_zone: wishes.target_zone.clone(),
            dualstack: wishes.dualstack || named_dualstack,
        }))
    }

    fn reject(&mut self, object: &ObjectRef, reason: &'static str, message: String) {
        self.rejections.push(Rejection {
            object: object.clone(),
            reason,
            message,
        });
    }
}
