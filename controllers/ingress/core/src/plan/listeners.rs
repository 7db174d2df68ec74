//! Listeners on ports 80 and 443.

use super::Planner;
use super::certificates::CertificateChange;
use crate::action::{DefaultAction, ListenerSpec, Operation};
use crate::rejection::{NOT_OWNED, reject_all};
use crate::{
    Arn, DesiredLoadBalancer, Listener, ListenerAction, LoadBalancer, LoadBalancerType, PlainHttp,
    Protocol, is_ours,
};

impl Planner<'_> {
    pub(super) fn listeners(
        &mut self,
        name: &str,
        want: &DesiredLoadBalancer,
        have: Option<&LoadBalancer>,
        certificates: &CertificateChange,
    ) {
        for certificate in &certificates.make_room {
            self.detach(name, want, certificate);
        }
        let listener = |port| have.and_then(|have| have.listeners.get(&port));
        let owned = self.listener(want, listener(443), secure(name, want, certificates));
        if owned {
            self.rules(name, want, 443, listener(443));
            for certificate in &certificates.attach {
                let attach = Operation::Attach {
                    load_balancer: name.to_owned(),
                    certificate: certificate.clone(),
                };
                self.push(name, &want.members, attach);
            }
            for certificate in &certificates.detach {
                self.detach(name, want, certificate);
            }
        }
        if let Some(spec) = plain(name, want)
            && self.listener(want, listener(80), spec)
        {
            self.rules(name, want, 80, listener(80));
        }
        self.delete_others(name, want, have);
    }

    fn detach(&mut self, name: &str, want: &DesiredLoadBalancer, certificate: &Arn) {
        let detach = Operation::Detach {
            load_balancer: name.to_owned(),
            certificate: certificate.clone(),
        };
        self.push(name, &want.members, detach);
    }

    /// Makes or mends one listener; `false` if someone else's is on its port.
    fn listener(
        &mut self,
        want: &DesiredLoadBalancer,
        have: Option<&Listener>,
        mut spec: ListenerSpec,
    ) -> bool {
        let name = spec.load_balancer.clone();
        let Some(listener) = have else {
            self.push(&name, &want.members, Operation::CreateListener(spec));
            return true;
        };
        if !is_ours(&self.config.ownership, &listener.tags) {
            let message = format!(
                "the listener on port {} of the load balancer {name} does not have our tags; it is left alone: delete it, and it is made anew",
                spec.port
            );
            reject_all(&mut self.out.rejections, &want.members, NOT_OWNED, &message);
            return false;
        }
        spec.action = spec.action.map(|action| self.shift(listener, action));
        let change = self.change(listener, spec);
        if !change.is_empty() {
            self.push(&name, &want.members, Operation::SetListener(change));
        }
        true
    }

    /// What of `spec` the listener does not have. The protocol, the policy and the
    /// certificate of a listener that turns from HTTP to HTTPS go together.
    fn change(&self, have: &Listener, spec: ListenerSpec) -> ListenerSpec {
        let protocol = spec
            .protocol
            .filter(|protocol| protocol.as_str() != have.protocol);
        let turns = protocol.is_some();
        ListenerSpec {
            ssl_policy: spec
                .ssl_policy
                .filter(|policy| turns || have.ssl_policy.as_deref() != Some(&policy.to_string())),
            default_certificate: spec
                .default_certificate
                .filter(|default| turns || have.default_certificate.as_ref() != Some(default)),
            action: spec.action.filter(|action| !self.does(have, action)),
            protocol,
            ..spec
        }
    }

    fn does(&self, have: &Listener, action: &DefaultAction) -> bool {
        let is = |name: &String, arn: &Arn| {
            let group = self.observed.target_groups.get(name);
            group.is_some_and(|group| group.arn == *arn)
        };
        match (action, &have.action) {
            (DefaultAction::RedirectToHttps, ListenerAction::RedirectToHttps) => true,
            (DefaultAction::Forward(name), ListenerAction::Forward(arn)) => is(name, arn),
            (DefaultAction::Shift { from, to }, ListenerAction::Shift { from: old, to: new }) => {
                is(from, old) && is(to, new)
            }
            _ => false,
        }
    }

    /// Our own listeners on ports that are not needed.
    fn delete_others(
        &mut self,
        name: &str,
        want: &DesiredLoadBalancer,
        have: Option<&LoadBalancer>,
    ) {
        for port in have
            .into_iter()
            .flat_map(|have| self.our_ports(have))
            .collect::<Vec<_>>()
        {
            let wanted = port == 443 || (port == 80 && want.plain != PlainHttp::Closed);
            if !wanted {
                let load_balancer = name.to_owned();
                self.push(
                    name,
                    &want.members,
                    Operation::DeleteListener {
                        load_balancer,
                        port,
                    },
                );
            }
        }
    }

    /// The ports of the listeners that carry our marks.
    pub(super) fn our_ports(&self, have: &LoadBalancer) -> Vec<u16> {
        have.listeners
            .iter()
            .filter(|(_, listener)| is_ours(&self.config.ownership, &listener.tags))
            .map(|(port, _)| *port)
            .collect()
    }
}

fn secure(
    name: &str,
    want: &DesiredLoadBalancer,
    certificates: &CertificateChange,
) -> ListenerSpec {
    ListenerSpec {
        load_balancer: name.to_owned(),
        port: 443,
        protocol: Some(match want.kind {
            LoadBalancerType::Application => Protocol::Https,
            LoadBalancerType::Network => Protocol::Tls,
        }),
        ssl_policy: Some(want.ssl_policy),
        default_certificate: certificates.default.clone(),
        action: Some(DefaultAction::Forward(want.target_group.name.clone())),
        tags: want.target_group.tags.clone(),
    }
}

fn plain(name: &str, want: &DesiredLoadBalancer) -> Option<ListenerSpec> {
    let action = match &want.plain {
        PlainHttp::Closed => return None,
        PlainHttp::Redirect => DefaultAction::RedirectToHttps,
        PlainHttp::Forward(own) => {
            let group = own.as_ref().unwrap_or(&want.target_group);
            DefaultAction::Forward(group.name.clone())
        }
    };
    Some(ListenerSpec {
        load_balancer: name.to_owned(),
        port: 80,
        protocol: Some(match want.kind {
            LoadBalancerType::Application => Protocol::Http,
            LoadBalancerType::Network => Protocol::Tcp,
        }),
        ssl_policy: None,
        default_certificate: None,
        action: Some(action),
        tags: want.target_group.tags.clone(),
    })
}
