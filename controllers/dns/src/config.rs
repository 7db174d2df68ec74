//! The flags, found to be right.

use std::collections::BTreeSet;
use std::time::Duration;

use dns_core::{AliasIpv6, AliasOptions, Config, Limits, Policy, Source, ZoneId};
use isthmus_runtime::Problems;

use crate::args::{Args, RecordArgs};

mod aws;
mod filters;
mod registry;
mod source;

pub(crate) use aws::{Rate, Role, Roles};

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
    pub(crate) roles: Roles,
    /// Whether changes are followed until all servers have them.
    pub(crate) follows_changes: bool,
    /// Things to be said once at the start.
    pub(crate) notes: Vec<String>,
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
        let registry = registry::registry(&args.registry, problems);
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
        let limits = aws::limits(&args.aws, problems);
        let rate = aws::rate(&args.aws, problems);
        let roles = aws::roles(&args.aws, problems);
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
            roles,
            follows_changes: args.aws.wait_for_insync,
            notes: args.older.notes(),
        })
    }
}

impl Settings {
    /// Whether the account's hosted zones have to be listed: not if the filter
    /// names nothing but zones that have a role of their own.
    pub(crate) fn lists_account(&self) -> bool {
        let ids = &self.decisions.zones.ids;
        let known = |id: &String| self.roles.zones.contains_key(&ZoneId::new(id));
        ids.is_empty() || !ids.iter().all(known)
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

#[cfg(test)]
mod tests;
