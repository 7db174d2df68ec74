//! Which load balancers there should be.

use std::collections::{BTreeMap, BTreeSet};

use isthmus_core::{ObjectRef, Rejection};
use jiff::Timestamp;

use crate::rejection::{
    NO_CERTIFICATE, NO_SECURITY_GROUP, NO_SUBNETS, TOO_MANY_CERTIFICATES, annotations, reject_all,
    rejection,
};
use crate::{
    Arn, Candidate, CertificateIndex, Config, GroupKey, HealthCheck, Ingress, IpAddressType,
    Network, Protocol, Scheme, Slot, Snapshot, SslPolicy, StatusEntry, cluster_local, instances,
    naming, normal_host, place, settings, tags,
};

/// What should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// By name.
    pub load_balancers: BTreeMap<String, DesiredLoadBalancer>,
    /// Every Ingress of the cluster, in the order of namespace and name.
    pub ingresses: Vec<Served>,
    /// The instances that take traffic.
    pub targets: BTreeSet<String>,
}

/// A load balancer as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredLoadBalancer {
    /// Who can reach it.
    pub scheme: Scheme,
    /// Its addresses.
    pub ip_address_type: IpAddressType,
    /// Its security group; `None` if none was found: a living one keeps what it has.
    pub security_group: Option<String>,
    /// The subnet of each zone; a living one gets those of new zones.
    pub subnets: BTreeMap<String, String>,
    /// The attributes that are managed.
    pub attributes: BTreeMap<String, String>,
    /// The tags it is made with.
    pub tags: BTreeMap<String, String>,
    /// Whether port 80 redirects to port 443.
    pub redirect_http: bool,
    /// The TLS policy of port 443.
    pub ssl_policy: SslPolicy,
    /// The certificates of port 443, at least one.
    pub certificates: BTreeSet<Arn>,
    /// Where it forwards to.
    pub target_group: DesiredTargetGroup,
    /// The Ingresses on it.
    pub members: Vec<ObjectRef>,
}

impl DesiredLoadBalancer {
    /// ALBs need subnets in two zones
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html#subnets-load-balancer>).
    pub const MIN_ZONES: usize = 2;

    /// Whether all is there that making it needs.
    #[must_use]
    pub fn can_be_made(&self) -> bool {
        self.security_group.is_some() && self.subnets.len() >= Self::MIN_ZONES
    }
}

/// A target group as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredTargetGroup {
    /// Its name.
    pub name: String,
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
    },
    /// It asks for something it cannot have: what it had stays as it was.
    Held,
    /// It asks for nothing here.
    NotOurs,
}

/// What one Ingress asks for.
enum Asked {
    Place(Box<Candidate>),
    Refused,
    Nothing,
}

/// Decides which load balancers there should be, and says what each Ingress cannot have.
#[must_use]
pub fn desired(snapshot: &Snapshot, config: &Config, now: Timestamp) -> (Desired, Vec<Rejection>) {
    let certificates = CertificateIndex::new(&snapshot.certificates, &config.blacklist);
    let mut rejections = Vec::new();
    let mut ingresses: Vec<&Ingress> = snapshot.ingresses.iter().collect();
    ingresses.sort_by(|a, b| a.object.cmp(&b.object));
    let mut served = Vec::new();
    let mut candidates = Vec::new();
    for ingress in ingresses {
        let fate = match ask(ingress, config, &certificates, now, &mut rejections) {
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
    let (slots, too_big) = place(candidates, config.max_certificates, &config.ownership);
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
    rejections.sort();
    let desired = Desired {
        load_balancers,
        ingresses: served,
        targets: instances(&snapshot.nodes, &config.nodes),
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
            };
            homes.insert(member.object.clone(), fate);
        }
    }
    homes
}

fn ask(
    ingress: &Ingress,
    config: &Config,
    certificates: &CertificateIndex<'_>,
    now: Timestamp,
    rejections: &mut Vec<Rejection>,
) -> Asked {
    if ingress.deleting || !config.classes.serves(&ingress.class) {
        return Asked::Nothing;
    }
    let domain = config.cluster_local_domain.as_deref().unwrap_or_default();
    let hosts: BTreeSet<String> = ingress
        .hosts
        .iter()
        .map(|host| normal_host(host))
        .filter(|host| !host.is_empty() && !cluster_local(host, domain))
        .collect();
    if hosts.is_empty() {
        return Asked::Nothing;
    }
    let settings = match settings(&ingress.annotations, config.defaults) {
        Ok(settings) => settings,
        Err(errors) => {
            rejections.push(annotations(&ingress.object, &errors));
            return Asked::Refused;
        }
    };
    let (found, problem) = match &settings.certificate {
        Some(pinned) => pinned_certificate(pinned, certificates),
        None => certificates_for(&hosts, certificates, now),
    };
    if let Some(problem) = problem {
        rejections.push(rejection(&ingress.object, NO_CERTIFICATE, problem));
    }
    if found.is_empty() {
        return Asked::Refused;
    }
    Asked::Place(Box::new(Candidate {
        object: ingress.object.clone(),
        key: GroupKey::new(&ingress.object, &settings),
        certificates: found,
        hostnames: ingress.hostnames().map(str::to_owned).collect(),
    }))
}

