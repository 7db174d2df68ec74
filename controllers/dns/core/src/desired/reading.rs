//! What reading the objects brings to light, and what all sources share.

use std::collections::{BTreeMap, BTreeSet};

use isthmus_core::{ObjectRef, Rejection};

use super::{Answer, Candidate, Content, Desired, Slot, Wish};
use crate::annotations::{self, Findings, Targets, Wishes};
use crate::reason;
use crate::snapshot::{Address, Endpoint, Node, Pod};
use crate::{Config, DnsName, Snapshot, Source};

/// The state of reading a snapshot.
pub(super) struct Reading<'a> {
    pub(super) config: &'a Config,
    pub(super) backing: Backing<'a>,
    desired: Desired,
    rejections: Vec<Rejection>,
}

/// What is behind Services, by name.
pub(super) struct Backing<'a> {
    pub(super) endpoints: BTreeMap<(&'a str, &'a str), Vec<&'a Endpoint>>,
    pub(super) pods: BTreeMap<(&'a str, &'a str), &'a Pod>,
    pub(super) nodes: BTreeMap<&'a str, &'a Node>,
}

impl<'a> Backing<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        let mut endpoints: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for endpoint in &snapshot.endpoints {
            let service = (endpoint.namespace.as_str(), endpoint.service.as_str());
            endpoints.entry(service).or_default().push(endpoint);
        }
        let pods = snapshot.pods.iter();
        let nodes = snapshot.nodes.iter();
        Self {
            endpoints,
            pods: pods
                .map(|pod| ((pod.namespace.as_str(), pod.name.as_str()), pod))
                .collect(),
            nodes: nodes.map(|node| (node.name.as_str(), node)).collect(),
        }
    }
}

/// The parts that objects of all sources have.
#[derive(Clone, Copy)]
pub(super) struct Parts<'a> {
    pub(super) source: Source,
    pub(super) object: &'a ObjectRef,
    pub(super) annotations: &'a BTreeMap<String, String>,
    pub(super) labels: &'a BTreeMap<String, String>,
}

/// An object that counts, with what its annotations ask for.
pub(super) struct Asking<'a> {
    pub(super) object: &'a ObjectRef,
    resource: String,
    pub(super) wishes: Wishes,
    pub(super) labels: BTreeMap<String, String>,
    /// Something about it is wrong: its records stay as they are.
    pub(super) frozen: bool,
}

impl Asking<'_> {
    pub(super) fn candidate(&self, slot: Slot, wish: Wish) -> Candidate {
        Candidate {
            object: self.object.clone(),
            resource: self.resource.clone(),
            labels: self.labels.clone(),
            set_identifier: self.wishes.set_identifier.clone(),
            slot,
            pin: self.wishes.pin.clone(),
            wish: if self.frozen { Wish::Frozen } else { wish },
        }
    }
}

