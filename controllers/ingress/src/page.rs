//! What is managed, for the admin server's page.

use std::collections::{BTreeMap, BTreeSet};

use ingress_core::{
    Arn, Certificate, Config, DesiredLoadBalancer, Fate, Health, Observed, Served, State,
    served_certificates,
};
use isthmus_runtime::{Page, Section};
use jiff::Timestamp;

use crate::decided::Decided;

/// How many names of one certificate are shown.
const NAMES: usize = 3;

/// Ingress → load balancer → certificates → status.
pub(crate) fn page(
    decided: &Decided,
    observed: &Observed,
    certificates: &[Certificate],
    config: &Config,
) -> Page {
    let by_arn = certificates.iter().map(|one| (&one.arn, one)).collect();
    let view = View {
        decided,
        observed,
        certificates: by_arn,
    };
    let ingresses = decided.desired.ingresses.iter();
    let ingresses = ingresses.filter_map(|ingress| view.ingress(ingress));
    let balancers = observed.our_load_balancers(&config.ownership);
    let balancers = balancers.map(|(name, balancer)| view.load_balancer(name, balancer));
    let served = served_certificates(&decided.desired, certificates);
    let served = served.iter().map(|(arn, end)| view.certificate(arn, *end));
    let sections = vec![
        Section::new(
            "Ingresses",
            ["Object", "Load balancer", "Certificates", "Status"],
            ingresses.collect(),
        ),
        Section::new(
            "Load balancers",
            ["Name", "DNS name", "State", "Healthy targets", "Objects"],
            balancers.collect(),
        ),
        Section::new(
            "Certificates",
            ["Names", "Until", "Id", "Load balancers"],
            served.collect(),
        ),
    ];
    Page { sections }
}

struct View<'a> {
    decided: &'a Decided,
    observed: &'a Observed,
    certificates: BTreeMap<&'a Arn, &'a Certificate>,
}

impl View<'_> {
    /// `None` for one that asks for nothing here.
    fn ingress(&self, ingress: &Served) -> Option<Vec<String>> {
        let (load_balancer, certificates) = match &ingress.fate {
            Fate::NotOurs => return None,
            Fate::Held => (String::new(), String::new()),
            Fate::On {
                load_balancer,
                certificates,
                complete,
            } => {
                let mut names: Vec<_> = certificates.iter().map(|arn| self.names(arn)).collect();
                if !complete {
                    names.push("a host has none".to_owned());
                }
                (load_balancer.clone(), names.join("; "))
            }
        };
        let status = self.status(ingress, &load_balancer);
        Some(vec![
            ingress.object.to_string(),
            load_balancer,
            certificates,
            status,
        ])
    }

    /// The hostname it was told, or what it waits for.
    fn status(&self, ingress: &Served, load_balancer: &str) -> String {
        let told: Vec<_> = ingress.hostnames().collect();
        if ingress.fate == Fate::Held {
            return match told.is_empty() {
                true => "rejected".to_owned(),
                false => format!("rejected; stays at {}", told.join(", ")),
            };
        }
        if !told.is_empty() {
            return told.join(", ");
        }
        let statuses = &self.decided.statuses;
        if statuses.provisioning.contains(load_balancer) {
            "waits: AWS sets the load balancer up"
        } else if statuses.unhealthy.contains(load_balancer) {
            "waits for a healthy target"
        } else {
            "waits for the plan to be carried out"
        }
        .to_owned()
    }

    fn load_balancer(&self, name: &str, balancer: &ingress_core::LoadBalancer) -> Vec<String> {
        let state = match (balancer.state, balancer.unused_since()) {
            (_, Some(since)) => format!("unused since {since}"),
            (State::Active, None) => "active".to_owned(),
            (State::Provisioning, None) => "being set up".to_owned(),
            (State::Failed, None) => "failed".to_owned(),
        };
        let want = self.decided.desired.load_balancers.get(name);
        let members = want.map_or(0, |want| want.members.len());
        vec![
            name.to_owned(),
            balancer.dns_name.clone(),
            state,
            want.map_or_else(String::new, |want| self.health(want)),
            members.to_string(),
        ]
    }

    /// `2 of 3`, for each target group.
    fn health(&self, want: &DesiredLoadBalancer) -> String {
        let groups = want.target_groups();
        let seen = groups.filter_map(|group| self.observed.target_groups.get(&group.name));
        let health = seen.map(|group| {
            let states = group.targets.values();
            let healthy = states.filter(|health| **health == Health::Healthy).count();
            format!("{healthy} of {}", group.targets.len())
        });
        health.collect::<Vec<_>>().join(", ")
    }

    fn certificate(&self, arn: &Arn, end: Timestamp) -> Vec<String> {
        let balancers = self.decided.desired.load_balancers.iter();
        let with: BTreeSet<&str> = balancers
            .filter(|(_, balancer)| balancer.certificates.contains(arn))
            .map(|(name, _)| name.as_str())
            .collect();
        let with: Vec<_> = with.into_iter().collect();
        vec![
            self.names(arn),
            end.to_string(),
            arn.id().to_owned(),
            with.join(", "),
        ]
    }

    /// Some of its names, or its id where it is not in the list any more.
    fn names(&self, arn: &Arn) -> String {
        let Some(certificate) = self.certificates.get(arn) else {
            return arn.id().to_owned();
        };
        let all = &certificate.names;
        let mut names: Vec<_> = all.iter().take(NAMES).cloned().collect();
        if all.len() > NAMES {
            names.push(format!("{} more", all.len() - NAMES));
        }
        names.join(", ")
    }
}
