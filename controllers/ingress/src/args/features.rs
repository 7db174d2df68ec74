//! Flags for network load balancers, refused hosts, web ACLs and alarms.

/// Network load balancers.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Network load balancers")]
pub(crate) struct NlbArgs {
    /// Network load balancers listen on port 80 too.
    #[arg(long)]
    pub(crate) nlb_http_enabled: bool,

    /// Network load balancers send requests to the targets of all zones.
    #[arg(long)]
    pub(crate) nlb_cross_zone: bool,

    /// Where clients in the VPC are sent: to any zone, to their own, or mostly to their own.
    #[arg(
        long,
        value_name = "POLICY",
        default_value = "any_availability_zone",
        value_parser = [
            "any_availability_zone",
            "availability_zone_affinity",
            "partial_availability_zone_affinity",
        ],
    )]
    pub(crate) nlb_zone_affinity: String,

    /// Successes or failures in a row that make a target of a network load balancer healthy or unhealthy, 2 to 10.
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    pub(crate) nlb_healthy_threshold_count: u32,

    /// Another port of the targets for what came in on port 80 of a network load balancer; needs --nlb-http-enabled. 0: --target-port.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) nlb_http_target_port: u16,
}

/// Requests that load balancers refuse themselves.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Requests that are refused")]
pub(crate) struct DenialArgs {
    /// Refuse requests for --internal-domains.
    #[arg(long)]
    pub(crate) deny_internal_domains: bool,

    /// Hosts that are refused, with * and ?; repeatable.
    #[arg(long, value_name = "PATTERN", default_value = "*.cluster.local")]
    pub(crate) internal_domains: Vec<String>,

    /// Body of the answer, at most 1024 characters.
    #[arg(long, value_name = "TEXT", default_value = "Unauthorized")]
    pub(crate) deny_internal_domains_response: String,

    /// Content type of the answer: text/plain, text/css, text/html, application/javascript or application/json.
    #[arg(long, value_name = "TYPE", default_value = "text/plain")]
    pub(crate) deny_internal_domains_response_content_type: String,

    /// Status code of the answer, 2xx, 4xx or 5xx.
    #[arg(long, value_name = "CODE", default_value_t = 401)]
    pub(crate) deny_internal_domains_response_status_code: u16,

    /// A web ACL of WAF v2 for every application load balancer whose Ingresses do not say otherwise.
    #[arg(long, value_name = "ARN", default_value = "")]
    pub(crate) aws_waf_web_acl_id: String,
}