impl<'a> Reading<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, config: &'a Config) -> Self {
        Self {
            config,
            backing: Backing::new(snapshot),
            desired: Desired {
                unavailable: snapshot.unavailable.clone(),
                ..Desired::default()
            },
            rejections: Vec::new(),
        }
    }

    pub(super) fn finish(mut self) -> (Desired, Vec<Rejection>) {
        for candidates in self.desired.names.values_mut() {
            candidates.sort();
            candidates.dedup();
        }
        self.rejections.sort();
        self.rejections.dedup();
        (self.desired, self.rejections)
    }

    /// Whether the filters and the annotation `controller` admit the object.
    pub(super) fn admits(&self, parts: &Parts<'_>) -> bool {
        let options = &self.config.source;
        options.labels.admits(parts.labels)
            && options.annotations.admits(parts.annotations)
            && !annotations::is_hidden(parts.annotations)
    }

    /// Reads the annotations of an object that counts, and tells what is wrong with them.
    pub(super) fn ask(&mut self, parts: &Parts<'a>) -> Option<Asking<'a>> {
        if !self.admits(parts) {
            return None;
        }
        let (wishes, findings) = annotations::read(parts.annotations);
        let frozen = !findings.errors.is_empty();
        self.report(parts.object, findings);
        let resource = parts.source.resource(parts.object);
        if frozen {
            self.desired.frozen.insert(resource.clone());
        }
        Some(Asking {
            object: parts.object,
            resource,
            wishes,
            labels: BTreeMap::new(),
            frozen,
        })
    }

    /// An object that says everything in its spec.
    pub(super) fn ask_spec(&self, parts: &Parts<'a>) -> Option<Asking<'a>> {
        self.admits(parts).then(|| Asking {
            object: parts.object,
            resource: parts.source.resource(parts.object),
            wishes: Wishes::default(),
            labels: BTreeMap::new(),
            frozen: false,
        })
    }

    pub(super) fn freeze(&mut self, asking: &Asking<'_>) {
        self.desired.frozen.insert(asking.resource.clone());
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

    /// The names among `texts` that the domain filter admits; tells of those that are none.
    pub(super) fn names<'t>(
        &mut self,
        object: &ObjectRef,
        texts: impl IntoIterator<Item = &'t String>,
    ) -> BTreeSet<DnsName> {
        let mut names = BTreeSet::new();
        let texts: BTreeSet<&String> = texts.into_iter().filter(|text| !text.is_empty()).collect();
        for text in texts {
            match DnsName::parse(text) {
                Ok(name) if self.config.domains.admits(&name) => {
                    names.insert(name);
                }
                Ok(_) => {}
                Err(error) => self.reject(object, reason::INVALID_HOST, format!("host {error}")),
            }
        }
        names
    }

    /// The entries of a load balancer's status, which `field` names.
    pub(super) fn addresses(
        &mut self,
        object: &ObjectRef,
        field: &str,
        addresses: &[Address],
    ) -> Targets {
        let mut targets = Targets::default();
        for address in addresses {
            match address {
                Address::Ip(ip) => targets.add_ip(*ip),
                Address::Host(host) => match DnsName::parse(host) {
                    Ok(host) => drop(targets.hosts.insert(host)),
                    Err(error) => {
                        self.reject(object, reason::INVALID_HOST, format!("{field} {error}"));
                    }
                },
            }
        }
        targets
    }

    /// Notes a wish. Names that are made of a host may be outside of the domain filter.
    pub(super) fn want(&mut self, name: DnsName, candidate: Candidate) {
        if !self.config.domains.admits(&name) {
            return;
        }
        self.desired.names.entry(name).or_default().push(candidate);
    }

    pub(super) fn reject(&mut self, object: &ObjectRef, reason: &'static str, message: String) {
        self.rejections.push(Rejection {
            object: object.clone(),
            reason,
            message,
        });
    }
}

/// Publishes targets as the wishes say, or waits for some.
pub(super) fn publish(targets: Targets, wishes: &Wishes, config: &Config) -> Wish {
    if targets.is_empty() {
        return Wish::Waiting;
    }
    let named_dualstack = targets
        .hosts
        .iter()
        .any(|host| host.as_str().starts_with("dualstack."));
    let mut answer = answer(Content::Targets(targets), wishes, config);
    answer.dualstack |= named_dualstack;
    Wish::Publish(Box::new(answer))
}

/// An answer as the wishes say.
pub(super) fn answer(content: Content, wishes: &Wishes, config: &Config) -> Answer {
    Answer {
        content,
        ttl: wishes.ttl.or(config.min_ttl),
        routing: wishes.routing.clone(),
        health_check: wishes.health_check.clone(),
        alias: wishes.alias,
        alias_types: wishes.alias_types,
        evaluate_target_health: wishes
            .evaluate_target_health
            .unwrap_or(config.alias.evaluate_target_health),
        target_zone: wishes.target_zone.clone(),
        dualstack: wishes.dualstack,
    }
}
