//! What an operator chose, parsed: the part of the flags that decisions need.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use isthmus_core::Ownership;

use crate::{
    Arn, ClassFilter, Defaults, Denial, NetworkLoadBalancers, NodeSelector, SslPolicy, TargetType,
};

/// The configuration of the decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// This cluster's mark on AWS resources.
    pub ownership: Ownership,
    /// `--vpc-id`, or the instance's own VPC.
    pub vpc: String,
    /// `--ingress-class-filter`.
    pub classes: ClassFilter,
    /// `--cluster-local-domain`.
    pub cluster_local_domain: Option<String>,
    /// What an Ingress gets where its annotations do not say.
    pub defaults: Defaults,
    /// `--max-certs-alb`, or 1 with `--disable-sni-support`.
    pub max_certificates: usize,
    /// `--blacklist-certificate-arns`.
    pub blacklist: BTreeSet<Arn>,
    /// `--ssl-policy`.
    pub ssl_policy: SslPolicy,
    /// `--redirect-http-to-https`.
    pub redirect_http: bool,
    /// `--deny-internal-domains` with its flags.
    pub denial: Option<Denial>,
    /// Whether `--cloudwatch-alarms-config-map` is given.
    pub alarms: bool,
    /// The flags `--nlb-*`.
    pub network_load_balancers: NetworkLoadBalancers,
    /// Where load balancers send requests.
    pub target: TargetConfig,
    /// `--target-node-selector`.
    pub nodes: NodeSelector,
    /// `--idle-connection-timeout`, in whole seconds.
    pub idle_timeout: u32,
    /// `--logs-s3-bucket` and `--logs-s3-prefix`.
    pub access_logs: Option<AccessLogs>,
    /// `--stack-termination-protection`.
    pub deletion_protection: bool,
    /// `--additional-stack-tags`.
    pub extra_tags: BTreeMap<String, String>,
    /// `--cert-ttl-timeout`: how long what is not needed any more is kept.
    pub grace: Duration,
    /// `--min-load-balancer-age`: after this a load balancer's name is told even without a healthy target.
    pub min_age: Duration,
}

/// Where the access logs of a load balancer go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLogs {
    /// An S3 bucket.
    pub bucket: String,
    /// A prefix in it, may be empty.
    pub prefix: String,
}

/// What clients speak to a listener, or a load balancer to its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// Plain text, on an ALB.
    Http,
    /// TLS, on an ALB; it does not check the target's certificate.
    Https,
    /// Bytes, on an NLB.
    Tcp,
    /// TLS, on an NLB; it does not check the target's certificate.
    Tls,
}

impl Protocol {
    /// As ELBv2 names it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Https => "HTTPS",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// Whether a listener that speaks it has certificates.
    #[must_use]
    pub fn is_secure(self) -> bool {
        matches!(self, Self::Https | Self::Tls)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where load balancers send requests, and how targets prove that they live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetConfig {
    /// `--target-port`.
    pub port: u16,
    /// `--alb-http-target-port`: for what came in on port 80 of an ALB.
    pub alb_http_port: Option<u16>,
    /// `--nlb-http-target-port`: for what came in on port 80 of an NLB.
    pub nlb_http_port: Option<u16>,
    /// `--target-https`: [`Protocol::Http`] or [`Protocol::Https`].
    pub protocol: Protocol,
    /// `--target-access-mode`.
    pub kind: TargetType,
    /// The flags `--health-check-*` and `--alb-*-threshold-count`.
    pub health_check: HealthCheck,
    /// `--nlb-healthy-threshold-count`, 2 to 10.
    pub nlb_threshold: u32,
    /// `--deregistration-delay-timeout`, in whole seconds.
    pub deregistration_delay: u32,
}

/// A target group's [health check].
///
/// [health check]: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// HTTP or HTTPS, as [`TargetConfig::protocol`].
    pub protocol: Protocol,
    /// For example `/kube-system/healthz`.
    pub path: String,
    /// The port asked.
    pub port: u16,
    /// Seconds between two checks, 5 to 300.
    pub interval: u32,
    /// Seconds until a check has failed, 2 to 120, less than the interval; `None`
    /// leaves it to AWS.
    pub timeout: Option<u32>,
    /// Successes in a row that make a target healthy, 2 to 10.
    pub healthy_threshold: u32,
    /// Failures in a row that make it unhealthy, 2 to 10.
    pub unhealthy_threshold: u32,
}

impl HealthCheck {
    /// Whether a target group that checks like `have` needs no change.
    #[must_use]
    pub fn is_met_by(&self, have: &Self) -> bool {
        let timeout = self.timeout.or(have.timeout);
        Self {
            timeout,
            ..self.clone()
        } == *have
    }
}

impl fmt::Display for HealthCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            protocol,
            path,
            port,
            interval,
            timeout,
            healthy_threshold,
            unhealthy_threshold,
        } = self;
        write!(f, "{protocol} :{port}{path} every {interval}s")?;
        if let Some(timeout) = timeout {
            write!(f, " within {timeout}s")?;
        }
        write!(
            f,
            ", up after {healthy_threshold}, down after {unhealthy_threshold}"
        )
    }
}
