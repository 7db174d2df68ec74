//! Which load balancers there should be.

mod ask;
mod attributes;
mod balancer;
mod target_group;

use std::collections::{BTreeMap, BTreeSet};

use isthmus_core::{ObjectRef, Rejection};
use jiff::Timestamp;

use crate::alarm::parse;
use crate::{
    Arn, Bounds, CertificateIndex, Config, Denial, DesiredAlarms, HealthCheck, Ingress,
    IpAddressType, LoadBalancerType, Protocol, Scheme, Slot, Snapshot, SslPolicy, StatusEntry,
    TargetType, Targets, WebAcl, place,
};
use ask::{Asked, Circumstances, ask, too_many_certificates};
use balancer::load_balancer;

/// What should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// By name.
    pub load_balancers: BTreeMap<String, DesiredLoadBalancer>,
    /// Every Ingress of the cluster, in the order of namespace and name.
    pub ingresses: Vec<Served>,
    /// The certificates that there are in the account, as far as it was listed.
    pub listed: BTreeSet<Arn>,
    /// RouteGroups cannot be read: whoever was served for one may still be.
    pub route_groups_absent: bool,
    /// What takes traffic.
    pub targets: Targets,
    /// The alarms of each load balancer.
    pub alarms: DesiredAlarms,
}

/// A load balancer as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredLoadBalancer {
    /// Its type.
    pub kind: LoadBalancerType,
    /// Who can reach it.
    pub scheme: Scheme,
    /// Its addresses.
    pub ip_address_type: IpAddressType,
    /// Its security group; `None` if none was found: a living one keeps what it has.
    /// NLBs have none.
    pub security_group: Option<String>,
    /// The subnet of each zone; a living one gets those of new zones.
    pub subnets: BTreeMap<String, String>,
    /// The attributes that are managed.
    pub attributes: BTreeMap<String, String>,
    /// The tags it is made with.
    pub tags: BTreeMap<String, String>,
    /// What happens on port 80.
    pub plain: PlainHttp,
    /// The requests that it refuses itself.
    pub denial: Option<Denial>,
    /// Its web ACL.
    pub web_acl: Option<WebAcl>,
    /// The TLS policy of port 443.
    pub ssl_policy: SslPolicy,
    /// The certificates of port 443, at least one.
    pub certificates: BTreeSet<Arn>,
    /// Where port 443 forwards to.
    pub target_group: DesiredTargetGroup,
    /// The Ingresses on it.
    pub members: Vec<ObjectRef>,
}

/// What a load balancer does on port 80.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlainHttp {
    /// There is no listener.
    Closed,
    /// 301 to the same URL with HTTPS.
    Redirect,
    /// It forwards, where no other target group is given to that of port 443.
    Forward(Option<DesiredTargetGroup>),
}

impl DesiredLoadBalancer {
    /// Whether it cannot be made without a security group.
    #[must_use]
    pub fn needs_security_group(&self) -> bool {
        self.kind == LoadBalancerType::Application
    }

    /// Whether all is there that making it needs.
    #[must_use]
    pub fn can_be_made(&self) -> bool {
        let guarded = self.security_group.is_some() || !self.needs_security_group();
        guarded && self.subnets.len() >= self.kind.min_zones()
    }

    /// Its target groups.
    pub fn target_groups(&self) -> impl Iterator<Item = &DesiredTargetGroup> {
        let plain = match &self.plain {
            PlainHttp::Forward(group) => group.as_ref(),
            PlainHttp::Closed | PlainHttp::Redirect => None,
        };
        std::iter::once(&self.target_group).chain(plain)
    }
}

/// A target group as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredTargetGroup {
    /// Its name.
    pub name: String,
    /// What its targets are.
    pub kind: TargetType,
    /// The protocol to the targets.
    pub protocol: Protocol,
    /// The port of the targets.
    pub port: u16,
    /// Where it is.
    pub vpc: String,
    /// How targets are checked.
    pub health_check: HealthCheck,
    /// The attributes that are managed.
    pub attributes: BTreeMap<String, String>,
    /// The tags it is made with.
    pub tags: BTreeMap<String, String>,
}

