//! Which VPC, and what is in it.

use std::sync::OnceLock;

use egress_core::{Observed, Vpc};
use isthmus_runtime::ImdsClient;

use crate::aws::{Ec2, FoundVpc};
use crate::error::ObserveError;

/// Looks at EC2, always at the same VPC.
pub(crate) struct Observer {
    /// `--vpc-id`, or the one that was found: it does not change while the process
    /// lives, whatever VPCs come and go.
    vpc: OnceLock<String>,
    imds: ImdsClient,
}

impl Observer {
    pub(crate) fn new(vpc: Option<String>, imds: ImdsClient) -> Self {
        let chosen = OnceLock::new();
        if let Some(vpc) = vpc {
            let _ = chosen.set(vpc);
        }
        Self { vpc: chosen, imds }
    }

    /// Everything that matters, or an error: never a part of it.
    pub(crate) async fn observe(&self, ec2: &impl Ec2) -> Result<Observed, ObserveError> {
        let vpc = self.vpc(ec2).await?;
        ec2.observe(vpc).await
    }

    async fn vpc(&self, ec2: &impl Ec2) -> Result<Vpc, ObserveError> {
        if let Some(id) = self.vpc.get() {
            let found = ec2.vpcs(Some(id)).await?;
            let found = found.into_iter().find(|found| found.vpc.id == *id);
            let vpc = found.map(|found| found.vpc);
            return vpc
                .ok_or_else(|| ObserveError::Vpc(format!("{id} does not exist in this region")));
        }
        let mut found = ec2.vpcs(None).await?;
        if found.len() > 1
            && let Ok(id) = self.imds.vpc_id().await
            && found.iter().any(|one| one.vpc.id == id.trim())
        {
            found.retain(|one| one.vpc.id == id.trim());
        }
        let vpc = choose(found)?;
        tracing::info!(
            vpc = vpc.id,
            "working in this VPC, as --vpc-id does not say which"
        );
        let _ = self.vpc.set(vpc.id.clone());
        Ok(vpc)
    }
}

/// The only VPC, else the default one.
fn choose(mut found: Vec<FoundVpc>) -> Result<Vpc, ObserveError> {
    if found.len() > 1 && found.iter().any(|one| one.is_default) {
        found.retain(|one| one.is_default);
    }
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only.vpc),
        (None, _) => Err(ObserveError::Vpc(
            "there is no VPC in this region".to_owned(),
        )),
        (Some(_), false) => Err(ObserveError::Vpc(
            "there are several VPCs, none of them the default one or this instance's; set --vpc-id"
                .to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(all: &[(&str, bool)]) -> Vec<FoundVpc> {
        let one = |(id, is_default): &(&str, bool)| FoundVpc {
            vpc: Vpc {
                id: (*id).to_owned(),
                cidrs: Vec::new(),
            },
            is_default: *is_default,
        };
        all.iter().map(one).collect()
    }

    #[test]
    fn the_only_one_else_the_default_one() {
        let chosen = |all: &[(&str, bool)]| {
            choose(found(all))
                .map(|vpc| vpc.id)
                .map_err(|e| e.to_string())
        };
        assert_eq!(chosen(&[("vpc-1", false)]).unwrap(), "vpc-1");
        assert_eq!(
            chosen(&[("vpc-1", false), ("vpc-2", true)]).unwrap(),
            "vpc-2"
        );
        assert!(chosen(&[]).unwrap_err().contains("no VPC"));
        assert!(
            chosen(&[("vpc-1", false), ("vpc-2", false)])
                .unwrap_err()
                .contains("--vpc-id")
        );
    }
}
