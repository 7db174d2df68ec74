//! A small cluster, and the pure part of a run on it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ingress_core::*;
use isthmus_core::{ObjectRef, Ownership, Plan, Rejection, RemovalLimit};
use jiff::Timestamp;

pub(crate) fn ownership() -> Ownership {
    Ownership::new(
        Ownership::DEFAULT_TAG_PREFIX,
        "aws:123456789012:eu-central-1:kube-1",
        "kube-ingress-aws-controller",
    )
}

/// The defaults of the flags.
pub(crate) fn config() -> Config {
    Config {
        ownership: ownership(),
        vpc: "vpc-1".into(),
        classes: ClassFilter::default(),
        cluster_local_domain: None,
        defaults: Defaults {
            ip_address_type: IpAddressType::Ipv4,
            kind: LoadBalancerType::Application,
            web_acl: None,
        },
        max_certificates: 24,
        blacklist: BTreeSet::new(),
        ssl_policy: "ELBSecurityPolicy-2016-08".parse().expect("a policy"),
        redirect_http: false,
        denial: None,
        alarms: false,
        network_load_balancers: NetworkLoadBalancers::default(),
        target: TargetConfig {
            port: 9999,
            alb_http_port: None,
            nlb_http_port: None,
            nlb_threshold: 3,
            protocol: Protocol::Http,
            kind: TargetType::Instance,
            health_check: HealthCheck {
                protocol: Protocol::Http,
                path: "/kube-system/healthz".into(),
                port: 9999,
                interval: 10,
                timeout: Some(5),
                healthy_threshold: 5,
                unhealthy_threshold: 2,
            },
            deregistration_delay: 300,
        },
        nodes: NodeSelector::default(),
        idle_timeout: 60,
        access_logs: None,
        deletion_protection: false,
        extra_tags: BTreeMap::new(),
        grace: Duration::from_secs(3600),
        min_age: Duration::from_secs(360),
    }
}

/// Two public and two private subnets and a security group.
pub(crate) fn network() -> Network {
    let subnet = |id: &str, zone: &str, public, role: &str| Subnet {
        id: id.into(),
        zone: zone.into(),
        public,
        tags: BTreeMap::from([
            (ownership().cluster_tag().to_owned(), "shared".into()),
            (role.to_owned(), "1".into()),
        ]),
    };
    Network {
        subnets: vec![
            subnet("subnet-1", "eu-central-1a", true, "kubernetes.io/role/elb"),
            subnet("subnet-2", "eu-central-1b", true, "kubernetes.io/role/elb"),
            subnet(
                "subnet-3",
                "eu-central-1a",
                false,
                "kubernetes.io/role/internal-elb",
            ),
            subnet(
                "subnet-4",
                "eu-central-1b",
                false,
                "kubernetes.io/role/internal-elb",
            ),
        ],
        security_groups: vec![SecurityGroup {
            id: "sg-1".into(),
            tags: ownership().tags(),
        }],
    }
}

pub(crate) fn certificate(id: &str, names: &[&str]) -> Certificate {
    Certificate {
        arn: Arn::new(format!(
            "arn:aws:acm:eu-central-1:123456789012:certificate/{id}"
        )),
        names: names.iter().map(|n| (*n).to_owned()).collect(),
        not_before: "2026-01-01T00:00:00Z".parse().expect("a time"),
        not_after: "2027-12-31T00:00:00Z".parse().expect("a time"),
        trusted: true,
    }
}

pub(crate) fn ingress(namespace: &str, name: &str, hosts: &[&str]) -> Ingress {
    Ingress {
        object: ObjectRef::new("networking.k8s.io/v1", "Ingress", namespace, name),
        class: String::new(),
        annotations: BTreeMap::new(),
        hosts: hosts.iter().map(|h| (*h).to_owned()).collect(),
        status: Vec::new(),
        deleting: false,
    }
}

pub(crate) fn node(id: &str) -> Node {
    Node {
        name: id.into(),
        provider_id: Some(format!("aws:///eu-central-1a/{id}")),
        ..Node::default()
    }
}

/// What one run decides.
pub(crate) struct Run {
    pub(crate) plan: Plan<Action>,
    pub(crate) rejections: Vec<Rejection>,
    pub(crate) statuses: Statuses,
    pub(crate) wake: Option<Timestamp>,
    /// Why statuses were withheld.
    pub(crate) withheld: Option<String>,
}

/// The pure part of a run, as the controller strings it together.
pub(crate) fn decide(
    snapshot: &Snapshot,
    observed: &Observed,
    config: &Config,
    now: Timestamp,
) -> Run {
    let ssl_policies = observed.ssl_policies(&config.ownership);
    let snapshot = &Snapshot {
        ssl_policies,
        ..snapshot.clone()
    };
    let (desired, mut rejections) = desired(snapshot, config, now);
    let mut planned = plan(&desired, observed, config, now);
    rejections.append(&mut planned.rejections);
    let limit = RemovalLimit::default();
    let empty = snapshot.certificates.is_empty();
    check(&mut planned.plan, observed, config, empty, &limit);
    let mut statuses = status(&desired, observed, config, now);
    let withheld = check_statuses(&mut statuses, &limit);
    Run {
        statuses,
        withheld: withheld.map(|(why, _)| why.message),
        plan: planned.plan,
        rejections,
        wake: planned.wake,
    }
}
