//! STS through the SDK.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_sts::config::Builder;
use aws_sdk_sts::types::Tag;
use aws_sdk_sts::{Client, error::BuildError};
use futures::FutureExt;
use futures::future::BoxFuture;
use isthmus_core::ErrorClass;
use isthmus_runtime::{Aws, aws_message, error_class};
use jiff::Timestamp;
use metadata_proxy_core::{Credentials, Grant, Secret};

use super::{CredentialSource, SourceError};

/// The STS endpoint of the region, or the one that the environment names. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct StsClient {
    client: Arc<OnceLock<Client>>,
    session: Duration,
}

impl StsClient {
    /// Will ask for sessions of this length, once it is connected.
    pub(crate) fn new(session: Duration) -> Self {
        Self {
            client: Arc::default(),
            session,
        }
    }

    /// Region and the proxy's own credentials are known.
    pub(crate) fn connect(&self, aws: &Aws) {
        let config = Builder::from(&aws.sdk)
            .interceptor(aws.interceptor())
            .build();
        let _ = self.client.set(Client::from_conf(config));
    }

    async fn assume(self, grant: Arc<Grant>) -> Result<Credentials, SourceError> {
        let client = self.client.get().ok_or_else(|| SourceError {
            class: ErrorClass::Transient,
            message: "the start is not over".to_owned(),
        })?;
        let tags = tags(&grant).map_err(|error| invalid(&error.to_string()))?;
        let answer = client
            .assume_role()
            .role_arn(grant.role.as_str())
            .role_session_name(&grant.session_name)
            .duration_seconds(i32::try_from(self.session.as_secs()).unwrap_or(3600))
            .set_external_id(grant.external_id.clone())
            .set_tags(tags)
            .send()
            .await
            .map_err(|error| SourceError {
                class: error_class(&error),
                message: aws_message(&error),
            })?;
        let given = answer
            .credentials
            .ok_or_else(|| invalid("STS gave an answer without credentials"))?;
        let expires = Timestamp::from_second(given.expiration.secs())
            .map_err(|error| invalid(&error.to_string()))?;
        Ok(Credentials {
            access_key_id: Secret::new(given.access_key_id),
            secret_access_key: Secret::new(given.secret_access_key),
            session_token: Secret::new(given.session_token),
            expires,
        })
    }
}

fn tags(grant: &Grant) -> Result<Option<Vec<Tag>>, BuildError> {
    if grant.session_tags.is_empty() {
        return Ok(None);
    }
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    grant
        .session_tags
        .iter()
        .map(tag)
        .collect::<Result<_, _>>()
        .map(Some)
}

fn invalid(message: &str) -> SourceError {
    SourceError {
        class: ErrorClass::Invalid,
        message: message.to_owned(),
    }
}

impl CredentialSource for StsClient {
    fn credentials(
        &self,
        grant: Arc<Grant>,
    ) -> BoxFuture<'static, Result<Credentials, SourceError>> {
        self.clone().assume(grant).boxed()
    }
}
