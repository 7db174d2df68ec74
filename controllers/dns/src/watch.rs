//! The objects that names come from.

use std::collections::BTreeSet;
use std::time::Duration;

use dns_core::{Snapshot, Source};
use isthmus_runtime::{Failure, Setup};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::networking::v1 as networking;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::reflector::Store;
use kube::runtime::watcher;
use kube::{Api, Resource};

use crate::config::Settings;
use backing::Backing;
use custom::Custom;
pub(crate) use custom::Unobserved;

mod backing;
mod custom;
mod ingress;
mod service;

/// The reflectors of the sources that `--source` names.
pub(crate) struct Sources {
    ingresses: Option<Store<networking::Ingress>>,
    services: Option<(Store<core::Service>, Backing)>,
    route_groups: Option<Custom>,
    dns_endpoints: Option<Custom>,
}

impl Sources {
    /// Watches one namespace, or all.
    ///
    /// The first lists are consistent ones, not from the API server's cache:
    /// what is missing in one loses its records.
    pub(crate) fn watch(setup: &mut Setup, settings: &Settings) -> Self {
        let named = |source| settings.sources.contains(&source);
        let mut config = watcher::Config::default();
        if !settings.label_selector.is_empty() {
            config = config.labels(&settings.label_selector);
        }
        let grace = settings.empty_target_grace;
        Self {
            ingresses: named(Source::Ingress).then(|| {
                let api = api(setup, settings);
                let watches = &mut setup.watches;
                watches.add("Ingress", api, config.clone(), ingress::slim)
            }),
            services: named(Source::Service).then(|| {
                let api = api(setup, settings);
                let watches = &mut setup.watches;
                let store = watches.add("Service", api, config.clone(), service::slim);
                (store, Backing::new(setup, settings))
            }),
            route_groups: named(Source::SkipperRoutegroup).then(|| {
                let kind = ("zalando.org/v1", "RouteGroup");
                Custom::watch(setup, settings, kind, config.clone(), grace)
            }),
            dns_endpoints: named(Source::Crd).then(|| {
                let kind = settings.decisions.source.crd;
                Custom::watch(setup, settings, kind, config.clone(), grace)
            }),
        }
    }

    /// What the objects say now, and the sources that cannot be asked. `now` is
    /// the time since any fixed moment.
    pub(crate) async fn snapshot(&self, now: Duration) -> (Snapshot, Vec<Failure>) {
        let mut snapshot = Snapshot::default();
        let mut failures = Vec::new();
        if let Some(store) = &self.ingresses {
            let ingresses = store.state();
            let ingresses = ingresses.iter().map(|ingress| ingress::to_ingress(ingress));
            snapshot.ingresses = ingresses.collect();
        }
        if let Some((store, backing)) = &self.services {
            let services = store.state();
            let services = services.iter().map(|service| service::to_service(service));
            snapshot.services = services.collect();
            if let Err(failure) = backing.complete(&mut snapshot).await {
                snapshot.unavailable.insert(Source::Service);
                failures.push(failure);
            }
        }
        for (source, custom) in self.custom() {
            if let Err(failure) = custom.available(source, now) {
                snapshot.unavailable.insert(source);
                failures.push(failure);
            }
        }
        if let Some(custom) = &self.route_groups {
            snapshot.route_groups = custom.route_groups();
        }
        if let Some(custom) = &self.dns_endpoints {
            snapshot.dns_endpoints = custom.dns_endpoints();
        }
        (snapshot, failures)
    }

    fn custom(&self) -> impl Iterator<Item = (Source, &Custom)> {
        let route_groups = self.route_groups.iter();
        let dns_endpoints = self.dns_endpoints.iter();
        route_groups
            .map(|custom| (Source::SkipperRoutegroup, custom))
            .chain(dns_endpoints.map(|custom| (Source::Crd, custom)))
    }

    /// The sources by name, and whether they can be asked.
    pub(crate) fn states(&self, unavailable: &BTreeSet<Source>) -> Vec<(Source, bool)> {
        let named = [
            (Source::Ingress, self.ingresses.is_some()),
            (Source::Service, self.services.is_some()),
            (Source::SkipperRoutegroup, self.route_groups.is_some()),
            (Source::Crd, self.dns_endpoints.is_some()),
        ];
        let named = named.into_iter().filter(|(_, named)| *named);
        named
            .map(|(source, _)| (source, !unavailable.contains(&source)))
            .collect()
    }

    /// When a source that came back can be believed, after `now`.
    pub(crate) fn patience(&self, now: Duration) -> Option<Duration> {
        let ends = self.custom().filter_map(|(_, custom)| custom.patience(now));
        ends.min()
    }

    /// DNSEndpoints whose status does not say that their generation was seen.
    pub(crate) fn unobserved(&self) -> Vec<Unobserved> {
        let custom = self.dns_endpoints.iter();
        custom.flat_map(Custom::unobserved).collect()
    }
}

/// The objects of the namespace that counts, or of all.
fn api<K>(setup: &Setup, settings: &Settings) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match &settings.namespace {
        Some(namespace) => Api::namespaced(setup.kube.clone(), namespace),
        None => Api::all(setup.kube.clone()),
    }
}

/// Removes what is not read of any object.
fn slim_metadata(metadata: &mut ObjectMeta) {
    metadata.managed_fields = None;
    metadata.owner_references = None;
    metadata.finalizers = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}
