//! The SDK's configuration, by the SDK's own conventions.

use std::time::Duration;

use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::whole::whole_answers;
use super::{CallMetrics, ImdsClient};
use crate::connect::chain;
use crate::{Metrics, StartError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(60);
const ATTEMPTS: u32 = 3;

/// Everything a component needs to talk to AWS.
#[derive(Clone, Debug)]
pub struct Aws {
    /// Region, endpoint, credentials, HTTP client, time limits and retries. Make
    /// each client from it **with the interceptor**, or its calls are not counted:
    /// `Client::from_conf(Builder::from(&aws.sdk).interceptor(aws.interceptor()).build())`.
    pub sdk: SdkConfig,
    /// The metadata of the instance this process runs on.
    pub imds: ImdsClient,
    region: String,
    calls: CallMetrics,
}

impl Aws {
    /// Reads region and credentials where the [SDK looks for them] and makes sure
    /// that both are there.
    ///
    /// Retries are the SDK's standard ones with three attempts: the adaptive mode
    /// hides throttling from the caller until the operation times out.
    ///
    /// [SDK looks for them]: https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
    ///
    /// # Errors
    ///
    /// No region or no credentials: one line with everything that was looked for.
    pub async fn connect(metrics: &Metrics) -> Result<Self, StartError> {
        let aws = Self::connect_unsigned(metrics).await?;
        check_credentials(&aws.sdk).await?;
        Ok(aws)
    }

    /// As [`Aws::connect`], for who makes calls alone that are not signed: whether
    /// there are credentials is not looked at.
    ///
    /// # Errors
    ///
    /// No region.
    pub async fn connect_unsigned(metrics: &Metrics) -> Result<Self, StartError> {
        crate::install_crypto();
        let sdk = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(whole_answers(http_client()))
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                    .operation_timeout(OPERATION_TIMEOUT)
                    .build(),
            )
            .load()
            .await;
        let Some(region) = sdk.region().map(ToString::to_string) else {
            return Err(StartError::new(
                "no AWS region: looked for AWS_REGION, AWS_DEFAULT_REGION, the region of the profile \
                 and the instance metadata",
            ));
        };
        let imds = ImdsClient::new(&ProviderConfig::default().with_http_client(http_client()));
        Ok(Self {
            sdk,
            imds,
            region,
            calls: CallMetrics::new(metrics.clone()),
        })
    }

    /// Counts and times what a client calls. Put it on every client.
    #[must_use]
    pub fn interceptor(&self) -> CallMetrics {
        self.calls.clone()
    }

    /// The region, such as `eu-central-1`.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }
}

/// The one HTTP client: rustls with ring, roots from the system.
#[must_use]
pub fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

async fn check_credentials(sdk: &SdkConfig) -> Result<(), StartError> {
    let nothing = "no AWS credentials: looked for AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the profile, \
                   AWS_WEB_IDENTITY_TOKEN_FILE, the container endpoint and the instance metadata";
    let Some(provider) = sdk.credentials_provider() else {
        return Err(StartError::new(nothing));
    };
    match provider.provide_credentials().await {
        Ok(_) => Ok(()),
        Err(CredentialsError::CredentialsNotLoaded(_)) => Err(StartError::new(nothing)),
        Err(error) => Err(StartError::new(format_args!(
            "AWS credentials cannot be loaded: {}",
            chain(&error)
        ))),
    }
}
