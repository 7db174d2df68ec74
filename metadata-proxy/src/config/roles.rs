//! Roles, and how their credentials are held.

use std::time::Duration;

use isthmus_runtime::{CommonArgs, Problems};
use metadata_proxy_core::{CachePolicy, PatternFormat, RoleRules, SourceMode};

use super::{CredentialsConfig, Roles};
use crate::args::{FormatArg, RoleArgs, SourceArg};

/// [STS](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html)
/// gives sessions of 15 minutes to 12 hours.
const SESSIONS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(900)..=Duration::from_secs(12 * 3600);

pub(super) fn roles(args: &RoleArgs, common: &CommonArgs, problems: &mut Problems) -> Roles {
    if args.base_role_arn.is_some() && args.auto_discover_base_arn {
        problems.say(
            "auto-discover-base-arn",
            "cannot be used with --base-role-arn",
        );
    }
    if args.default_role.is_some() && args.auto_discover_default_role {
        problems.say(
            "auto-discover-default-role",
            "cannot be used with --default-role",
        );
    }
    let restrictions =
        args.namespace_restrictions
            .then_some(match args.namespace_restriction_format {
                FormatArg::Glob if args.namespace_glob_spans_slashes => PatternFormat::SpanningGlob,
                FormatArg::Glob => PatternFormat::Glob,
                FormatArg::Regexp => PatternFormat::Regexp,
            });
    let source = match args.credential_source {
        SourceArg::AssumeRole => SourceMode::AssumeRole,
        SourceArg::WebIdentity => SourceMode::WebIdentity,
    };
    if args.session_tags && source == SourceMode::WebIdentity {
        problems.say(
            "session-tags",
            "cannot be used with --credential-source=web-identity: AssumeRoleWithWebIdentity takes no tags",
        );
    }
    if args.token_audience.is_empty() {
        problems.push(
            "token-audience",
            "",
            "an audience, such as sts.amazonaws.com",
        );
    }
    let cluster = common.cluster_id.clone().unwrap_or_default();
    Roles {
        discover_base: args.base_role_arn.is_none()
            && (args.auto_discover_base_arn || args.auto_discover_default_role),
        discover_default: args.auto_discover_default_role,
        rules: RoleRules {
            base: args.base_role_arn.clone(),
            default_role: args.default_role.clone().filter(|role| !role.is_empty()),
            restrictions,
            session_tags: args.session_tags.then_some(cluster),
            source,
            audience: args.token_audience.clone(),
        },
        of_service_accounts: args.service_account_roles,
    }
}

pub(super) fn credentials(args: &RoleArgs, problems: &mut Problems) -> CredentialsConfig {
    let least = args.iam_role_session_ttl.0;
    let session = least.saturating_mul(2);
    if !SESSIONS.contains(&session) {
        problems.push(
            "iam-role-session-ttl",
            args.iam_role_session_ttl,
            "7m30s to 6h: half of what STS gives",
        );
    }
    let error_ttl = args.iam_role_error_ttl.0;
    CredentialsConfig {
        session,
        policy: CachePolicy {
            least,
            error_ttl: (!error_ttl.is_zero()).then_some(error_ttl),
        },
        prefetch: args.prefetch,
        kubelet_root: args.kubelet_root.clone(),
    }
}
