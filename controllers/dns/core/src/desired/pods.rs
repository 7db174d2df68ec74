//! Headless Services: the host stands for all pods, and a name below it for each.

use std::collections::BTreeMap;

use super::Slot;
use super::reading::{Asking, Reading, publish};
use crate::annotations::{EndpointsType, Targets, pod_targets};
use crate::snapshot::{Endpoint, Pod, Service};
use crate::{DnsName, reason};

impl Reading<'_> {
    pub(super) fn headless(&mut self, service: &Service, asking: &Asking<'_>, host: &DnsName) {
        let mut by_name: BTreeMap<DnsName, Targets> =
            BTreeMap::from([(host.clone(), Targets::default())]);
        for (hostname, targets) in self.pods(service, asking) {
            by_name.entry(host.clone()).or_default().merge(&targets);
            let Some(hostname) = hostname else {
                continue;
            };
            match DnsName::parse(&format!("{hostname}.{host}")) {
                Ok(name) => by_name.entry(name).or_default().merge(&targets),
                Err(error) => {
                    self.reject(asking.object, reason::INVALID_HOST, format!("host {error}"));
                }
            }
        }
        for (name, targets) in by_name {
            let wish = publish(targets, &asking.wishes, self.config);
            self.want(name, asking.candidate(Slot::Address, wish));
        }
    }

    /// The host names of the pods that answer for the Service, each with what stands for it.
    fn pods(&self, service: &Service, asking: &Asking<'_>) -> Vec<(Option<String>, Targets)> {
        let options = &self.config.source.service;
        let all = service.publish_not_ready || options.publish_not_ready;
        let namespace = service.object.namespace.as_str();
        let key = (namespace, service.object.name.as_str());
        let endpoints = self.backing.endpoints.get(&key).into_iter().flatten();
        let ready = endpoints.filter(|endpoint| all || endpoint.ready);
        ready
            .filter_map(|endpoint| {
                let pod = *self
                    .backing
                    .pods
                    .get(&(namespace, endpoint.pod.as_deref()?))?;
                let targets = self.pod_address(endpoint, pod, asking);
                Some((pod.hostname.clone(), targets))
            })
            .collect()
    }

    fn pod_address(&self, endpoint: &Endpoint, pod: &Pod, asking: &Asking<'_>) -> Targets {
        if let Some(targets) = pod_targets(&pod.annotations) {
            return targets;
        }
        let host_ip = self.config.source.service.publish_host_ip;
        let mut targets = Targets::default();
        match asking.wishes.endpoints_type {
            EndpointsType::Node => {
                let node = pod
                    .node
                    .as_deref()
                    .and_then(|node| self.backing.nodes.get(node));
                let ips = node.map(|node| self.public_ips(node)).unwrap_or_default();
                ips.into_iter().for_each(|ip| targets.add_ip(ip));
            }
            EndpointsType::Pod if !host_ip => targets.add_ip(endpoint.address),
            EndpointsType::Pod | EndpointsType::Host => {
                pod.host_ip.into_iter().for_each(|ip| targets.add_ip(ip));
            }
        }
        targets
    }
}
