//! The flags that all binaries and all controllers share.

use std::path::PathBuf;
use std::str::FromStr;

use isthmus_core::RemovalLimit;

use super::{ListenAddress, Problems};
use crate::traces::OtlpEndpoint;

/// The flags of all four binaries.
#[derive(Clone, Debug, clap::Args)]
pub struct CommonArgs {
    /// Kubeconfig file; otherwise the variable KUBECONFIG, otherwise the service account of the pod.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Id of this cluster, as in the tag kubernetes.io/cluster/ID; otherwise taken from the tags of the instance.
    #[arg(long, value_name = "ID")]
    pub cluster_id: Option<String>,

    /// How much is logged: trace, debug, info, warn, error or off.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log_level: LogLevel,

    /// Logs as text or as JSON, on stderr.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// Where OpenTelemetry traces go by OTLP over HTTP, as http://HOST:PORT; otherwise there are none.
    #[arg(long, value_name = "URL")]
    pub otlp_endpoint: Option<OtlpEndpoint>,

    /// Where the admin server listens (health, metrics, plan); :0 for a free port.
    #[arg(long, value_name = "ADDRESS", default_value = ":7979")]
    pub metrics_address: ListenAddress,
}

/// The flags of all controllers.
#[derive(Clone, Debug, clap::Args)]
pub struct ControllerArgs {
    /// Reconcile once, to the end, and exit: 0, or 1 if anything failed. Elects no leader and starts no admin server.
    #[arg(long)]
    pub once: bool,

    /// Print the plan on stdout and touch nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// How --dry-run prints the plan: text or json.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub plan_format: PlanFormat,

    /// Act only while holding a Lease, so that several replicas can run.
    #[arg(long)]
    pub leader_elect: bool,

    /// Namespace of the Lease; otherwise the namespace of the pod, otherwise kube-system.
    #[arg(long, value_name = "NAMESPACE")]
    pub leader_election_namespace: Option<String>,

    /// Name of the Lease; otherwise the name of the binary.
    #[arg(long, value_name = "NAME")]
    pub leader_election_id: Option<String>,

    /// The share of what is managed that one plan may remove, in percent. The larger of the two limits counts.
    #[arg(long, value_name = "PERCENT", default_value_t = RemovalLimit::default().percent)]
    pub max_removal_percent: u32,

    /// The number of things that one plan may remove. The larger of the two limits counts.
    #[arg(long, value_name = "NUMBER", default_value_t = RemovalLimit::default().count)]
    pub max_removal_count: usize,

    /// Carry out a plan that removes more than the limits allow.
    #[arg(long)]
    pub allow_mass_removal: bool,
}

impl ControllerArgs {
    /// The brake on mass removal that the flags ask for.
    #[must_use]
    pub fn removal_limit(&self) -> RemovalLimit {
        RemovalLimit {
            percent: self.max_removal_percent,
            count: self.max_removal_count,
            allow_mass: self.allow_mass_removal,
        }
    }

    pub(crate) fn check(&self, problems: &mut Problems) {
        if self.max_removal_percent > 100 {
            problems.push("max-removal-percent", self.max_removal_percent, "0 to 100");
        }
        let names = [
            ("leader-election-namespace", &self.leader_election_namespace),
            ("leader-election-id", &self.leader_election_id),
        ];
        for (flag, name) in names {
            if let Some(name) = name.as_deref().filter(|name| !is_dns_name(name)) {
                problems.push(flag, name, "lower-case letters, digits, '-' and '.'");
            }
        }
    }
}

fn is_dns_name(name: &str) -> bool {
    let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    name.len() <= 253
        && edge(name.bytes().next())
        && edge(name.bytes().last())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
}

/// How much is logged. The names of the systems that these binaries replace
/// are understood too: `warning`, `panic`, `fatal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What failed.
    Error,
    /// And what a user should look at.
    Warn,
    /// And what was done.
    Info,
    /// And why.
    Debug,
    /// And how.
    Trace,
}

impl FromStr for LogLevel {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "off" => Self::Off,
            "error" | "fatal" | "panic" => Self::Error,
            "warn" | "warning" => Self::Warn,
            "info" => Self::Info,
            "debug" => Self::Debug,
            "trace" => Self::Trace,
            _ => return Err("trace, debug, info, warn, error, off"),
        })
    }
}

/// What a log line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What the plan of a dry run looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlanFormat {
    /// One line a step.
    #[default]
    Text,
    /// One JSON object, that of `/plan?format=json`.
    Json,
}

impl FromStr for PlanFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("text, json"),
        }
    }
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("text, json"),
        }
    }
}
