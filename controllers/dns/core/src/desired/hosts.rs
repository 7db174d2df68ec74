//! Objects with hosts and a load balancer: Ingresses and RouteGroups.

use std::collections::BTreeSet;

use super::Slot;
use super::reading::{Asking, Parts, Reading, publish};
use crate::annotations::HostnameSource;
use crate::snapshot::{Address, Ingress, RouteGroup};
use crate::{DnsName, Source};

impl<'a> Reading<'a> {
    pub(super) fn ingress(&mut self, ingress: &'a Ingress) {
        if !self.has_class(ingress) {
            return;
        }
        let parts = Parts {
            source: Source::Ingress,
            object: &ingress.object,
            annotations: &ingress.annotations,
            labels: &ingress.labels,
        };
        let Some(asking) = self.ask(&parts) else {
            return;
        };
        let hosts = self.ingress_hosts(ingress, &asking);
        let field = "status.loadBalancer.ingress[].hostname";
        self.route(&asking, hosts, field, &ingress.addresses);
    }

    pub(super) fn route_group(&mut self, route_group: &'a RouteGroup) {
        let parts = Parts {
            source: Source::SkipperRoutegroup,
            object: &route_group.object,
            annotations: &route_group.annotations,
            labels: &route_group.labels,
        };
        let Some(asking) = self.ask(&parts) else {
            return;
        };
        let mut texts: BTreeSet<&String> = route_group.hosts.iter().collect();
        if !self.config.source.ignore_hostname_annotation {
            texts.extend(&asking.wishes.hostnames);
        }
        let hosts = self.names(asking.object, texts);
        let field = "status.loadBalancer.routegroup[].hostname";
        self.route(&asking, hosts, field, &route_group.addresses);
    }

    fn has_class(&self, ingress: &Ingress) -> bool {
        let classes = &self.config.source.ingress_classes;
        let annotated = ingress.annotations.get("kubernetes.io/ingress.class");
        let class = ingress.class.as_ref().filter(|class| !class.is_empty());
        let class = class.or(annotated);
        classes.is_empty() || class.is_some_and(|class| classes.contains(class))
    }

    /// The hosts that the object is about. All of them if it is faulty, so that
    /// none loses its record over the fault.
    fn ingress_hosts(&mut self, ingress: &Ingress, asking: &Asking<'_>) -> BTreeSet<DnsName> {
        let options = &self.config.source;
        let source = asking.wishes.hostname_source;
        let defined = asking.frozen || source != HostnameSource::AnnotationOnly;
        let annotated = asking.frozen || source != HostnameSource::DefinedHostsOnly;
        let mut texts: BTreeSet<&String> = BTreeSet::new();
        if defined && !options.ignore_rules {
            texts.extend(&ingress.rule_hosts);
        }
        if defined && !options.ignore_tls {
            texts.extend(&ingress.tls_hosts);
        }
        if annotated && !options.ignore_hostname_annotation {
            texts.extend(&asking.wishes.hostnames);
        }
        self.names(asking.object, texts)
    }

    /// Points hosts to the annotated target, else to the load balancer.
    fn route(
        &mut self,
        asking: &Asking<'_>,
        hosts: BTreeSet<DnsName>,
        field: &str,
        addresses: &[Address],
    ) {
        let targets = match &asking.wishes.targets {
            Some(targets) => targets.clone(),
            None if asking.frozen => crate::Targets::default(),
            None => self.addresses(asking.object, field, addresses),
        };
        let wish = publish(targets, &asking.wishes, self.config);
        for host in hosts {
            self.want(host, asking.candidate(Slot::Address, wish.clone()));
        }
    }
}
