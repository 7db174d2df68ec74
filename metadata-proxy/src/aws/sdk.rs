//! STS through the SDK.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_sts::Client;
use aws_sdk_sts::config::Builder;
use aws_sdk_sts::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_sts::types::{PolicyDescriptorType, Tag};
use futures::FutureExt;
use futures::future::BoxFuture;
use isthmus_core::ErrorClass;
use isthmus_runtime::{Aws, aws_message, error_class};
use jiff::Timestamp;
use metadata_proxy_core::{Credentials, Grant, Identity, Secret};

use super::{CredentialSource, SourceError};
use crate::pod_tokens::PodTokens;

/// The STS endpoint of the region, or the one that the environment names. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct StsClient {
    client: Arc<OnceLock<Client>>,
    session: Duration,
    tokens: Arc<PodTokens>,
}

impl StsClient {
    /// Will ask for sessions of this length, once it is connected.
    pub(crate) fn new(session: Duration, tokens: Arc<PodTokens>) -> Self {
        Self {
            client: Arc::default(),
            session,
            tokens,
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
            no_token: false,
            message: "the start is not over".to_owned(),
        })?;
        let given = match &grant.identity {
            Identity::Node => self.by_node(client, &grant).await?,
            Identity::Pod { .. } => self.by_pod(client, &grant).await?,
        };
        let given = given.ok_or_else(|| invalid("STS gave an answer without credentials"))?;
        let expires = Timestamp::from_second(given.expiration.secs())
            .map_err(|error| invalid(&error.to_string()))?;
        Ok(Credentials {
            access_key_id: Secret::new(given.access_key_id),
            secret_access_key: Secret::new(given.secret_access_key),
            session_token: Secret::new(given.session_token),
            expires,
        })
    }

    /// [`AssumeRole`](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html)
    async fn by_node(&self, client: &Client, grant: &Grant) -> Result<Given, SourceError> {
        let tags = tags(grant).map_err(|error| invalid(&error.to_string()))?;
        let answer = client
            .assume_role()
            .role_arn(grant.role.as_str())
            .role_session_name(&grant.session_name)
            .duration_seconds(self.seconds())
            .set_policy_arns(policies(grant))
            .set_external_id(grant.external_id.clone())
            .set_tags(tags)
            .send()
            .await;
        Ok(answer.map_err(|error| failed(&error))?.credentials)
    }

    /// [`AssumeRoleWithWebIdentity`](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html),
    /// which is not signed and takes neither tags nor an external id.
    async fn by_pod(&self, client: &Client, grant: &Grant) -> Result<Given, SourceError> {
        let token = self.tokens.token(grant).await?;
        let answer = client
            .assume_role_with_web_identity()
            .role_arn(grant.role.as_str())
            .role_session_name(&grant.session_name)
            .duration_seconds(self.seconds())
            .set_policy_arns(policies(grant))
            .web_identity_token(token.expose())
            .send()
            .await;
        Ok(answer.map_err(|error| failed(&error))?.credentials)
    }

    fn seconds(&self) -> i32 {
        i32::try_from(self.session.as_secs()).unwrap_or(3600)
    }
}

type Given = Option<aws_sdk_sts::types::Credentials>;

fn failed<E: ProvideErrorMetadata>(error: &SdkError<E>) -> SourceError {
    SourceError {
        class: error_class(error),
        no_token: false,
        message: aws_message(error),
    }
}

fn policies(grant: &Grant) -> Option<Vec<PolicyDescriptorType>> {
    let policy = |arn: &str| PolicyDescriptorType::builder().arn(arn).build();
    (!grant.policy_arns.is_empty()).then(|| grant.policy_arns.iter().map(policy).collect())
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
        no_token: false,
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
