//! Services.

use super::Slot;
use super::reading::{Asking, Parts, Reading, publish};
use crate::annotations::Targets;
use crate::snapshot::{Service, ServiceKind};
use crate::{DnsName, Source, reason};

impl<'a> Reading<'a> {
    pub(super) fn service(&mut self, service: &'a Service) {
        let options = &self.config.source;
        let types = &options.service.types;
        let type_name = service.kind.type_name();
        if !types.is_empty() && !types.iter().any(|wanted| wanted == type_name) {
            return;
        }
        let parts = Parts {
            source: Source::Service,
            object: &service.object,
            annotations: &service.annotations,
            labels: &service.labels,
        };
        if options.ignore_hostname_annotation {
            return;
        }
        let Some(mut asking) = self.ask(&parts) else {
            return;
        };
        asking.wishes.dualstack |= service.ipv6 && service.kind == ServiceKind::LoadBalancer;
        let public = self.names(asking.object, &asking.wishes.hostnames);
        let internal = self.names(asking.object, &asking.wishes.internal_hostnames);
        for host in public {
            self.service_host(service, &asking, &host, false);
        }
        for host in internal {
            self.service_host(service, &asking, &host, true);
        }
    }

    fn service_host(
        &mut self,
        service: &Service,
        asking: &Asking<'_>,
        host: &DnsName,
        internal: bool,
    ) {
        let publish_internal = self.config.source.service.publish_internal;
        let targets = match (&asking.wishes.targets, service.kind) {
            (Some(targets), _) => targets.clone(),
            (None, ServiceKind::LoadBalancer) if internal => cluster_ip(service),
            (None, ServiceKind::LoadBalancer) => self.load_balancer(service),
            (None, ServiceKind::ClusterIp) if internal || publish_internal || asking.frozen => {
                cluster_ip(service)
            }
            (None, ServiceKind::ClusterIp) => return,
            (None, ServiceKind::Headless) => return self.headless(service, asking, host),
            (None, ServiceKind::NodePort) => {
                self.node_port_srv(service, asking, host);
                self.node_targets(service, asking)
            }
            (None, ServiceKind::ExternalName) => self.external_name(service),
        };
        let wish = publish(targets, &asking.wishes, self.config);
        self.want(host.clone(), asking.candidate(Slot::Address, wish));
    }

    /// `spec.externalIPs`, else the status.
    fn load_balancer(&mut self, service: &Service) -> Targets {
        if !service.external_ips.is_empty() {
            return external_ips(service);
        }
        let field = "status.loadBalancer.ingress[].hostname";
        self.addresses(&service.object, field, &service.addresses)
    }

    fn external_name(&mut self, service: &Service) -> Targets {
        let mut targets = external_ips(service);
        if let Some(name) = service
            .external_name
            .as_ref()
            .filter(|_| targets.is_empty())
            && targets.add(name).is_none()
        {
            let message = format!("spec.externalName {name:?} is neither an address nor a name");
            self.reject(&service.object, reason::INVALID_HOST, message);
        }
        targets
    }
}

fn cluster_ip(service: &Service) -> Targets {
    let mut targets = Targets::default();
    service
        .cluster_ip
        .into_iter()
        .for_each(|ip| targets.add_ip(ip));
    targets
}

fn external_ips(service: &Service) -> Targets {
    let mut targets = Targets::default();
    service
        .external_ips
        .iter()
        .for_each(|ip| targets.add_ip(*ip));
    targets
}
