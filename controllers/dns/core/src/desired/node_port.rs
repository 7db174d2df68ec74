//! Node ports: the nodes' addresses, and an SRV record with the port.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::reading::{Asking, Reading, answer};
use super::{Content, Slot, Wish};
use crate::annotations::{Access, Targets};
use crate::record::RecordType;
use crate::snapshot::{Node, Service};
use crate::{DnsName, reason};

impl Reading<'_> {
    /// The addresses of the nodes that a node port is open at. With
    /// `externalTrafficPolicy: Local` only nodes with a ready pod answer.
    pub(super) fn node_targets(&self, service: &Service, asking: &Asking<'_>) -> Targets {
        let key = (
            service.object.namespace.as_str(),
            service.object.name.as_str(),
        );
        let ready: BTreeSet<&str> = self
            .backing
            .endpoints
            .get(&key)
            .into_iter()
            .flatten()
            .filter(|endpoint| endpoint.ready)
            .filter_map(|endpoint| endpoint.node.as_deref())
            .collect();
        let nodes = self.backing.nodes.values();
        let nodes: Vec<&Node> = nodes
            .filter(|node| !service.local || ready.contains(node.name.as_str()))
            .copied()
            .collect();
        let external: Vec<IpAddr> = nodes
            .iter()
            .flat_map(|node| self.public_ips(node))
            .collect();
        let internal = nodes.iter().flat_map(|node| node.internal.iter().copied());
        let chosen = match asking.wishes.access {
            Some(Access::Public) => external,
            Some(Access::Private) => internal.collect(),
            None if external.is_empty() => internal.collect(),
            None => external,
        };
        let mut targets = Targets::default();
        chosen.into_iter().for_each(|ip| targets.add_ip(ip));
        targets
    }

    /// A node's external addresses, and its internal ones of IPv6 where they count as such.
    pub(super) fn public_ips(&self, node: &Node) -> Vec<IpAddr> {
        let v6 = self.config.source.service.expose_internal_ipv6;
        let internal = node.internal.iter().filter(|ip| v6 && ip.is_ipv6());
        node.external.iter().chain(internal).copied().collect()
    }

    /// `_<service>._<protocol>.<host>`, as external-dns has it: priority 0, weight 50.
    pub(super) fn node_port_srv(&mut self, service: &Service, asking: &Asking<'_>, host: &DnsName) {
        let mut by_name: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (protocol, port) in &service.node_ports {
            let protocol = protocol.to_ascii_lowercase();
            let name = format!("_{}._{protocol}.{host}", service.object.name);
            let values = by_name.entry(name).or_default();
            values.insert(format!("0 50 {port} {host}."));
        }
        for (name, values) in by_name {
            let slot = Slot::Type(RecordType::Srv);
            if !self.config.types.contains(&RecordType::Srv) {
                continue;
            }
            match DnsName::parse(&name) {
                Ok(name) => {
                    let content = Content::Values(RecordType::Srv, values);
                    let wish = answer(content, &asking.wishes, self.config);
                    self.want(name, asking.candidate(slot, Wish::Publish(Box::new(wish))));
                }
                Err(error) => {
                    self.reject(asking.object, reason::INVALID_HOST, format!("host {error}"));
                }
            }
        }
    }
}
