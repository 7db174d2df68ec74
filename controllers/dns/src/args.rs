//! The flags, as they are written.

use isthmus_core::GoDuration;

mod older;
mod source;

pub(crate) use older::OlderArgs;
pub(crate) use source::SourceArgs;

/// The flags of external-dns for Route 53, and those that are new.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where names come from: ingress, service, skipper-routegroup or crd (repeatable).
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: Vec<String>,

    /// Where names go to: aws.
    #[arg(long, value_name = "NAME", default_value = "aws")]
    pub(crate) provider: String,

    /// What may be done to records: sync, upsert-only or create-only.
    #[arg(long, value_name = "POLICY", default_value = "upsert-only")]
    pub(crate) policy: String,

    /// How often all zones are read again although nothing changed.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "30m",
        alias = "polling-interval"
    )]
    pub(crate) interval: GoDuration,

    /// How long the records of an object stay whose load balancer has vanished from its status.
    #[arg(long, value_name = "DURATION", default_value = "2m")]
    pub(crate) empty_target_grace: GoDuration,

    #[command(flatten, next_help_heading = "Ownership")]
    pub(crate) registry: RegistryArgs,

    #[command(flatten, next_help_heading = "What counts")]
    pub(crate) filter: FilterArgs,

    #[command(flatten, next_help_heading = "What of single sources")]
    pub(crate) source_options: SourceArgs,

    #[command(flatten, next_help_heading = "Records")]
    pub(crate) record: RecordArgs,

    #[command(flatten, next_help_heading = "AWS")]
    pub(crate) aws: AwsArgs,

    #[command(flatten, next_help_heading = "Flags of external-dns without effect")]
    pub(crate) older: OlderArgs,
}

/// Who owns a record.
#[derive(Debug, clap::Args)]
pub(crate) struct RegistryArgs {
    /// Where ownership is written: txt, or noop, which takes every record for its own.
    #[arg(long, value_name = "NAME", default_value = "txt")]
    pub(crate) registry: String,

    /// The owner that is written into the registry. Each cluster that shares a zone needs its own.
    #[arg(long, value_name = "ID", default_value = "default")]
    pub(crate) txt_owner_id: String,

    /// What ownership records begin with; %{record_type} stands for the type.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) txt_prefix: String,

    /// What the first label of ownership records ends with; %{record_type} stands for the type.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) txt_suffix: String,

    /// What stands for * in the names of ownership records.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) txt_wildcard_replacement: String,

    /// Write ownership sealed with --txt-encrypt-aes-key.
    #[arg(long)]
    pub(crate) txt_encrypt_enabled: bool,

    /// Key that sealed ownership is read with, and written with if so asked: 32 characters, or the base64 of 32 bytes.
    /// Better given as ISTHMUS_TXT_ENCRYPT_AES_KEY from a Secret.
    #[arg(
        long,
        value_name = "KEY",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true
    )]
    pub(crate) txt_encrypt_aes_key: Secret,

    /// Owner whose records become ours where an object of this cluster asks for their names (repeatable).
    /// With --dry-run the plan lists them.
    #[arg(long, value_name = "ID", alias = "migrate-from-txt-owner")]
    pub(crate) adopt_from_owner: Vec<String>,
}

