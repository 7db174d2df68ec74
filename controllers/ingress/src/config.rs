//! From flags to a configuration: every problem is found, and none is let through.

mod bundle;
mod check;
mod features;
mod rest;

use std::time::Duration;

use ingress_core::Ec2Filter;
use isthmus_core::Ownership;
use isthmus_runtime::{CommonArgs, Problems};

use crate::args::Args;
use crate::watch::{Name, TargetPods};
use check::Check;
use rest::without_effect;

/// Flags that were found to be right.
#[derive(Debug)]
pub(crate) struct Config {
    /// `--api-server-base-url`.
    pub(crate) api_server: Option<kube::Config>,
    /// `--polling-interval`.
    pub(crate) resync: Duration,
    /// `--cert-polling-interval`.
    pub(crate) certificate_age: Duration,
    /// `--cert-ca-bundle`, the DER of each authority.
    pub(crate) authorities: Vec<Vec<u8>>,
    /// `--cert-filter-tag`.
    pub(crate) certificate_tag: Option<(String, String)>,
    /// `--cluster-id`.
    pub(crate) cluster_id: Option<String>,
    /// `--vpc-id`.
    pub(crate) vpc: Option<String>,
    /// `CUSTOM_FILTERS`.
    pub(crate) instance_filters: Option<Vec<Ec2Filter>>,
    /// `--cloudwatch-alarms-config-map`.
    pub(crate) alarms: Option<Name>,
    /// The pods of `--target-access-mode=AWSCNI`.
    pub(crate) pods: Option<TargetPods>,
    /// What was accepted and has no effect, a line each.
    pub(crate) without_effect: Vec<String>,
    controller_id: String,
    /// Complete but for the cluster and the VPC, see [`Config::decisions`].
    decisions: ingress_core::Config,
}

impl Config {
    /// The configuration of the decisions, for this cluster in this VPC.
    pub(crate) fn decisions(&self, cluster_id: &str, vpc: &str) -> ingress_core::Config {
        ingress_core::Config {
            ownership: Ownership::new(
                Ownership::DEFAULT_TAG_PREFIX,
                cluster_id,
                &self.controller_id,
            ),
            vpc: vpc.to_owned(),
            ..self.decisions.clone()
        }
    }
}

/// Reads the flags. The answer is of use only if `problems` stays empty.
pub(crate) fn config(args: &Args, common: &CommonArgs, problems: &mut Problems) -> Option<Config> {
    let mut check = Check(problems);
    check.not_zero("polling-interval", args.source.polling_interval);
    check.not_zero(
        "cert-polling-interval",
        args.certificates.cert_polling_interval,
    );
    check.cluster_id(common.cluster_id.as_deref());
    check.vpc(args.load_balancer.vpc_id.as_deref());
    check.rest(args);
    let api_server = check.api_server(&args.source.api_server_base_url, common);
    let instance_filters = check.instance_filters(&args.target);
    let pods = check.target_pods(&args.target);
    let alarms = check.alarms(&args.load_balancer.cloudwatch_alarms_config_map);
    let certificate_tag = check.certificate_tag(&args.certificates.cert_filter_tag);
    let authorities = check.authorities(&args.certificates.cert_ca_bundle);
    let decisions = check.decisions(args);
    let decisions = decisions.filter(|_| problems.is_empty())?;
    Some(Config {
        api_server,
        resync: args.source.polling_interval.0,
        certificate_age: args.certificates.cert_polling_interval.0,
        authorities,
        certificate_tag,
        cluster_id: common.cluster_id.clone(),
        vpc: args.load_balancer.vpc_id.clone(),
        instance_filters: instance_filters.filter(|_| pods.is_none()),
        alarms,
        pods,
        without_effect: without_effect(args),
        controller_id: args.load_balancer.controller_id.clone(),
        decisions,
    })
}

#[cfg(test)]
mod tests;
