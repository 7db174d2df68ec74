//! The flags of kube-ingress-aws-controller, and a few of our own.

mod features;

use isthmus_core::GoDuration;

pub(crate) use features::{DenialArgs, NlbArgs};

/// The flags of `isthmus-ingress`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) certificates: CertificateArgs,
    #[command(flatten)]
    pub(crate) load_balancer: LoadBalancerArgs,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) nlb: NlbArgs,
    #[command(flatten)]
    pub(crate) denial: DenialArgs,
    #[command(flatten)]
    pub(crate) rest: RestArgs,
}

/// What is looked at, and how often.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Ingresses")]
pub(crate) struct SourceArgs {
    /// How often everything is read anew to find what was changed by hand. Changes in the cluster are acted on as they happen.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "5m",
        env = "POLLING_INTERVAL"
    )]
    pub(crate) polling_interval: GoDuration,

    /// Ingress classes that are served, separated by commas; an empty member stands for Ingresses without a class. Empty: all.
    #[arg(long, value_name = "CLASSES", default_value = "")]
    pub(crate) ingress_class_filter: String,

    /// Hosts in this domain need no load balancer, for example cluster.local.
    #[arg(long, value_name = "DOMAIN", default_value = "")]
    pub(crate) cluster_local_domain: String,

    /// The API server by its URL and without credentials, for a kubectl proxy; in place of --kubeconfig.
    #[arg(
        long,
        value_name = "URL",
        default_value = "",
        env = "API_SERVER_BASE_URL"
    )]
    pub(crate) api_server_base_url: String,
}

/// Certificates.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Certificates")]
pub(crate) struct CertificateArgs {
    /// How often the list of certificates is read anew.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "30m",
        env = "CERT_POLLING_INTERVAL"
    )]
    pub(crate) cert_polling_interval: GoDuration,

    /// How long a certificate or a load balancer that is not needed any more is kept.
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub(crate) cert_ttl_timeout: GoDuration,

    /// A file with certificate authorities, PEM, that clients trust beside the system's; repeatable.
    #[arg(long, value_name = "FILE")]
    pub(crate) cert_ca_bundle: Vec<String>,

    /// Use only certificates with this tag.
    #[arg(long, value_name = "KEY=VALUE", default_value = "")]
    pub(crate) cert_filter_tag: String,

    /// A certificate that is never used; repeatable.
    #[arg(long, value_name = "ARN")]
    pub(crate) blacklist_certificate_arns: Vec<String>,

    /// Certificates on one load balancer, 1 to 24.
    #[arg(long, value_name = "NUMBER", default_value_t = 24)]
    pub(crate) max_certs_alb: usize,

    /// One certificate on a load balancer.
    #[arg(long)]
    pub(crate) disable_sni_support: bool,
}

/// Load balancers.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Load balancers")]
pub(crate) struct LoadBalancerArgs {
    /// Value of the tag kubernetes:application on everything that is made, and the mark by which it is found again.
    #[arg(long, value_name = "ID", default_value = "kube-ingress-aws-controller")]
    pub(crate) controller_id: String,

    /// The VPC; otherwise that of the instance.
    #[arg(long, value_name = "ID")]
    pub(crate) vpc_id: Option<String>,

    /// IP addresses where an Ingress does not say: ipv4 or dualstack.
    #[arg(long, value_name = "TYPE", default_value = "ipv4", value_parser = ["ipv4", "dualstack"])]
    pub(crate) ip_addr_type: String,

    /// Type where an Ingress does not say: application or network. One that is internal, or asks for a security group or a web ACL, gets an application load balancer.
    #[arg(long, value_name = "TYPE", default_value = "application", value_parser = ["application", "network"])]
    pub(crate) load_balancer_type: String,

    /// TLS policy where an Ingress does not say.
    #[arg(long, value_name = "NAME", default_value = "ELBSecurityPolicy-2016-08")]
    pub(crate) ssl_policy: String,

    /// After how long without a byte a connection is closed, 1s to 4000s.
    #[arg(long, value_name = "DURATION", default_value = "1m")]
    pub(crate) idle_connection_timeout: GoDuration,

    /// The name of a load balancer without a healthy target is told when it is this old.
    #[arg(long, value_name = "DURATION", default_value = "6m")]
    pub(crate) min_load_balancer_age: GoDuration,

