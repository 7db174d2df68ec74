//! The flags, as they are written.

use isthmus_core::GoDuration;
use isthmus_runtime::ListenAddress;

/// The flags of kube-static-egress-controller, and those that are new.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to work on: aws, or noop, which judges the ConfigMaps and calls nothing.
    #[arg(long, value_name = "NAME", default_value = "aws")]
    pub(crate) provider: String,

    /// Availability zone to build a NAT gateway in (repeatable).
    #[arg(long, value_name = "ZONE")]
    pub(crate) aws_az: Vec<String>,

    /// Network of the NAT subnet (repeatable, in the order of --aws-az).
    #[arg(long, value_name = "CIDR")]
    pub(crate) aws_nat_cidr_block: Vec<String>,

    /// Existing Elastic IP to use (repeatable, in the order of --aws-az; none for a zone without).
    #[arg(long, value_name = "EIPALLOC")]
    pub(crate) eip_allocation_id: Vec<String>,

    /// Give Elastic IPs back that are no longer used, and lose them. Otherwise they are kept.
    #[arg(long)]
    pub(crate) release_eips: bool,

    /// Keep the NAT gateways, and pay for them, while no ConfigMap asks for anything. Otherwise they go.
    #[arg(long)]
    pub(crate) keep_nat_gateways: bool,

    /// VPC to work in; otherwise the only one, the one of this instance, the default one.
    #[arg(long, value_name = "VPC")]
    pub(crate) vpc_id: Option<String>,

    /// Prefix of the tag that marks what belongs to this cluster.
    #[arg(long, value_name = "PREFIX", default_value = isthmus_core::Ownership::DEFAULT_TAG_PREFIX)]
    pub(crate) cluster_id_tag_prefix: String,

    /// Value of the tag kubernetes:application that marks what belongs to this controller.
    #[arg(
        long,
        value_name = "ID",
        default_value = "kube-static-egress-controller"
    )]
    pub(crate) controller_id: String,

    /// Another tag for everything that is made, KEY=VALUE (repeatable).
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) additional_stack_tags: Vec<String>,

    /// Namespace whose ConfigMaps count; otherwise all.
    #[arg(long, value_name = "NAMESPACE", default_value = "")]
    pub(crate) namespace: String,

    /// How often everything is looked at again although nothing changed.
    #[arg(long, value_name = "DURATION", default_value = "5m", aliases = ["interval", "polling-interval"])]
    pub(crate) resync_interval: GoDuration,

    /// Shortest prefix that a ConfigMap may ask for.
    #[arg(long, value_name = "BITS", default_value_t = 8)]
    pub(crate) min_prefix_length: u8,

    /// How many networks a namespace may ask for; 0 for any number.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) max_cidrs_per_namespace: usize,

    /// How many routes the account's quota allows in a route table.
    #[arg(long, value_name = "NUMBER", default_value_t = 500)]
    pub(crate) max_routes_per_table: usize,

    /// Calls a second of each EC2 action that changes something. AWS allows an account five.
    #[arg(long, value_name = "NUMBER", default_value = "4")]
    pub(crate) aws_api_rate: String,

    #[command(flatten)]
    pub(crate) older: OlderArgs,
}

/// Flags of kube-static-egress-controller that mean something else here, or nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct OlderArgs {
    /// The older name of --metrics-address.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) address: Option<ListenAddress>,

    /// No effect: the cluster is that of --kubeconfig, KUBECONFIG or the pod.
    #[arg(long, value_name = "URL")]
    pub(crate) master: Vec<String>,

    /// No effect: the service account of the pod is used.
    #[arg(long)]
    pub(crate) use_platform_credentials: bool,

    /// No effect: the service account of the pod is used.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) credentials_dir: Option<String>,

    /// No effect: nothing is made by CloudFormation.
    #[arg(long, value_name = "BUCKET")]
    pub(crate) cf_template_bucket: Option<String>,

    /// No effect: nothing is made by CloudFormation.
    #[arg(long)]
    pub(crate) stack_termination_protection: bool,
}

impl OlderArgs {
    /// One sentence for each flag that is given and is not what it was.
    pub(crate) fn notes(&self) -> Vec<String> {
        let kubernetes =
            "has no effect: the cluster is that of --kubeconfig, KUBECONFIG or the pod";
        let stack = "has no effect: the EC2 API is used directly and no stack is made";
        let given = [
            (
                "--master",
                self.master.iter().any(|url| !url.is_empty()),
                kubernetes,
            ),
            (
                "--use-platform-credentials",
                self.use_platform_credentials,
                kubernetes,
            ),
            (
                "--credentials-dir",
                self.credentials_dir.is_some(),
                kubernetes,
            ),
            (
                "--cf-template-bucket",
                self.cf_template_bucket.is_some(),
                stack,
            ),
            (
                "--stack-termination-protection",
                self.stack_termination_protection,
                stack,
            ),
            (
                "--address",
                self.address.is_some(),
                "is the older name of --metrics-address and is used as such",
            ),
        ];
        let given = given.into_iter().filter(|(_, given, _)| *given);
        given
            .map(|(flag, _, note)| format!("{flag} {note}"))
            .collect()
    }
}
