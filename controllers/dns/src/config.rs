//! The flags, found to be right.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use dns_core::{
    Affix, AliasIpv6, AliasOptions, Config, Limits, Policy, Registry, Source, TxtRegistry,
};
use isthmus_runtime::Problems;

use crate::args::{Args, AwsArgs, RecordArgs, RegistryArgs};

mod filters;
mod source;

/// What the flags say.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) decisions: Config,
    pub(crate) sources: BTreeSet<Source>,
    pub(crate) namespace: Option<String>,
    /// For the API server, which need not send what does not fulfil it.
    pub(crate) label_selector: String,
    pub(crate) resync: Duration,
    pub(crate) empty_target_grace: Duration,
    pub(crate) limits: Limits,
    pub(crate) batch_interval: Duration,
    pub(crate) rate: Rate,
    pub(crate) role: Option<Role>,
    /// Things to be said once at the start.
    pub(crate) notes: Vec<String>,
}

/// Requests a second, as thousandths, so that halves are possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate(pub(crate) NonZeroU32);

/// A role to take on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) arn: String,
    pub(crate) external_id: Option<String>,
}

impl Settings {
    pub(crate) fn new(args: Args, problems: &mut Problems) -> Option<Self> {
        let sources = source::sources(&args.source, problems);
        if args.provider != "aws" {
            problems.push("provider", &args.provider, "aws");
        }
        let policies = [Policy::Sync, Policy::UpsertOnly, Policy::CreateOnly];
        let policy = policies
            .into_iter()
            .find(|policy| policy.as_str() == args.policy);
        if policy.is_none() {
            problems.push("policy", &args.policy, "sync, upsert-only, create-only");
        }
        if args.interval.0 < Duration::from_secs(1) {
            problems.push("interval", args.interval, "1s or more");
        }
        let registry = registry(&args.registry, problems);
        let domains = filters::domains(&args.filter, problems);
        let zones = filters::zones(&args.filter, problems);
        let mut source = filters::source(&args.filter, problems);
        source::complete(&mut source, &args.source_options, problems);
        let types = filters::types(&args.record, problems);
        let alias = alias(&args.record, problems);
        let min_ttl = u32::try_from(args.record.min_ttl.0.as_secs())
            .ok()
            .filter(|ttl| *ttl <= i32::MAX as u32);
        if min_ttl.is_none() {
            problems.push("min-ttl", args.record.min_ttl, "at most 2147483647s");
        }
        let (limits, rate, role) = aws(&args.aws, problems);
        args.older.check(problems);
        if !problems.is_empty() {
            return None;
        }
        Some(Self {
            decisions: Config {
                policy: policy?,
                registry: registry?,
                types,
                domains,
                zones,
                source,
                alias: alias?,
                min_ttl: min_ttl.filter(|ttl| *ttl > 0),
            },
            sources,
            namespace: Some(args.filter.namespace).filter(|namespace| !namespace.is_empty()),
            label_selector: args.filter.label_filter,
            resync: args.interval.0,
            empty_target_grace: args.empty_target_grace.0,
            limits,
            batch_interval: args.aws.aws_batch_change_interval.0,
            rate: rate?,
            role,
            notes: args.older.notes(),
        })
    }
}

fn registry(args: &RegistryArgs, problems: &mut Problems) -> Option<Registry> {
    let RegistryArgs {
        txt_owner_id: owner,
        txt_prefix: prefix,
        txt_suffix: suffix,
        ..
    } = args;
    if owner.is_empty()
        || !owner
            .chars()
            .all(|c| c.is_ascii_graphic() && !matches!(c, ',' | '"' | '\\' | '='))
    {
        problems.push(
            "txt-owner-id",
            owner,
            "printable characters other than , \" \\ and =",
        );
    }
    if !prefix.is_empty() && !suffix.is_empty() {
        problems.push("txt-suffix", suffix, "a suffix or --txt-prefix, not both");
    }
    let wildcard = &args.txt_wildcard_replacement;
    for (flag, text) in [
        ("txt-prefix", prefix),
        ("txt-suffix", suffix),
        ("txt-wildcard-replacement", wildcard),
    ] {
        let plain = text.replace("%{record_type}", "");
        if !plain
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        {
            problems.push(
                flag,
                text,
                "letters, digits, '-', '_', '.' and %{record_type}",
            );
        }
    }
    match args.registry.as_str() {
        "txt" => Some(Registry::Txt(TxtRegistry {
            owner: owner.clone(),
            affix: Affix::new(prefix, suffix, wildcard),
        })),
        "noop" => Some(Registry::Noop),
        other => {
            problems.say(
                "registry",
                format_args!("{other:?} is not supported; allowed: txt, noop"),
            );
            None
        }
    }
}

fn alias(args: &RecordArgs, problems: &mut Problems) -> Option<AliasOptions> {
    let ipv6 = match args.alias_ipv6.as_str() {
        "always" => AliasIpv6::Always,
        "dualstack" => AliasIpv6::Dualstack,
        other => {
            problems.push("alias-ipv6", other, "always, dualstack");
            return None;
        }
    };
    Some(AliasOptions {
        prefer_cname: args.aws_prefer_cname,
        evaluate_target_health: args.aws_evaluate_target_health,
        ipv6,
    })
}

fn aws(args: &AwsArgs, problems: &mut Problems) -> (Limits, Option<Rate>, Option<Role>) {
    let most = Limits::default();
    let limits = Limits {
        changes: args.aws_batch_change_size,
        values: args.aws_batch_change_size_values,
        chars: args.aws_batch_change_size_bytes,
    };
    for (flag, value, most) in [
        ("aws-batch-change-size", limits.changes, most.changes),
        ("aws-batch-change-size-values", limits.values, most.values),
        ("aws-batch-change-size-bytes", limits.chars, most.chars),
    ] {
        if value == 0 || value > most {
            problems.push(flag, value, format_args!("1 to {most}"));
        }
    }
    let rate = rate(&args.aws_api_rate);
    if rate.is_none() {
        problems.push(
            "aws-api-rate",
            &args.aws_api_rate,
            "requests a second, 0.1 to 50",
        );
    }
    let role = Some(&args.aws_assume_role).filter(|arn| !arn.is_empty());
    if let Some(arn) = role.filter(|arn| !(arn.starts_with("arn:") && arn.contains(":role/"))) {
        problems.push("aws-assume-role", arn, "the ARN of a role");
    }
    let external_id = Some(args.aws_assume_role_external_id.clone()).filter(|id| !id.is_empty());
    if external_id.is_some() && role.is_none() {
        problems.push(
            "aws-assume-role-external-id",
            &args.aws_assume_role_external_id,
            "together with --aws-assume-role",
        );
    }
    let role = role.map(|arn| Role {
        arn: arn.clone(),
        external_id,
    });
    (limits, rate, role)
}

fn rate(text: &str) -> Option<Rate> {
    let number: f64 = text
        .strip_suffix("/s")
        .unwrap_or(text)
        .trim()
        .parse()
        .ok()?;
    if !(0.1..=50.0).contains(&number) {
        return None;
    }
    NonZeroU32::new((number * 1000.0) as u32).map(Rate)
}

#[cfg(test)]
mod tests;
