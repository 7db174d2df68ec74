//! Flags, what is looked for at the start, and dry runs.

use anyhow::Result;
use isthmus_e2e::{CLUSTER_ID, Fault, Finished, Testbed};
use serde_json::json;

use super::reading::{end_state, events, hostnames};
use super::{BINARY, CLUSTER, nothing_written, once, shop, well, world};

#[tokio::test]
async fn a_dry_run_prints_the_plan_and_touches_nothing() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    let finished = well(&testbed, &["--dry-run"]).await?;
    for line in [
        "+ target-group kube-public-",
        "+ target kube-public-",
        "+ load-balancer kube-public-",
        ":443: HTTPS, ELBSecurityPolicy-2016-08, default arn:aws:acm:",
        ":80: HTTP, to kube-public-",
    ] {
        assert!(
            finished.stdout.contains(line),
            "{line} is not in\n{finished}"
        );
    }
    nothing_written(&testbed);
    assert!(hostnames(&testbed, "shop").await?.is_empty());
    assert!(events(&testbed, "shop").await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn cluster_and_vpc_are_found_without_flags() -> Result<()> {
    let (testbed, world) = world(&shop()).await?;
    testbed
        .imds
        .set("meta-data/instance-id", &world.instances[0].id);
    let finished = testbed.run(BINARY, &["--once"]).await?;
    assert_eq!(finished.code, Some(0), "{finished}");
    let state = end_state(&testbed).await?;
    assert!(
        state.contains(&format!(
            "\"kubernetes.io/cluster/{CLUSTER_ID}\": \"owned\""
        )),
        "{state}"
    );
    Ok(())
}

#[tokio::test]
async fn every_wrong_flag_is_said_in_a_line_of_its_own() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let wrong = [
        "--ip-addr-type=ipv6",
        "--load-balancer-type=classic",
        "--max-certs-alb=25",
        "--ssl-policy=modern",
    ];
    let finished = once(&testbed, &wrong).await?;
    assert_eq!(finished.code, Some(2), "{finished}");
    let mut flags: Vec<_> = finished
        .stderr
        .lines()
        .filter_map(|line| line.split(':').next())
        .collect();
    flags.sort_unstable();
    let expected: Vec<_> = wrong
        .iter()
        .filter_map(|flag| flag.split('=').next())
        .collect();
    assert_eq!(flags, expected, "{finished}");
    assert!(
        testbed.gate.calls().is_empty(),
        "{:?}",
        testbed.gate.calls()
    );
    Ok(())
}

#[tokio::test]
async fn what_is_missing_at_the_start_is_said_in_one_line() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let command = async || {
        testbed
            .command(BINARY)
            .await
            .map(|c| c.args(&["--once", CLUSTER]))
    };
    let file = testbed.scratch()?.join("kubeconfig");
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {}}],
    });
    std::fs::write(&file, kubeconfig.to_string())?;
    let nowhere = command()
        .await?
        .env("KUBECONFIG", &file.display().to_string());
    one_line(
        &nowhere.run().await?,
        "the Kubernetes API server http://127.0.0.1:1/",
    );

    let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    let bare = keys
        .iter()
        .fold(command().await?, |command, key| command.env_remove(key));
    let finished = bare.env("AWS_EC2_METADATA_DISABLED", "true").run().await?;
    one_line(
        &finished,
        "no AWS credentials: looked for AWS_ACCESS_KEY_ID",
    );

    let homeless = testbed.command(BINARY).await?.args(&["--once"]);
    let finished = homeless
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .run()
        .await?;
    one_line(&finished, "no cluster id: --cluster-id is not given, and ");
    nothing_written(&testbed);
    Ok(())
}

#[tokio::test]
async fn what_aws_does_not_answer_is_said_and_nothing_is_written() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    let command = testbed.command(BINARY).await?.args(&["--once", CLUSTER]);
    let finished = command
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .run()
        .await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(
        finished
            .stderr
            .contains("ListCertificates: AWS was not reached"),
        "{finished}"
    );

    testbed.gate.fault(Fault::denied("DescribeLoadBalancers"));
    let finished = once(&testbed, &[]).await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(
        finished
            .stderr
            .contains("DescribeLoadBalancers: AccessDenied"),
        "{finished}"
    );
    nothing_written(&testbed);
    Ok(())
}

fn one_line(finished: &Finished, begins: &str) {
    assert_eq!(finished.code, Some(1), "{finished}");
    let line = format!("{BINARY}: {begins}");
    let said: Vec<_> = finished
        .stderr
        .lines()
        .filter(|l| l.starts_with(&line))
        .collect();
    assert_eq!(said.len(), 1, "{finished}");
}
