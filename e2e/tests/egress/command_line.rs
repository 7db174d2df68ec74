//! Flags, the dry run, and what is printed when something cannot be reached.

use anyhow::Result;
use serde_json::json;

use crate::stage::{BINARY, STATUS, Stage};

#[tokio::test]
async fn a_dry_run_prints_its_plan_and_writes_nothing() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply(
            "partners",
            &[("bank", "203.0.113.0/24"), ("bad", "10.0.0.0/8")],
        )
        .await?;
    let finished = stage.well("a", &["--dry-run"]).await?;
    let (gateway, table) = (&stage.world.internet_gateway, stage.table("a"));
    let expected = format!(
        "+ subnet eu-central-1a: 10.20.255.0/28\n\
         + route-table eu-central-1a\n\
         + default-route eu-central-1a: 0.0.0.0/0 in the new one to {gateway}\n\
         + association eu-central-1a: subnet the new one with table the new one\n\
         + address eu-central-1a\n\
         + nat-gateway eu-central-1a: in subnet the new one with address the new one\n\
         ! + route 203.0.113.0/24 in {table}: to the new NAT gateway of eu-central-1a \
         (withheld: eu-central-1a has no NAT gateway yet)\n"
    );
    assert_eq!(finished.stdout, expected, "{finished}");
    assert_eq!(stage.testbed.gate.writes().len(), 0);
    assert_eq!(stage.picture().await?, [""; 0]);
    assert_eq!(
        stage.events("partners").await?,
        [""; 0],
        "a dry run sends no Event"
    );
    assert_eq!(
        stage.status("partners").await?,
        json!(null),
        "a dry run writes no {STATUS}"
    );
    Ok(())
}

#[tokio::test]
async fn wrong_flags_end_it_before_anything_is_touched() -> Result<()> {
    let stage = Stage::new().await?;
    let args = [
        "--provider=gcp",
        "--aws-az=eu-central-1a",
        "--aws-az=eu-central-1b",
        "--aws-nat-cidr-block=10.20.255.0/29",
        "--additional-stack-tags=team",
        "--master=http://a",
        "--master=http://b",
        "--frobnicate",
    ];
    let finished = stage.testbed.run(BINARY, &args).await?;
    assert_eq!(finished.code, Some(2), "{finished}");
    let mut lines: Vec<_> = finished.stderr.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "--additional-stack-tags: \"team\" is not allowed; allowed: KEY=VALUE with exactly one =",
            "--aws-nat-cidr-block: \"10.20.255.0/29\" is not allowed; allowed: an IPv4 network of the VPC with a prefix of 16 to 28, such as 10.0.255.0/28",
            "--aws-nat-cidr-block: \"10.20.255.0/29\" is not allowed; allowed: as many networks as --aws-az has zones (2), in the same order",
            "--frobnicate: no such flag",
            "--master: \"http://a,http://b\" is not allowed; allowed: one cluster; run isthmus-egress in each",
            "--provider: \"gcp\" is not allowed; allowed: aws, noop",
        ]
    );
    assert_eq!(stage.testbed.gate.calls().len(), 0);
    Ok(())
}

#[tokio::test]
async fn the_older_flags_are_accepted_and_each_says_one_line() -> Result<()> {
    let stage = Stage::new().await?;
    let older = [
        "--dry-run",
        "--cf-template-bucket=bucket",
        "--stack-termination-protection",
        "--use-platform-credentials",
        "--credentials-dir=/meta/credentials",
        "--master=",
        "--address=127.0.0.1:0",
    ];
    let finished = stage.well("a", &older).await?;
    for flag in &older[1..] {
        let flag = flag.split('=').next().unwrap_or_default();
        let lines = finished
            .stderr
            .lines()
            .filter(|line| line.contains(flag))
            .count();
        assert_eq!(lines, usize::from(flag != "--master"), "{flag}: {finished}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_unreachable_is_named() -> Result<()> {
    let stage = Stage::new().await?;
    let args = stage.flags("a", &["--once"]);
    let command = async || anyhow::Ok(stage.testbed.command(BINARY).await?.args(&args));

    let nobody = stage.testbed.scratch()?.join("kubeconfig");
    let text = "{apiVersion: v1, kind: Config, current-context: c, \
                contexts: [{name: c, context: {cluster: c, user: u}}], \
                clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}], \
                users: [{name: u, user: {}}]}";
    std::fs::write(&nobody, text)?;
    let finished = command()
        .await?
        .env("KUBECONFIG", &nobody.display().to_string())
        .run()
        .await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    let line = finished.stderr.lines().last().unwrap_or_default();
    let said = "isthmus-egress: the Kubernetes API server https://127.0.0.1:1/";
    assert!(line.starts_with(said), "{finished}");

    let finished = command()
        .await?
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .run()
        .await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(
        finished.stderr.contains("observe") && finished.stderr.contains("AWS was not reached"),
        "{finished}"
    );

    let finished = command()
        .await?
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .run()
        .await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    let line = finished.stderr.lines().last().unwrap_or_default();
    assert!(
        line.starts_with("isthmus-egress: no AWS credentials: "),
        "{finished}"
    );
    assert_eq!(stage.testbed.gate.calls().len(), 0);
    Ok(())
}

#[tokio::test]
async fn the_noop_provider_judges_and_calls_nothing() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply(
            "partners",
            &[("bank", "203.0.113.0/24"), ("bad", "10.0.0.0/8")],
        )
        .await?;
    let finished = stage
        .testbed
        .run(BINARY, &["--provider=noop", "--once"])
        .await?;
    assert_eq!(finished.code, Some(0), "{finished}");
    assert_eq!(stage.testbed.gate.calls().len(), 0);
    assert_eq!(stage.status("partners").await?, json!(null));
    let events = stage.events("partners").await?;
    assert!(
        events
            .iter()
            .any(|event| event.starts_with("PrivateRange: data key bad")),
        "{events:?}"
    );
    Ok(())
}
