//! What comes out where, and what never comes out.

use std::collections::BTreeSet;

use anyhow::Result;
use isthmus_e2e::{ACCOUNT, Testbed, eventually};

use crate::client::{A, B, LIST, Proxy, STRANGER, pods};

#[tokio::test]
async fn the_instance_metadata_is_asked_for_what_is_allowed_alone() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    testbed.imds.require_token(true);
    let proxy = Proxy::start(
        &testbed,
        &["--allow-metadata-path=dynamic/instance-identity/document"],
    )
    .await?;
    let (region, document) = (
        "/latest/meta-data/placement/region",
        "/latest/dynamic/instance-identity/document",
    );
    let told = proxy.passed_on(A, region).await?;
    assert_eq!(told.body, isthmus_e2e::REGION);
    let told = proxy.passed_on(A, document).await?;
    assert!(told.body.contains(ACCOUNT), "{told:?}");
    for path in [
        "user-data",
        "meta-data/",
        "meta-data/iam/security-credentials/node-role",
        "meta-data/mac",
        "meta-data/identity-credentials/ec2/security-credentials/ec2-instance",
        "meta-data/placement/region/",
        "meta-data/placement%2fregion",
        "meta-data/x/../placement/region",
        "Meta-Data/placement/region",
    ] {
        let status = proxy.status(A, &format!("/latest/{path}")).await?;
        assert!(matches!(status, 400 | 403 | 404), "{path}: {status}");
    }
    let info = proxy.get(A, "/latest/meta-data/iam/info").await?;
    assert!(
        info.body
            .contains(&format!("arn:aws:iam::{ACCOUNT}:instance-profile/role-a")),
        "{info:?}"
    );
    let own = ["/latest/api/token", "/latest/meta-data/instance-id"];
    let mut asked = testbed.imds.requests();
    asked.retain(|request| !own.contains(&request.path.as_str()));
    for request in &asked {
        let names: Vec<&str> = request.headers.keys().map(String::as_str).collect();
        assert_eq!(names, ["host", "x-aws-ec2-metadata-token"]);
        assert_eq!(request.status, 200);
    }
    let asked: BTreeSet<&str> = asked.iter().map(|request| request.path.as_str()).collect();
    let allowed = BTreeSet::from([region, document]);
    assert_eq!(asked, allowed, "none of the others was passed on");
    let health = eventually("the health is known", async || {
        let health = proxy.get(STRANGER, "/healthz").await?;
        Ok((health.status == 200).then_some(health))
    })
    .await?;
    assert_eq!(
        health.body,
        r#"{"hostIP":"","instanceId":"i-0123456789abcdef0"}"#
    );
    Ok(())
}

#[tokio::test]
async fn pods_and_operators_have_a_door_each() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    let proxy = Proxy::start(&testbed, &[]).await?;
    for path in [
        LIST,
        "/latest/meta-data/iam/security-credentials/role-a",
        "/latest/api/token",
        "/latest/meta-data/placement/region",
    ] {
        assert_eq!(proxy.process.admin_page(path).await?.0, 404, "{path}");
    }
    for path in [
        "/metrics",
        "/plan",
        "/readyz",
        "/livez",
        "/",
        "/debug/store",
    ] {
        assert_eq!(proxy.status(A, path).await?, 404, "{path}");
    }
    proxy.credentials(A).await?;
    proxy.credentials(B).await?;
    let lines = [
        r#"isthmus_proxy_refusals_total{reason="not-found"} 6"#,
        r#"isthmus_proxy_answers_total{status="404"} 6"#,
        r#"isthmus_managed{kind="pod"} 3"#,
        r#"isthmus_aws_requests_total{operation="AssumeRole",outcome="ok",service="sts"} 2"#,
        "isthmus_leader 1",
    ];
    proxy.counts(&lines).await?;
    let (_, page) = proxy.process.admin_page("/").await?;
    assert!(
        page.contains(&format!("arn:aws:iam::{ACCOUNT}:role/role-a")),
        "{page}"
    );
    Ok(())
}

#[tokio::test]
async fn no_secret_is_ever_printed() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    testbed.imds.require_token(true);
    let proxy = Proxy::start(&testbed, &["--log-level=trace"]).await?;
    let credentials = proxy.credentials(A).await?;
    let put = "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n";
    let token = proxy.ask(A, "PUT", "/latest/api/token", put).await?.body;
    proxy
        .ask(
            A,
            "GET",
            LIST,
            &format!("X-aws-ec2-metadata-token: {token}\r\n"),
        )
        .await?;
    let region = "/latest/meta-data/placement/region";
    assert_eq!(proxy.passed_on(A, region).await?.status, 200);
    let mut told = Vec::new();
    for path in ["/", "/metrics", "/plan"] {
        told.push(proxy.process.admin_page(path).await?.1);
    }
    told.push(proxy.printed().await?);
    let secret = |key: &str| credentials[key].as_str().unwrap_or_default().to_owned();
    for secret in [
        secret("SecretAccessKey"),
        secret("Token"),
        secret("AccessKeyId"),
        token,
        "testbed-token".into(),
        "testbed-secret".into(),
    ] {
        assert!(!secret.is_empty());
        assert!(
            told.iter().all(|text| !text.contains(&secret)),
            "{secret:?} is told"
        );
    }
    Ok(())
}
