//! Cluster and VPC, where the flags do not name them.

use isthmus_runtime::{ImdsClient, ImdsError, StartError};

use crate::aws::Vpc;
use crate::config::Config;

/// The configuration of the decisions, with the cluster and the VPC of the flags
/// or of the instance that this runs on.
pub(crate) async fn decisions(
    config: &Config,
    imds: &ImdsClient,
    ec2: &impl Vpc,
) -> Result<ingress_core::Config, StartError> {
    let cluster = match &config.cluster_id {
        Some(id) => id.clone(),
        None => cluster_id(imds, ec2).await?,
    };
    let vpc = match &config.vpc {
        Some(id) => id.clone(),
        None => imds.vpc_id().await.map_err(|error| {
            StartError::new(format_args!("no VPC: --vpc-id is not given, and {error}"))
        })?,
    };
    tracing::info!(cluster, vpc, "working for");
    Ok(config.decisions(&cluster, &vpc))
}

/// From the tags of the instance: those that it sees itself, else as EC2 has them.
async fn cluster_id(imds: &ImdsClient, ec2: &impl Vpc) -> Result<String, StartError> {
    let missing = |why: &dyn std::fmt::Display| {
        StartError::new(format_args!(
            "no cluster id: --cluster-id is not given, and {why}"
        ))
    };
    match imds.cluster_id().await {
        Ok(id) => return Ok(id),
        Err(ImdsError::Absent(_)) => {}
        Err(error) => return Err(missing(&error)),
    }
    let instance = imds.instance_id().await.map_err(|error| missing(&error))?;
    match ec2.cluster_of(&instance).await {
        Ok(Some(id)) => Ok(id),
        Ok(None) => Err(missing(&format_args!(
            "the instance {instance} has no tag kubernetes.io/cluster/<id>"
        ))),
        Err(error) => Err(missing(&error)),
    }
}
