//! The cluster's id, where no flag gives it.

use isthmus_core::Ownership;
use isthmus_runtime::{Aws, StartError};

use crate::aws::SdkEc2;

/// The id from the tag `kubernetes.io/cluster/<id>` of the instance this process
/// runs on: from the instance metadata, or from EC2, since the metadata never
/// shows a tag key with a `/` in it on real instances.
pub(crate) async fn cluster_id(aws: &Aws, ec2: &SdkEc2) -> Result<String, StartError> {
    if let Ok(id) = aws.imds.cluster_id().await {
        return Ok(id);
    }
    let prefix = Ownership::DEFAULT_TAG_PREFIX;
    let missing = |why: &dyn std::fmt::Display| {
        StartError::new(format_args!(
            "no --cluster-id, and the instance does not tell it: {why}"
        ))
    };
    let instance = aws.imds.instance_id().await;
    let instance = instance.map_err(|error| missing(&error))?;
    let found = ec2.cluster_id(instance.trim(), prefix).await;
    let found = found.map_err(|error| missing(&error))?;
    found.ok_or_else(|| missing(&format_args!("{instance} has no tag {prefix}ID")))
}
