//! Flags of external-dns that are taken without effect, and those that are refused.

use isthmus_runtime::Problems;

/// Flags that tune what is done another way here, and those that change what
/// is published and are not there: those are refused, for a record would be
/// missing or wrong without them.
#[derive(Debug, clap::Args)]
pub(crate) struct OlderArgs {
    /// No effect: changes are always acted on as they happen.
    #[arg(long)]
    pub(crate) events: bool,
    /// No effect: changes are collected for about a second.
    #[arg(long, value_name = "DURATION")]
    pub(crate) min_event_sync_interval: Option<String>,
    /// No effect: what was read is remembered.
    #[arg(long, value_name = "DURATION")]
    pub(crate) txt_cache_interval: Option<String>,
    /// No effect: what was read is remembered.
    #[arg(long, value_name = "DURATION")]
    pub(crate) provider_cache_time: Option<String>,
    /// No effect: zones are read at the resync.
    #[arg(long, value_name = "DURATION")]
    pub(crate) aws_zones_cache_duration: Option<String>,
    /// No effect: the rate of --aws-api-rate decides.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) aws_api_retries: Option<String>,
    /// No effect: both prefixes are read.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) annotation_prefix: Option<String>,
    /// No effect: both prefixes are read.
    #[arg(long)]
    pub(crate) enable_legacy_annotation_prefix: bool,
    /// No effect: Events are always sent.
    #[arg(long, value_name = "REASON")]
    pub(crate) events_emit: Vec<String>,
    /// No effect: the cluster is that of --kubeconfig, KUBECONFIG or the pod.
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// No effect.
    #[arg(long, value_name = "DURATION")]
    pub(crate) request_timeout: Option<String>,
    /// No effect.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) kube_api_qps: Option<String>,
    /// No effect.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) kube_api_burst: Option<String>,
    /// No effect.
    #[arg(long, value_name = "DURATION")]
    pub(crate) kube_api_request_timeout: Option<String>,

    #[command(flatten)]
    pub(crate) refused: RefusedArgs,
}

macro_rules! refused {
    ($($field:ident: $kind:ty => $flag:literal, $why:literal;)*) => {
        /// Flags that change what is published, and that are not there.
        #[derive(Debug, clap::Args)]
        pub(crate) struct RefusedArgs {
            $(#[arg(long, hide = true)] pub(crate) $field: $kind,)*
        }

        impl RefusedArgs {
            /// A problem for each that is given.
            pub(crate) fn check(&self, problems: &mut Problems) {
                $(if self.$field != <$kind>::default() {
                    problems.say($flag, $why);
                })*
            }
        }
    };
}

refused! {
    force_default_targets: bool => "force-default-targets", "is not supported";
    aws_profile: Vec<String> => "aws-profile", "is not supported; use AWS_PROFILE, or --aws-assume-role";
    prefer_alias: bool => "prefer-alias", "is not supported; use the annotation alias";
    compatibility: Option<String> => "compatibility", "is not supported";
    fqdn_template: Option<String> => "fqdn-template", "is not supported";
    combine_fqdn_annotation: bool => "combine-fqdn-annotation", "is not supported";
    target_template: Option<String> => "target-template", "is not supported";
    fqdn_target_template: Option<String> => "fqdn-target-template", "is not supported";
    target_net_filter: Vec<String> => "target-net-filter", "is not supported";
    exclude_target_net: Vec<String> => "exclude-target-net", "is not supported";
    resolve_service_load_balancer_hostname: bool => "resolve-service-load-balancer-hostname", "is not supported";
    exclude_unschedulable: Option<bool> => "exclude-unschedulable", "is not supported";
    create_ptr: bool => "create-ptr", "is not supported";
    nat64_networks: Vec<String> => "nat64-networks", "is not supported";
    dynamodb_table: Option<String> => "dynamodb-table", "is not supported; use --registry=txt";
    dynamodb_region: Option<String> => "dynamodb-region", "is not supported; use --registry=txt";
    crd_registry_namespace: Option<String> => "crd-registry-namespace", "is not supported; use --registry=txt";
}

impl OlderArgs {
    /// One sentence for each flag that is given and has no effect.
    pub(crate) fn notes(&self) -> Vec<String> {
        let given = [
            (
                "events",
                self.events,
                "changes are always acted on as they happen",
            ),
            (
                "min-event-sync-interval",
                self.min_event_sync_interval.is_some(),
                "changes are collected for about a second",
            ),
            (
                "txt-cache-interval",
                self.txt_cache_interval.is_some(),
                "what was read is remembered",
            ),
            (
                "provider-cache-time",
                self.provider_cache_time.is_some(),
                "what was read is remembered",
            ),
            (
                "aws-zones-cache-duration",
                self.aws_zones_cache_duration.is_some(),
                "zones are read at the resync",
            ),
            (
                "aws-api-retries",
                self.aws_api_retries.is_some(),
                "--aws-api-rate decides",
            ),
            (
                "annotation-prefix",
                self.annotation_prefix.is_some(),
                "both prefixes of annotations are read",
            ),
            (
                "enable-legacy-annotation-prefix",
                self.enable_legacy_annotation_prefix,
                "both prefixes of annotations are read",
            ),
            (
                "events-emit",
                !self.events_emit.is_empty(),
                "Events are always sent",
            ),
            (
                "server",
                self.server.is_some(),
                "the cluster is that of --kubeconfig, KUBECONFIG or the pod",
            ),
            (
                "request-timeout",
                self.request_timeout.is_some(),
                "the Kubernetes client has its own limits",
            ),
            (
                "kube-api-qps",
                self.kube_api_qps.is_some(),
                "the Kubernetes client has its own limits",
            ),
            (
                "kube-api-burst",
                self.kube_api_burst.is_some(),
                "the Kubernetes client has its own limits",
            ),
            (
                "kube-api-request-timeout",
                self.kube_api_request_timeout.is_some(),
                "the Kubernetes client has its own limits",
            ),
        ];
        let given = given.into_iter().filter(|(_, given, _)| *given);
        given
            .map(|(flag, _, why)| format!("--{flag} has no effect: {why}"))
            .collect()
    }

    /// Problems for what cannot be taken without effect.
    pub(crate) fn check(&self, problems: &mut Problems) {
        if let Some(prefix) = self
            .annotation_prefix
            .as_deref()
            .filter(|prefix| !dns_core::PREFIXES.contains(prefix))
        {
            problems.push(
                "annotation-prefix",
                prefix,
                format_args!("{} (both are read)", dns_core::PREFIXES.join(", ")),
            );
        }
        self.refused.check(problems);
    }
}
