use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};

use super::*;
use crate::aws::{aws_message, error_class, http_client};
use crate::testing::FakeServer;

const WHO: &str = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
    <GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";

fn refusal(code: &str) -> String {
    format!(
        "<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
    )
}

/// No answer takes that long, on however busy a machine.
const PATIENT: Duration = Duration::from_secs(60);

fn client(server: &FakeServer, metrics: &Metrics, credentials: bool) -> aws_sdk_sts::Client {
    client_that_waits(server, metrics, credentials, PATIENT)
}

fn client_that_waits(
    server: &FakeServer,
    metrics: &Metrics,
    credentials: bool,
    attempt: Duration,
) -> aws_sdk_sts::Client {
    crate::install_crypto();
    let keys = Credentials::new("AKIDEXAMPLE", "not-a-secret", None, None, "test");
    let mut sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-central-1"))
        .endpoint_url(format!("http://{}", server.address))
        .http_client(http_client())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
        .timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(attempt)
                .build(),
        );
    if credentials {
        sdk = sdk.credentials_provider(SharedCredentialsProvider::new(keys));
    }
    let config = aws_sdk_sts::config::Builder::from(&sdk.build())
        .interceptor(CallMetrics::new(metrics.clone()));
    aws_sdk_sts::Client::from_conf(config.build())
}

fn has(metrics: &Metrics, line: &str) {
    let text = metrics.render();
    assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
}

#[tokio::test]
async fn every_attempt_is_counted_with_its_outcome() {
    let calls = AtomicUsize::new(0);
    let server = FakeServer::start(move |_| {
        Some(match calls.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => (400, refusal("Throttling")),
            _ => (200, WHO.to_owned()),
        })
    })
    .await;
    let metrics = Metrics::new();
    let who = client(&server, &metrics, true)
        .get_caller_identity()
        .send()
        .await;
    assert_eq!(who.unwrap().account(), Some("123456789012"));
    let labels = r#"operation="GetCallerIdentity""#;
    has(
        &metrics,
        &format!(r#"isthmus_aws_requests_total{{{labels},outcome="throttled",service="sts"}} 2"#),
    );
    has(
        &metrics,
        &format!(r#"isthmus_aws_requests_total{{{labels},outcome="ok",service="sts"}} 1"#),
    );
    has(
        &metrics,
        &format!(r#"isthmus_aws_request_duration_seconds_count{{{labels},service="sts"}} 3"#),
    );
    has(&metrics, r#"isthmus_aws_throttles_total{service="sts"} 2"#);
}

#[tokio::test]
async fn refusals_and_silence_are_told_apart() {
    let metrics = Metrics::new();
    let denies = FakeServer::start(|_| Some((403, refusal("AccessDenied")))).await;
    let error = client(&denies, &metrics, true)
        .get_caller_identity()
        .send()
        .await
        .unwrap_err();
    assert_eq!(error_class(&error), ErrorClass::Denied);
    assert_eq!(aws_message(&error), "AccessDenied: no");
    has(
        &metrics,
        r#"isthmus_aws_requests_total{operation="GetCallerIdentity",outcome="denied",service="sts"} 1"#,
    );

    let silent = FakeServer::start(|_| None).await;
    let error = client_that_waits(&silent, &metrics, true, Duration::from_millis(200))
        .get_caller_identity()
        .send()
        .await
        .unwrap_err();
    assert_eq!(error_class(&error), ErrorClass::Transient);
    has(
        &metrics,
        r#"isthmus_aws_requests_total{operation="GetCallerIdentity",outcome="transient",service="sts"} 3"#,
    );
}

#[tokio::test]
async fn what_never_left_is_not_counted() {
    let server = FakeServer::start(|_| Some((200, WHO.to_owned()))).await;
    let metrics = Metrics::new();
    let sent = client(&server, &metrics, false)
        .get_caller_identity()
        .send()
        .await;
    assert!(sent.is_err());
    assert!(server.asked().is_empty());
    assert!(!metrics.render().contains("isthmus_aws_requests_total{"));
}

#[test]
fn codes_are_found_in_every_protocol() {
    assert_eq!(
        code_in(&refusal("DependencyViolation")).as_deref(),
        Some("DependencyViolation")
    );
    let json = r#"{"__type":"com.amazonaws.acm#ThrottlingException","message":"slow"}"#;
    assert_eq!(
        code_in(json).as_deref().map(bare),
        Some("ThrottlingException")
    );
    assert_eq!(
        bare("ValidationException:http://internal/"),
        "ValidationException"
    );
    assert_eq!(code_in("<html>502</html>"), None);
}
