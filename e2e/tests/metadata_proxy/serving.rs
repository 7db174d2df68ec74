//! What pods get, and what they do not.

use anyhow::{Context, Result};
use isthmus_e2e::{ACCOUNT, Call, Outcome, PATIENCE, Testbed};

use crate::client::{A, B, LIST, PATIENT, PLAIN, PROXY, Proxy, STRANGER, caller, listening, pods};

#[tokio::test]
async fn a_pod_gets_the_credentials_of_its_own_role_and_no_other() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    let proxy = Proxy::start(&testbed, &[]).await?;

    // Asked for as soon as the pods were seen, each in its own name.
    let calls = testbed.gate.wait_for(PATIENCE, |calls| {
        let answered = |call: &&Call| call.outcome == Outcome::Answered;
        calls.iter().filter(answered).count() >= 2
    });
    let mut calls = calls.await?;
    calls.sort_by_key(|call| call.params["RoleSessionName"].clone());
    assert_eq!(
        calls[0].params["RoleArn"],
        format!("arn:aws:iam::{ACCOUNT}:role/role-a")
    );
    assert_eq!(calls[0].params["RoleSessionName"], "shop.a");
    assert_eq!(calls[0].params["DurationSeconds"], "3600");
    assert!(!calls[0].params.contains_key("ExternalId"));
    assert_eq!(
        calls[1].params["RoleArn"],
        format!("arn:aws:iam::{ACCOUNT}:role/team/role-b")
    );
    assert_eq!(calls[1].params["ExternalId"], "id-b");

    assert_eq!(proxy.get(A, LIST).await?.body, "role-a");
    assert_eq!(proxy.get(B, LIST).await?.body, "team/role-b");
    let (of_a, of_b) = (proxy.credentials(A).await?, proxy.credentials(B).await?);
    assert_eq!(
        caller(&testbed, &of_a).await?,
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/role-a/shop.a")
    );
    assert_eq!(
        caller(&testbed, &of_b).await?,
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/role-b/shop.b")
    );
    let left = of_a["Expiration"]
        .as_str()
        .context("Expiration")?
        .parse::<jiff::Timestamp>()?
        - jiff::Timestamp::now();
    assert!(left.total(jiff::Unit::Minute)? >= 30.0, "{left}");

    // Another pod's role, a role of nobody, a pod without a role, a stranger, a path of nobody.
    for role in ["team/role-b", "admin"] {
        assert_eq!(proxy.status(A, &format!("{LIST}{role}")).await?, 403);
    }
    assert_eq!(proxy.status(PLAIN, LIST).await?, 404);
    assert_eq!(proxy.status(STRANGER, LIST).await?, 503);
    assert_eq!(proxy.status(A, "/latest/user-data").await?, 404);
    assert_eq!(proxy.status(A, "/latest/../user-data").await?, 400);
    assert_eq!(testbed.gate.calls().len(), 2, "nothing of this asked STS");
    assert_eq!(testbed.gate.writes().len(), 0);
    Ok(())
}

#[tokio::test]
async fn session_tokens() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    let proxy = Proxy::start(&testbed, &["--imds-v2=required"]).await?;
    let put = "X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n";
    let reply = proxy.ask(A, "PUT", "/latest/api/token", put).await?;
    assert_eq!(reply.status, 200);
    assert!(
        reply
            .head
            .contains("x-aws-ec2-metadata-token-ttl-seconds: 21600"),
        "{}",
        reply.head
    );
    let header = format!("X-aws-ec2-metadata-token: {}\r\n", reply.body);
    assert_eq!(proxy.ask(A, "GET", LIST, &header).await?.body, "role-a");
    assert_eq!(
        proxy.ask(B, "GET", LIST, &header).await?.status,
        401,
        "another pod's"
    );
    assert_eq!(proxy.status(A, LIST).await?, 401, "none");
    let bogus = "X-aws-ec2-metadata-token: bogus\r\n";
    assert_eq!(proxy.ask(A, "GET", LIST, bogus).await?.status, 401);
    let forwarded = format!("{put}X-Forwarded-For: 127.0.0.1\r\n");
    assert_eq!(
        proxy
            .ask(A, "PUT", "/latest/api/token", &forwarded)
            .await?
            .status,
        403
    );
    assert_eq!(
        proxy.ask(A, "PUT", "/latest/api/token", "").await?.status,
        400
    );
    Ok(())
}

#[tokio::test]
async fn base_arn_and_default_role_are_discovered() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    let args = [
        "--app-port=0",
        "--node=node-1",
        PATIENT,
        "--auto-discover-base-arn",
        "--auto-discover-default-role",
    ];
    let mut process = testbed.spawn(PROXY, &args).await?;
    let address = listening(&mut process).await?;
    process.wait_ready().await?;
    let proxy = Proxy { process, address };
    assert_eq!(proxy.get(A, LIST).await?.body, "role-a");
    assert_eq!(proxy.get(PLAIN, LIST).await?.body, "node-role");
    let of_plain = proxy.credentials(PLAIN).await?;
    assert_eq!(
        caller(&testbed, &of_plain).await?,
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/node-role/shop.plain")
    );
    Ok(())
}
