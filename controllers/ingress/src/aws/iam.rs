//! Server certificates of IAM through the SDK.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::ServerCertificateMetadata;
use ingress_core::Arn;
use isthmus_runtime::Aws;

use super::Result;
use super::limits::IamLimits;
use crate::chain::Chain;
use crate::error::AwsError;

/// A server certificate as it is listed.
#[derive(Clone, Debug)]
pub(super) struct ServerCertificate {
    pub(super) arn: Arn,
    pub(super) name: String,
    /// Unique over time: another certificate under an old name has another one.
    pub(super) id: String,
}

/// The client and its rate.
pub(crate) struct Iam {
    client: Client,
    limits: IamLimits,
}

impl Iam {
    pub(crate) fn new(aws: &Aws) -> Self {
        let config = aws_sdk_iam::config::Builder::from(&aws.sdk)
            .interceptor(aws.interceptor())
            .build();
        Self {
            client: Client::from_conf(config),
            limits: IamLimits::new(),
        }
    }

    /// All of the account, of every path.
    pub(super) async fn list(&self) -> Result<Vec<ServerCertificate>> {
        const OPERATION: &str = "ListServerCertificates";
        let mut found = Vec::new();
        let mut marker = None;
        loop {
            self.limits.read.turn().await;
            let page = self
                .client
                .list_server_certificates()
                .max_items(1000)
                .set_marker(marker)
                .send()
                .await
                .map_err(AwsError::of(OPERATION))?;
            found.extend(page.server_certificate_metadata_list().iter().map(listed));
            if !page.is_truncated() {
                return Ok(found);
            }
            marker = page.marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Err(AwsError::incomplete(OPERATION, "marker"));
            }
        }
    }

    /// The certificate and its chain; `None` if it is gone or cannot be read.
    pub(super) async fn chain(&self, name: &str) -> Result<Option<Chain>> {
        self.limits.read.turn().await;
        let answer = self
            .client
            .get_server_certificate()
            .server_certificate_name(name)
            .send()
            .await
            .map_err(AwsError::of("GetServerCertificate"));
        match answer {
            Ok(answer) => Ok(answer.server_certificate().and_then(|found| {
                let chain = found.certificate_chain().unwrap_or_default();
                Chain::from_pem(found.certificate_body(), chain)
            })),
            Err(error) if is_no_entity(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn has_tag(&self, name: &str, tag: &(String, String)) -> Result<bool> {
        const OPERATION: &str = "ListServerCertificateTags";
        let mut marker = None;
        loop {
            self.limits.read.turn().await;
            let page = self
                .client
                .list_server_certificate_tags()
                .server_certificate_name(name)
                .set_marker(marker)
                .send()
                .await
                .map_err(AwsError::of(OPERATION));
            let page = match page {
                Err(error) if is_no_entity(&error) => return Ok(false),
                page => page?,
            };
            let (key, value) = tag;
            if page
                .tags()
                .iter()
                .any(|tag| tag.key() == key && tag.value() == value)
            {
                return Ok(true);
            }
            marker = page
                .marker
                .filter(|marker| page.is_truncated && !marker.is_empty());
            if marker.is_none() {
                return Ok(false);
            }
        }
    }
}

/// IAM's word for "not found".
fn is_no_entity(error: &AwsError) -> bool {
    error.code.as_deref() == Some("NoSuchEntity") || error.is_not_found()
}

fn listed(metadata: &ServerCertificateMetadata) -> ServerCertificate {
    ServerCertificate {
        arn: Arn::new(metadata.arn()),
        name: metadata.server_certificate_name().to_owned(),
        id: metadata.server_certificate_id().to_owned(),
    }
}
