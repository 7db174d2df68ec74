//! What comes out where, and what never comes out.

use anyhow::Result;
use isthmus_e2e::{ACCOUNT, Testbed};

use crate::client::{A, B, LIST, Proxy, STRANGER, pods, until};

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
    let asked = || {
        let own = ["/latest/api/token", "/latest/meta-data/instance-id"];
        let mut requests = testbed.imds.requests();
        requests.retain(|request| !own.contains(&request.path.as_str()));
        requests
    };
    assert_eq!(
        proxy
            .get(A, "/latest/meta-data/placement/region")
            .await?
            .body,
        isthmus_e2e::REGION
    );
    let document = proxy
        .get(A, "/latest/dynamic/instance-identity/document")
        .await?;
    assert!(document.body.contains(ACCOUNT), "{document:?}");
    let requests = asked();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        let names: Vec<&str> = request.headers.keys().map(String::as_str).collect();
        assert_eq!(names, ["host", "x-aws-ec2-metadata-token"]);
        assert_eq!(request.status, 200);
    }
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
    assert_eq!(asked().len(), 2, "none of these was passed on");
    until("the health is known", async || {
        Ok(proxy.status(STRANGER, "/healthz").await? == 200)
    })
    .await?;
    let health = proxy.get(STRANGER, "/healthz").await?;
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
    let (status, metrics) = proxy.process.admin_page("/metrics").await?;
    assert_eq!(status, 200);
    for line in [
        r#"isthmus_proxy_refusals_total{reason="not-found"} 6"#,
        r#"isthmus_proxy_answers_total{status="404"} 6"#,
        r#"isthmus_managed{kind="pod"} 3"#,
        r#"isthmus_aws_requests_total{operation="AssumeRole",outcome="ok",service="sts"} 2"#,
        "isthmus_leader 1",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line} in\n{metrics}"
        );
    }
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
    assert_eq!(
        proxy
            .status(A, "/latest/meta-data/placement/region")
            .await?,
        200
    );
    let mut told = vec![proxy.process.stderr(), proxy.process.stdout()];
    for path in ["/", "/metrics", "/plan"] {
        told.push(proxy.process.admin_page(path).await?.1);
    }
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