/// An Ingress, what its status says and what is to become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Which one.
    pub object: ObjectRef,
    /// Its status now.
    pub status: Vec<StatusEntry>,
    /// What is to become of it.
    pub fate: Fate,
}

impl Served {
    /// The hostnames of the status.
    pub fn hostnames(&self) -> impl Iterator<Item = &str> {
        self.status
            .iter()
            .filter_map(|entry| entry.hostname.as_deref())
    }
}

/// What is to become of an Ingress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is on this load balancer.
    On {
        /// The load balancer's name.
        load_balancer: String,
        /// The certificates of its hosts.
        certificates: BTreeSet<Arn>,
        /// Whether every host has one.
        complete: bool,
    },
    /// It asks for something it cannot have: what it had stays as it was.
    Held,
    /// It asks for nothing here.
    NotOurs,
}

/// Decides which load balancers there should be, and says what each Ingress cannot have.
#[must_use]
pub fn desired(snapshot: &Snapshot, config: &Config, now: Timestamp) -> (Desired, Vec<Rejection>) {
    let certificates = CertificateIndex::new(&snapshot.certificates, &config.blacklist);
    let circumstances = Circumstances {
        snapshot,
        config,
        certificates: &certificates,
        now,
    };
    let mut rejections = Vec::new();
    let mut ingresses: Vec<&Ingress> = snapshot.ingresses.iter().collect();
    ingresses.sort_by(|a, b| a.object.cmp(&b.object));
    let mut served = Vec::new();
    let mut candidates = Vec::new();
    for ingress in ingresses {
        let fate = match ask(ingress, circumstances, &mut rejections) {
            Asked::Nothing => Fate::NotOurs,
            Asked::Refused => Fate::Held,
            Asked::Place(candidate) => {
                candidates.push(*candidate);
                Fate::Held
            }
        };
        served.push(Served {
            object: ingress.object.clone(),
            status: ingress.status.clone(),
            fate,
        });
    }
    let bounds = Bounds {
        certificates: config.max_certificates,
        ssl_policy: config.ssl_policy,
        present: &snapshot.ssl_policies,
    };
    let (slots, too_big) = place(candidates, bounds, &config.ownership);
    for candidate in too_big {
        rejections.push(too_many_certificates(&candidate, config.max_certificates));
    }
    let homes = homes(&slots);
    for one in &mut served {
        if let Some(fate) = homes.get(&one.object) {
            one.fate = fate.clone();
        }
    }
    let load_balancers = slots
        .into_iter()
        .map(|(name, slot)| {
            let balancer = load_balancer(&name, &slot, &snapshot.network, config, &mut rejections);
            (name, balancer)
        })
        .collect();
    let alarms = match &snapshot.alarms {
        Some(source) => parse(source, &mut rejections),
        None => DesiredAlarms {
            complete: true,
            ..DesiredAlarms::default()
        },
    };
    rejections.sort();
    let desired = Desired {
        load_balancers,
        ingresses: served,
        listed: snapshot
            .certificates
            .iter()
            .map(|certificate| certificate.arn.clone())
            .collect(),
        route_groups_absent: snapshot.route_groups_absent,
        targets: Targets::new(snapshot, config),
        alarms,
    };
    (desired, rejections)
}

fn homes(slots: &BTreeMap<String, Slot>) -> BTreeMap<ObjectRef, Fate> {
    let mut homes = BTreeMap::new();
    for (name, slot) in slots {
        for member in &slot.members {
            let fate = Fate::On {
                load_balancer: name.clone(),
                certificates: member.certificates.clone(),
                complete: member.complete,
            };
            homes.insert(member.object.clone(), fate);
        }
    }
    homes
}
