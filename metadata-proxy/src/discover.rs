//! What the flags leave to the instance profile: base ARN and default role.

use std::time::Duration;

use isthmus_runtime::StartError;
use metadata_proxy_core::{BaseArn, RoleRules};
use tokio::time::Instant;

use crate::config::Roles;
use crate::imds::{Imds, ImdsError};

const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(500);

/// The rules, completed.
pub(crate) async fn rules(roles: &Roles, imds: &Imds) -> Result<RoleRules, StartError> {
    let mut rules = roles.rules.clone();
    if roles.discover_base {
        let base = patiently("--auto-discover-base-arn", || base_arn(imds)).await?;
        tracing::info!(base = base.as_str(), "base ARN of the instance profile");
        rules.base = Some(base);
    }
    if roles.discover_default {
        let role = patiently("--auto-discover-default-role", || node_role(imds)).await?;
        tracing::info!(role, "the node's role is the default role");
        rules.default_role = Some(role);
    }
    Ok(rules)
}

async fn base_arn(imds: &Imds) -> Result<BaseArn, ImdsError> {
    let info = imds.text("/latest/meta-data/iam/info").await?;
    let json: serde_json::Value = serde_json::from_str(&info).unwrap_or_default();
    let profile = json
        .get("InstanceProfileArn")
        .and_then(|arn| arn.as_str())
        .unwrap_or_default();
    BaseArn::of_instance_profile(profile).map_err(|_| {
        ImdsError::Unavailable(format!(
            "InstanceProfileArn {profile:?} is no instance profile's ARN"
        ))
    })
}

async fn node_role(imds: &Imds) -> Result<String, ImdsError> {
    let list = imds
        .text("/latest/meta-data/iam/security-credentials/")
        .await?;
    let first = list.lines().next().unwrap_or_default();
    if first.is_empty() {
        return Err(ImdsError::Absent("role".to_owned()));
    }
    Ok(first.to_owned())
}

/// The instance metadata may come a little later than the node's first pods.
async fn patiently<T, F>(flag: &str, ask: impl Fn() -> F) -> Result<T, StartError>
where
    F: Future<Output = Result<T, ImdsError>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Ok(found) => return Ok(found),
            Err(error) if Instant::now() + PAUSE >= deadline => {
                return Err(StartError::new(format_args!("{flag}: {error}")));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