fn pinned_certificate(
    pinned: &Arn,
    certificates: &CertificateIndex<'_>,
) -> (BTreeSet<Arn>, Option<String>) {
    match certificates.get(pinned) {
        Some(certificate) => (BTreeSet::from([certificate.arn.clone()]), None),
        None => {
            let problem = format!(
                "the certificate {pinned} of the annotation is not among the usable ones of this account and region; \
                 name another one or take the annotation away"
            );
            (BTreeSet::new(), Some(problem))
        }
    }
}

fn certificates_for(
    hosts: &BTreeSet<String>,
    certificates: &CertificateIndex<'_>,
    now: Timestamp,
) -> (BTreeSet<Arn>, Option<String>) {
    let mut found = BTreeSet::new();
    let mut without = Vec::new();
    for host in hosts {
        match certificates.best(host, now) {
            Some(certificate) => {
                found.insert(certificate.arn.clone());
            }
            None => without.push(host.as_str()),
        }
    }
    let problem = (!without.is_empty()).then(|| {
        format!(
            "no certificate in ACM names {}; request or import one for it or for its wildcard",
            without.join(", ")
        )
    });
    (found, problem)
}

fn too_many_certificates(candidate: &Candidate, max: usize) -> Rejection {
    let message = format!(
        "its hosts need {} certificates and --max-certs-alb allows {max} on a load balancer; \
         split it, or use certificates with more names",
        candidate.certificates.len()
    );
    rejection(&candidate.object, TOO_MANY_CERTIFICATES, message)
}

fn load_balancer(
    name: &str,
    slot: &Slot,
    network: &Network,
    config: &Config,
    rejections: &mut Vec<Rejection>,
) -> DesiredLoadBalancer {
    let key = &slot.key;
    let mut marks = config.extra_tags.clone();
    marks.extend(config.ownership.tags());
    let target_group = target_group(name, marks.clone(), config);
    if let Some(owner) = &key.owner {
        marks.insert(tags::OWNER.to_owned(), owner.clone());
    }
    let found = network.security_group(&config.ownership).map(str::to_owned);
    let balancer = DesiredLoadBalancer {
        scheme: key.scheme,
        ip_address_type: key.ip_address_type,
        security_group: key
            .security_group
            .as_ref()
            .map(ToString::to_string)
            .or(found),
        subnets: network.subnets(key.scheme, &config.ownership),
        attributes: attributes(key, config),
        tags: marks,
        redirect_http: config.redirect_http,
        ssl_policy: key.ssl_policy.unwrap_or(config.ssl_policy),
        certificates: slot.certificates.clone(),
        target_group,
        members: slot
            .members
            .iter()
            .map(|member| member.object.clone())
            .collect(),
    };
    reject_without_network(&balancer, config, rejections);
    balancer
}

fn reject_without_network(
    balancer: &DesiredLoadBalancer,
    config: &Config,
    rejections: &mut Vec<Rejection>,
) {
    let vpc = &config.vpc;
    if balancer.security_group.is_none() {
        let message = format!(
            "no security group in {vpc} has the tags {}=owned and {}={}",
            config.ownership.cluster_tag(),
            isthmus_core::CONTROLLER_TAG,
            config.ownership.controller_id(),
        );
        reject_all(rejections, &balancer.members, NO_SECURITY_GROUP, &message);
    }
    if balancer.subnets.len() < DesiredLoadBalancer::MIN_ZONES {
        let reachable = match balancer.scheme {
            Scheme::InternetFacing => " with a route to an internet gateway",
            Scheme::Internal => "",
        };
        let message = format!(
            "a load balancer that is {} needs subnets in {} zones of {vpc} and there are {}; looked for are subnets{reachable} \
             with the tag {} (or without it, where no subnet has it), best with the tag {}=1",
            balancer.scheme,
            DesiredLoadBalancer::MIN_ZONES,
            balancer.subnets.len(),
            config.ownership.cluster_tag(),
            Network::role_tag(balancer.scheme),
        );
        reject_all(rejections, &balancer.members, NO_SUBNETS, &message);
    }
}

/// The [attributes] that are managed; what is not in it stays as it is.
///
/// [attributes]: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html#load-balancer-attributes
fn attributes(key: &GroupKey, config: &Config) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::from([
        (
            "idle_timeout.timeout_seconds".to_owned(),
            config.idle_timeout.to_string(),
        ),
        ("routing.http2.enabled".to_owned(), key.http2.to_string()),
    ]);
    if let Some(logs) = &config.access_logs {
        attributes.insert("access_logs.s3.enabled".to_owned(), "true".to_owned());
        attributes.insert("access_logs.s3.bucket".to_owned(), logs.bucket.clone());
        attributes.insert("access_logs.s3.prefix".to_owned(), logs.prefix.clone());
    }
    if config.deletion_protection {
        attributes.insert("deletion_protection.enabled".to_owned(), "true".to_owned());
    }
    attributes
}

fn target_group(
    load_balancer: &str,
    tags: BTreeMap<String, String>,
    config: &Config,
) -> DesiredTargetGroup {
    let target = &config.target;
    DesiredTargetGroup {
        name: naming::target_group(load_balancer, target.protocol, target.port, &config.vpc),
        protocol: target.protocol,
        port: target.port,
        vpc: config.vpc.clone(),
        health_check: target.health_check.clone(),
        attributes: BTreeMap::from([(
            "deregistration_delay.timeout_seconds".to_owned(),
            target.deregistration_delay.to_string(),
        )]),
        tags,
    }
}
