//! The flags that say how Route 53 is called.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use dns_core::{Limits, ZoneId};
use isthmus_runtime::Problems;

use crate::args::AwsArgs;

/// Requests a second, as thousandths, so that halves are possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate(pub(crate) NonZeroU32);

/// A role to take on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Role {
    pub(crate) arn: String,
    pub(crate) external_id: Option<String>,
}

/// The roles to take on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roles {
    /// `--aws-assume-role`: for everything else.
    pub(crate) account: Option<Role>,
    /// `--zone-role`: for the calls about one zone.
    pub(crate) zones: BTreeMap<ZoneId, Role>,
}

pub(super) fn limits(args: &AwsArgs, problems: &mut Problems) -> Limits {
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
    limits
}

pub(super) fn rate(args: &AwsArgs, problems: &mut Problems) -> Option<Rate> {
    let text = &args.aws_api_rate;
    let number = text.strip_suffix("/s").unwrap_or(text).trim().parse();
    let rate = number
        .ok()
        .filter(|number: &f64| (0.1..=50.0).contains(number));
    if rate.is_none() {
        problems.push("aws-api-rate", text, "requests a second, 0.1 to 50");
    }
    NonZeroU32::new((rate? * 1000.0) as u32).map(Rate)
}

pub(super) fn roles(args: &AwsArgs, problems: &mut Problems) -> Roles {
    let id = &args.aws_assume_role_external_id;
    let external_id = Some(id.clone()).filter(|id| !id.is_empty());
    let is_role = |arn: &str| arn.starts_with("arn:") && arn.contains(":role/");
    let role = |arn: &str| Role {
        arn: arn.to_owned(),
        external_id: external_id.clone(),
    };
    let account = Some(&args.aws_assume_role).filter(|arn| !arn.is_empty());
    if let Some(arn) = account.filter(|arn| !is_role(arn)) {
        problems.push("aws-assume-role", arn, "the ARN of a role");
    }
    let mut zones = BTreeMap::new();
    for text in &args.zone_role {
        let (zone, arn) = text.split_once('=').unwrap_or_default();
        let id = ZoneId::new(zone);
        let is_id =
            !id.as_str().is_empty() && id.as_str().chars().all(|c| c.is_ascii_alphanumeric());
        if !is_id || !is_role(arn) {
            problems.push(
                "zone-role",
                text,
                "the id of a hosted zone, = and the ARN of a role",
            );
        } else if zones.insert(id, role(arn)).is_some() {
            problems.push("zone-role", text, "one role for a zone");
        }
    }
    if external_id.is_some() && account.is_none() && zones.is_empty() {
        let allowed = "together with --aws-assume-role or --zone-role";
        problems.push("aws-assume-role-external-id", id, allowed);
    }
    Roles {
        account: account.map(|arn| role(arn)),
        zones,
    }
}
