//! What the instance says about itself.

use aws_config::imds::client::error::ImdsError as SdkImdsError;
use aws_config::provider_config::ProviderConfig;
use isthmus_core::Ownership;

use crate::connect::chain;

/// A client of the [instance metadata service], version 2. It honours
/// `AWS_EC2_METADATA_SERVICE_ENDPOINT` and `AWS_EC2_METADATA_DISABLED`.
///
/// [instance metadata service]: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-metadata.html
#[derive(Clone, Debug)]
pub struct ImdsClient {
    client: Option<aws_config::imds::Client>,
}

/// Why the instance metadata gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImdsError {
    /// The service answered that it does not have this.
    #[error("the instance metadata has no {0}")]
    Absent(String),
    /// Switched off by `AWS_EC2_METADATA_DISABLED`.
    #[error("the instance metadata is switched off by AWS_EC2_METADATA_DISABLED")]
    Disabled,
    /// No answer, or one that is none.
    #[error("the instance metadata cannot be read: {0}")]
    Unreachable(String),
}

impl ImdsClient {
    /// A client with the HTTP client and environment of `config`.
    #[must_use]
    pub fn new(config: &ProviderConfig) -> Self {
        let disabled = std::env::var("AWS_EC2_METADATA_DISABLED")
            .is_ok_and(|value| value.eq_ignore_ascii_case("true"));
        let client = aws_config::imds::Client::builder()
            .configure(config)
            .build();
        Self {
            client: (!disabled).then_some(client),
        }
    }

    /// The text at a path such as `/latest/meta-data/instance-id`.
    ///
    /// # Errors
    ///
    /// [`ImdsError`]; `Absent` for a path that is not there.
    pub async fn get(&self, path: &str) -> Result<String, ImdsError> {
        let client = self.client.as_ref().ok_or(ImdsError::Disabled)?;
        match client.get(path).await {
            Ok(text) => Ok(text.into()),
            Err(SdkImdsError::ErrorResponse(answer))
                if answer.response().status().as_u16() == 404 =>
            {
                Err(ImdsError::Absent(path.to_owned()))
            }
            Err(error) => Err(ImdsError::Unreachable(chain(&error))),
        }
    }

    /// The region of the instance.
    ///
    /// # Errors
    ///
    /// As [`ImdsClient::get`].
    pub async fn region(&self) -> Result<String, ImdsError> {
        self.get("/latest/meta-data/placement/region").await
    }

    /// The id of the instance, `i-…`.
    ///
    /// # Errors
    ///
    /// As [`ImdsClient::get`].
    pub async fn instance_id(&self) -> Result<String, ImdsError> {
        self.get("/latest/meta-data/instance-id").await
    }

    /// The VPC of the instance's first network interface.
    ///
    /// # Errors
    ///
    /// As [`ImdsClient::get`].
    pub async fn vpc_id(&self) -> Result<String, ImdsError> {
        let mac = self.get("/latest/meta-data/mac").await?;
        let path = format!(
            "/latest/meta-data/network/interfaces/macs/{}/vpc-id",
            mac.trim()
        );
        self.get(&path).await
    }

    /// The cluster id from a tag of the instance, `kubernetes.io/cluster/<id>`.
    ///
    /// An instance shows its tags here only where that was allowed, and EC2
    /// refuses to allow it while a tag key has a [`/` in it]: expect `Absent` on
    /// real instances and read the tags of [`ImdsClient::instance_id`] through
    /// the EC2 API then.
    ///
    /// [`/` in it]: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/work-with-tags-in-IMDS.html
    ///
    /// # Errors
    ///
    /// As [`ImdsClient::get`]; `Absent` also if there is no such tag.
    pub async fn cluster_id(&self) -> Result<String, ImdsError> {
        let keys = self.get("/latest/meta-data/tags/instance").await?;
        cluster_id_among(&keys)
            .map(str::to_owned)
            .ok_or_else(|| ImdsError::Absent("tag kubernetes.io/cluster/<id>".to_owned()))
    }
}

fn cluster_id_among(keys: &str) -> Option<&str> {
    keys.lines()
        .filter_map(|key| key.trim().strip_prefix(Ownership::DEFAULT_TAG_PREFIX))
        .find(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_is_in_a_tag_key() {
        let keys = "Name\nkubernetes.io/cluster/aws:1:eu:kube-1\nType";
        assert_eq!(cluster_id_among(keys), Some("aws:1:eu:kube-1"));
        assert_eq!(cluster_id_among("Name\nkubernetes.io/cluster/\n"), None);
    }
}