/// A value that no log line shows.
#[derive(Clone, Default)]
pub(crate) struct Secret(pub(crate) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Which objects, names and zones count.
#[derive(Debug, clap::Args)]
pub(crate) struct FilterArgs {
    /// Namespace whose objects count; otherwise all.
    #[arg(long, value_name = "NAMESPACE", default_value = "")]
    pub(crate) namespace: String,

    /// Ingress class that counts (repeatable); otherwise all.
    #[arg(long, value_name = "CLASS")]
    pub(crate) ingress_class: Vec<String>,

    /// Selector that an object's annotations must fulfil.
    #[arg(long, value_name = "SELECTOR", default_value = "")]
    pub(crate) annotation_filter: String,

    /// Selector that an object's labels must fulfil.
    #[arg(long, value_name = "SELECTOR", default_value = "")]
    pub(crate) label_filter: String,

    /// Do not look at the hostname annotation.
    #[arg(long)]
    pub(crate) ignore_hostname_annotation: bool,

    /// Do not look at the hosts in spec.tls.
    #[arg(long)]
    pub(crate) ignore_ingress_tls_spec: bool,

    /// Do not look at the hosts in spec.rules.
    #[arg(long)]
    pub(crate) ignore_ingress_rules_spec: bool,

    /// Domain that counts, with what is below it (repeatable); otherwise all.
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) domain_filter: Vec<String>,

    /// Domain that does not count (repeatable).
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) exclude_domains: Vec<String>,

    /// Regular expression of the names that count, in place of --domain-filter.
    #[arg(long, value_name = "REGEX", default_value = "")]
    pub(crate) regex_domain_filter: String,

    /// Regular expression of the names that do not count, in place of --exclude-domains.
    #[arg(long, value_name = "REGEX", default_value = "")]
    pub(crate) regex_domain_exclusion: String,

    /// Hosted zone that counts, by the end of its id (repeatable); otherwise all.
    #[arg(long, value_name = "ID")]
    pub(crate) zone_id_filter: Vec<String>,

    /// Kind of hosted zones that count: public or private; otherwise both.
    #[arg(long, value_name = "TYPE", default_value = "")]
    pub(crate) aws_zone_type: String,

    /// Tag that a hosted zone must have, KEY or KEY=VALUE (repeatable; all must be there).
    #[arg(long, value_name = "TAG")]
    pub(crate) aws_zone_tags: Vec<String>,

    /// Count zones above the domains of --domain-filter too.
    #[arg(long)]
    pub(crate) aws_zone_match_parent: bool,
}

/// What records look like.
#[derive(Debug, clap::Args)]
pub(crate) struct RecordArgs {
    /// Type of records that are managed (repeatable).
    #[arg(long, value_name = "TYPE", default_values = ["A", "AAAA", "CNAME"])]
    pub(crate) managed_record_types: Vec<String>,

    /// Type of records that are not managed (repeatable).
    #[arg(long, value_name = "TYPE")]
    pub(crate) exclude_record_types: Vec<String>,

    /// TTL of records whose object says none; 0s for 300 s.
    #[arg(long, value_name = "DURATION", default_value = "0s")]
    pub(crate) min_ttl: GoDuration,

    /// Make CNAMEs to AWS load balancers too.
    #[arg(long)]
    pub(crate) aws_prefer_cname: bool,

    /// Answer with an alias only while its target is healthy.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    pub(crate) aws_evaluate_target_health: bool,

    /// When an alias has an AAAA record beside its A: always, or for a load balancer that is known to be dualstack.
    #[arg(long, value_name = "WHEN", default_value = "always")]
    pub(crate) alias_ipv6: String,
}

/// How Route 53 is called.
#[derive(Debug, clap::Args)]
pub(crate) struct AwsArgs {
    /// Most requests a second to Route 53. AWS allows an account five, for everybody in it together: a fifth of
    /// this is used at first, and more only while much has to be done and AWS does not throttle.
    #[arg(long, value_name = "NUMBER", default_value = "4")]
    pub(crate) aws_api_rate: String,

    /// Role to take on for Route 53.
    #[arg(long, value_name = "ARN", default_value = "")]
    pub(crate) aws_assume_role: String,

    /// External id that the role asks for.
    #[arg(long, value_name = "ID", default_value = "")]
    pub(crate) aws_assume_role_external_id: String,

    /// Role to take on for one hosted zone, ZONE-ID=ROLE-ARN (repeatable). The zone may be another account's.
    #[arg(long, value_name = "ZONE=ROLE")]
    pub(crate) zone_role: Vec<String>,

    /// Follow changes until all servers of Route 53 have them, as isthmus_dns_insync_seconds; costs a few calls each.
    #[arg(long)]
    pub(crate) wait_for_insync: bool,

    /// Most changes in one request.
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    pub(crate) aws_batch_change_size: usize,

    /// Most characters in one request.
    #[arg(long, value_name = "NUMBER", default_value_t = 32_000)]
    pub(crate) aws_batch_change_size_bytes: usize,

    /// Most values in one request.
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    pub(crate) aws_batch_change_size_values: usize,

    /// Time between two requests that change the same zone.
    #[arg(long, value_name = "DURATION", default_value = "1s")]
    pub(crate) aws_batch_change_interval: GoDuration,
}
