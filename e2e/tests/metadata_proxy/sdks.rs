//! SDKs as they are, at a cold start: with nothing set but an endpoint they
//! fetch credentials by IMDSv2, and none of their time-outs is ever hit.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use aws_config::imds;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::ProvideCredentials;
use isthmus_e2e::{ACCOUNT, Fault, PATIENCE, REGION, Testbed};
use isthmus_runtime::http_client;

use crate::client::{Proxy, ROLE, identity, pod};

/// What an STS far away takes.
const STS: Duration = Duration::from_millis(300);

/// The proxy's own time-out, which is made for those of SDKs.
const DEFAULT: &str = "--answer-timeout=900ms";

/// The address that a client on loopback has by itself: that of the pod `sdk`.
const HERE: &str = "127.0.0.1";

/// A client that was written by others.
#[derive(Clone, Copy, Debug)]
enum Sdk {
    Rust,
    Boto3,
    JavaScript,
}

impl Sdk {
    /// Who AWS says the credentials are of, that this SDK got from the proxy;
    /// `None` if it cannot be had here.
    async fn identity(self, testbed: &Testbed, endpoint: &str) -> Result<Option<String>> {
        match self {
            Self::Rust => rust(testbed, endpoint).await.map(Some),
            Self::Boto3 => boto3(testbed, endpoint).await.map(Some),
            Self::JavaScript => {
                let env = environment(testbed, endpoint);
                let said = testbed.javascript("as_pod.mjs", &env).await?;
                said.map(|said| arn(&said)).transpose()
            }
        }
    }
}

fn environment<'a>(testbed: &'a Testbed, endpoint: &'a str) -> [(&'static str, &'a str); 5] {
    [
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint),
        ("AWS_ENDPOINT_URL", testbed.gate.bypass_url()),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("HOME", "/nonexistent"),
    ]
}

fn arn(said: &str) -> Result<String> {
    let found: serde_json::Value = serde_json::from_str(said)?;
    let arn = found["arn"].as_str().context("an ARN")?;
    Ok(arn.to_owned())
}

async fn rust(testbed: &Testbed, endpoint: &str) -> Result<String> {
    let http = ProviderConfig::default().with_http_client(http_client());
    let client = imds::Client::builder().configure(&http);
    let client = client.endpoint(endpoint).map_err(anyhow::Error::msg)?;
    let provider = imds::credentials::ImdsCredentialsProvider::builder()
        .imds_client(client.build())
        .build();
    identity(testbed, provider.provide_credentials().await?).await
}

async fn boto3(testbed: &Testbed, endpoint: &str) -> Result<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/emulators/as_pod.py");
    let output = tokio::process::Command::new(testbed.python().await?)
        .args([script, HERE])
        .env_clear()
        .envs(environment(testbed, endpoint))
        .output()
        .await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}{error}");
    arn(&said)
}

/// One cold start: an error if the SDK did not get them at its first attempt.
async fn cold_start(testbed: &Testbed, sdk: Sdk) -> Result<()> {
    // Nothing is fetched ahead: the SDK itself has to wait for STS.
    let flags = ["--imds-v2=required", "--prefetch=false", DEFAULT];
    let proxy = Proxy::start(testbed, &flags).await?;
    testbed.gate.clear();
    let endpoint = format!("http://{}", proxy.address);
    let Some(arn) = sdk.identity(testbed, &endpoint).await? else {
        return Ok(());
    };
    assert_eq!(
        arn,
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/role-sdk/shop.sdk")
    );
    ensure!(testbed.gate.calls_of("AssumeRole").len() == 1);
    let (_, metrics) = proxy.process.admin_page("/metrics").await?;
    let asked = |line: &&str| line.starts_with("isthmus_proxy_credentials_total");
    let counts: Vec<&str> = metrics
        .lines()
        .filter(asked)
        .filter(|line| !line.ends_with(" 0"))
        .collect();
    // A client that gave up would have asked again.
    ensure!(
        counts == [r#"isthmus_proxy_credentials_total{outcome="fetched"} 1"#],
        "{counts:?}"
    );
    let failed = metrics.lines().find(|line| {
        line.starts_with(r#"isthmus_proxy_answers_total{status="5"#) && !line.ends_with(" 0")
    });
    ensure!(failed.is_none(), "{failed:?}");
    Ok(())
}

async fn never_kept_waiting(sdk: Sdk) -> Result<()> {
    let testbed = Testbed::acquire().await?;
    testbed
        .apply_yaml(&pod("sdk", HERE, &[(ROLE, "role-sdk")]))
        .await?;
    testbed.gate.fault(Fault::delay("AssumeRole", STS).always());
    // A machine that is busy with other things may keep even the proxy waiting:
    // one of the rounds has to be as it should.
    let (start, mut errors) = (Instant::now(), Vec::new());
    while errors.len() < 4 || start.elapsed() < PATIENCE {
        match cold_start(&testbed, sdk).await {
            Ok(()) => return Ok(()),
            Err(error) => errors.push(format!("{error:#}")),
        }
    }
    bail!("{sdk:?}: {errors:?}")
}

#[tokio::test]
async fn the_sdk_for_rust_is_never_kept_waiting() -> Result<()> {
    never_kept_waiting(Sdk::Rust).await
}

#[tokio::test]
async fn boto3_is_never_kept_waiting() -> Result<()> {
    never_kept_waiting(Sdk::Boto3).await
}

#[tokio::test]
async fn the_sdk_for_javascript_is_never_kept_waiting() -> Result<()> {
    never_kept_waiting(Sdk::JavaScript).await
}