    /// Answer on port 80 of application load balancers with a redirect to HTTPS.
    #[arg(long)]
    pub(crate) redirect_http_to_https: bool,

    /// S3 bucket for access logs.
    #[arg(long, value_name = "BUCKET", default_value = "")]
    pub(crate) logs_s3_bucket: String,

    /// Prefix in the bucket.
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub(crate) logs_s3_prefix: String,

    /// Protect load balancers against deletion by others.
    #[arg(long)]
    pub(crate) stack_termination_protection: bool,

    /// A further tag on everything that is made; repeatable.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) additional_stack_tags: Vec<String>,

    /// A ConfigMap with alarms of CloudWatch for every load balancer: lists in the words of CloudFormation.
    #[arg(long, value_name = "NAMESPACE/NAME", default_value = "")]
    pub(crate) cloudwatch_alarms_config_map: String,
}

/// Targets.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Targets")]
pub(crate) struct TargetArgs {
    /// What load balancers send requests to: HostPort (the instances of the Nodes) or AWSCNI (the addresses of pods). Legacy means HostPort.
    #[arg(long, value_name = "MODE", default_value = "HostPort", value_parser = ["HostPort", "AWSCNI", "Legacy"])]
    pub(crate) target_access_mode: String,

    /// Labels of the Nodes that take traffic, such as a=b,c!=d,e,!f. Nodes of the control plane and excluded ones never do.
    #[arg(long, value_name = "SELECTOR", default_value = "")]
    pub(crate) target_node_selector: String,

    /// The instances, by filters of EC2 in place of Nodes: name=value,value, separated by spaces, such as tag:role=worker.
    #[arg(
        long,
        value_name = "FILTERS",
        default_value = "",
        env = "CUSTOM_FILTERS"
    )]
    pub(crate) custom_filters: String,

    /// The namespace of the pods of AWSCNI.
    #[arg(long, value_name = "NAMESPACE", default_value = "kube-system")]
    pub(crate) target_cni_namespace: String,

    /// The labels of the pods of AWSCNI, which needs them.
    #[arg(long, value_name = "SELECTOR", default_value = "")]
    pub(crate) target_cni_pod_labelselector: String,

    /// Port of the targets.
    #[arg(long, value_name = "PORT", default_value_t = 9999, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) target_port: u16,

    /// Another port of the targets for what came in on port 80 of an application load balancer. 0: --target-port.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) alb_http_target_port: u16,

    /// Speak HTTPS to the targets.
    #[arg(long)]
    pub(crate) target_https: bool,

    /// Path of the health check.
    #[arg(long, value_name = "PATH", default_value = "/kube-system/healthz")]
    pub(crate) health_check_path: String,

    /// Port of the health check.
    #[arg(long, value_name = "PORT", default_value_t = 9999, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) health_check_port: u16,

    /// Time between two health checks, 5s to 300s.
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    pub(crate) health_check_interval: GoDuration,

    /// Time after which a health check has failed, 2s to 120s and less than the interval.
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    pub(crate) health_check_timeout: GoDuration,

    /// Successes in a row that make a target healthy, 2 to 10.
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    pub(crate) alb_healthy_threshold_count: u32,

    /// Failures in a row that make a target unhealthy, 2 to 10.
    #[arg(long, value_name = "NUMBER", default_value_t = 2)]
    pub(crate) alb_unhealthy_threshold_count: u32,

    /// How long the connections of a target that goes may run on, 1s to 3600s.
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    pub(crate) deregistration_delay_timeout: GoDuration,
}

/// Flags of kube-ingress-aws-controller that have another name or no effect here.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Old names, and flags without effect")]
pub(crate) struct RestArgs {
    /// The same as --log-level debug.
    #[arg(long)]
    pub(crate) debug: bool,

    /// The same as --log-level warn.
    #[arg(long)]
    pub(crate) quiet: bool,

    /// Ingresses are read as networking.k8s.io/v1; without effect.
    #[arg(long, value_name = "VERSION", default_value = "networking.k8s.io/v1")]
    pub(crate) ingress_api_version: String,

    /// Was for CloudFormation; without effect. At least 1m.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "5m",
        env = "CREATION_TIMEOUT"
    )]
    pub(crate) creation_timeout: GoDuration,

    /// Without effect.
    #[arg(long)]
    pub(crate) disable_instrumented_http_client: bool,
}
