//! STS on a bad day, and SDKs as they are.

use std::time::Duration;

use anyhow::{Result, ensure};
use aws_config::imds;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::ProvideCredentials;
use isthmus_e2e::{ACCOUNT, Fault, PATIENCE, Testbed};
use isthmus_runtime::http_client;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams};

use crate::client::{A, B, LIST, PROXY, Proxy, ROLE, identity, listening, pod, pods, until};

#[tokio::test]
async fn fifty_cold_requests_make_one_call_of_sts() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    let proxy = Proxy::start(&testbed, &["--prefetch=false"]).await?;
    assert!(testbed.gate.calls().is_empty(), "nothing is fetched ahead");
    testbed
        .gate
        .fault(Fault::delay("AssumeRole", Duration::from_millis(300)));
    let path = format!("{LIST}role-a");
    let replies = futures::future::try_join_all((0..50).map(|_| proxy.get(A, &path))).await?;
    assert!(
        replies
            .iter()
            .all(|reply| reply.status == 200 && reply.body == replies[0].body),
        "{:?}",
        replies[0]
    );
    assert_eq!(testbed.gate.calls_of("AssumeRole").len(), 1);
    Ok(())
}

/// N20: a pod is answered before STS is.
#[tokio::test]
async fn a_slow_sts() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    let proxy = Proxy::start(&testbed, &["--prefetch=false", "--answer-timeout=900ms"]).await?;
    testbed.gate.fault(Fault::held("AssumeRole"));
    let path = format!("{LIST}role-a");
    let slow = proxy.get(A, &path).await?;
    assert_eq!(slow.status, 503);
    assert!(slow.head.contains("retry-after: 1"), "{}", slow.head);
    testbed.gate.clear_faults();
    until("the call has ended", async || {
        Ok(proxy.status(A, &path).await? == 200)
    })
    .await?;
    assert_eq!(
        testbed.gate.calls_of("AssumeRole").len(),
        1,
        "it was not begun anew"
    );
    Ok(())
}

/// N21: a denial is remembered for as long as the flag says.
#[tokio::test]
async fn a_denying_sts() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    let proxy = Proxy::start(&testbed, &["--prefetch=false", "--iam-role-error-ttl=1h"]).await?;
    testbed.gate.fault(Fault::denied("AssumeRole").always());
    let path = format!("{LIST}role-b");
    let denied = proxy.get(B, &path).await?;
    assert_eq!(
        (denied.status, denied.body.as_str()),
        (500, "STS gives no credentials for the pod's role\n")
    );
    assert_eq!(proxy.status(B, &path).await?, 500);
    assert_eq!(testbed.gate.calls_of("AssumeRole").len(), 1, "remembered");
    proxy.says("AccessDenied").await?;
    let events: Api<Event> = Api::namespaced(testbed.kube(), "shop");
    until("the pod has an Event", async || {
        let list = events.list(&ListParams::default()).await?;
        Ok(list
            .iter()
            .any(|event| event.reason.as_deref() == Some("RoleNotAssumed")))
    })
    .await?;
    let proxy = Proxy::start(&testbed, &["--prefetch=false", "--iam-role-error-ttl=1s"]).await?;
    assert_eq!(proxy.status(B, &path).await?, 500);
    testbed.gate.clear_faults();
    until("it is tried again", async || {
        Ok(proxy.status(B, &path).await? == 200)
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn an_unreachable_sts_stops_nothing_else() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    let base = format!("--base-role-arn=arn:aws:iam::{ACCOUNT}:role/");
    let command = testbed
        .command(PROXY)
        .await?
        .args(&["--app-port=0", "--node=node-1", &base]);
    let mut process = command
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .spawn()?;
    process.wait_ready().await?;
    let address = listening(&mut process).await?;
    let proxy = Proxy { process, address };
    assert_eq!(proxy.get(A, LIST).await?.body, "role-a");
    assert_eq!(proxy.status(A, &format!("{LIST}role-a")).await?, 503);
    until("the log says why", async || {
        let log = proxy.process.stderr();
        Ok(log.contains("no credentials: AWS was not reached") && log.contains("role/role-a"))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn sdks_as_they_are_fetch_credentials() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    // The pod of the address that a client on loopback has by itself.
    testbed
        .apply_yaml(&pod("sdk", "127.0.0.1", &[(ROLE, "role-sdk")]))
        .await?;
    let proxy = Proxy::start(&testbed, &["--imds-v2=required"]).await?;
    let endpoint = format!("http://{}", proxy.address);

    // Each has the patience of a busy machine. That their own is enough is shown in `sdks`.
    let http = ProviderConfig::default().with_http_client(http_client());
    let client = imds::Client::builder().configure(&http);
    let client = client.connect_timeout(PATIENCE).read_timeout(PATIENCE);
    let client = client
        .endpoint(endpoint.as_str())
        .map_err(anyhow::Error::msg)?
        .build();
    let provider = imds::credentials::ImdsCredentialsProvider::builder()
        .imds_client(client)
        .build();
    let given = provider.provide_credentials().await?;
    assert_eq!(
        identity(&testbed, given).await?,
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/role-sdk/shop.sdk")
    );

    let python = testbed.python().await?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/emulators/as_pod.py");
    for (address, role) in [(A, "role-a/shop.a"), (B, "role-b/shop.b")] {
        let output = tokio::process::Command::new(&python)
            .args([script, address])
            .env_clear()
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint)
            .env("AWS_METADATA_SERVICE_TIMEOUT", "180")
            .env("AWS_ENDPOINT_URL", testbed.gate.bypass_url())
            .env("AWS_DEFAULT_REGION", isthmus_e2e::REGION)
            .output()
            .await?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let found: serde_json::Value = serde_json::from_str(&said)?;
        assert_eq!(found["method"], "iam-role");
        assert_eq!(
            found["arn"],
            format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}")
        );
    }
    Ok(())
}
