//! The start, the end, and what comes in between.

use std::path::PathBuf;

use anyhow::{Context, Result};
use isthmus_e2e::{Fault, Outcome, PATIENCE, Testbed};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::client::{A, B, LIST, PROXY, Proxy, STRANGER, caller, pods, until};

#[tokio::test]
async fn every_wrong_flag_is_named_and_nothing_is_touched() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let args = [
        "--app-port=x",
        "--imds-v2=maybe",
        "--base-role-arn=role/x",
        "--auto-discover-base-arn",
        "--default-role=a",
        "--auto-discover-default-role",
        "--namespace-restriction-format=like",
        "--iam-role-session-ttl=5m",
        "--node=A_b",
        "--allow-metadata-path=meta-data/iam/info",
        "--host-interface=-j",
        "--iptables",
        "--api-token=t0p-s3cret",
        "--metadata-addr=http://x/y",
        "--nonsense",
    ];
    let finished = testbed.run(PROXY, &args).await?;
    assert_eq!(finished.code, Some(2), "{finished}");
    assert_eq!(finished.stdout, "");
    for line in [
        "--nonsense: no such flag",
        "--app-port: \"x\" is not allowed",
        "--imds-v2: \"maybe\" is not allowed; allowed: optional, required",
        "--base-role-arn: \"role/x\" is not allowed; allowed: arn:<partition>:iam::<account>:role/[<path>/]",
        "--namespace-restriction-format: \"like\" is not allowed; allowed: glob, regexp",
        "--host-interface: \"-j\" is not allowed",
        "--auto-discover-default-role: cannot be used with --default-role",
        "--iam-role-session-ttl: \"5m\" is not allowed; allowed: 7m30s to 6h",
        "--node: \"A_b\" is not allowed",
        "--allow-metadata-path: \"meta-data/iam/info\" is not a path that may be allowed",
        "--host-ip: is required with --iptables",
        "--api-token: has a meaning only with --api-server",
        "--metadata-addr: \"http://x/y\" is not allowed",
    ] {
        assert_eq!(
            finished
                .stderr
                .lines()
                .filter(|found| found.starts_with(line))
                .count(),
            1,
            "{line} in\n{finished}"
        );
    }
    assert_eq!(finished.stderr.lines().count(), 13, "{finished}");
    assert!(!finished.stderr.contains("t0p-s3cret"));
    assert!(testbed.gate.calls().is_empty() && testbed.imds.requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn what_is_missing_at_the_start_is_said_in_one_line() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let args = ["--app-port=0", "--node=node-1"];
    let last = |finished: &isthmus_e2e::Finished| {
        finished
            .stderr
            .lines()
            .last()
            .unwrap_or_default()
            .to_owned()
    };

    let unreachable = [&args[..], &["--api-server=http://127.0.0.1:1"]].concat();
    let finished = testbed.run(PROXY, &unreachable).await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(
        last(&finished).starts_with("isthmus-metadata-proxy: the Kubernetes API server http://127.0.0.1:1/ (--api-server) cannot be reached"),
        "{finished}"
    );
    assert!(last(&finished).contains("refused"), "{finished}");

    let lost = testbed
        .command(PROXY)
        .await?
        .args(&args)
        .env("KUBECONFIG", "/nonexistent/kubeconfig");
    let finished = lost.run().await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(
        last(&finished).contains("/nonexistent/kubeconfig"),
        "{finished}"
    );

    testbed.imds.remove("meta-data/iam/security-credentials/");
    testbed
        .imds
        .remove("meta-data/iam/security-credentials/node-role");
    let nobody = testbed.command(PROXY).await?.args(&args);
    let finished = nobody
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .run()
        .await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(
        last(&finished).starts_with("isthmus-metadata-proxy: no AWS credentials: looked for"),
        "{finished}"
    );

    // As the proxy binds, where there is IPv6 and where there is none.
    let taken = match TcpListener::bind("[::]:0").await {
        Ok(taken) => taken,
        Err(_) => TcpListener::bind("0.0.0.0:0").await?,
    };
    let port = format!("--app-port={}", taken.local_addr()?.port());
    let finished = testbed
        .run(PROXY, &[port.as_str(), "--node=node-1"])
        .await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(
        last(&finished).starts_with("isthmus-metadata-proxy: --app-port"),
        "{finished}"
    );
    Ok(())
}

#[tokio::test]
async fn sigterm_ends_it_and_the_call_under_way() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    testbed.gate.fault(Fault::held("AssumeRole").always());
    let mut proxy = Proxy::start(&testbed, &[]).await?;
    testbed
        .gate
        .wait_for(PATIENCE, |calls| calls.len() == 2)
        .await?;
    proxy.process.signal("TERM").await?;
    until("nobody is let in any more", async || {
        Ok(TcpStream::connect(proxy.address).await.is_err())
    })
    .await?;
    testbed.gate.clear_faults();
    let finished = tokio::time::timeout(PATIENCE, proxy.process.finished()).await??;
    assert_eq!(finished.code, Some(0), "{finished}");
    assert!(
        testbed
            .gate
            .calls()
            .iter()
            .all(|call| call.outcome == Outcome::Answered),
        "they were not cut off"
    );
    assert_eq!(testbed.gate.calls().len(), 2, "no other was begun");
    Ok(())
}

/// The proxy writes nothing at AWS and nothing to disk, so this is its whole
/// crash story: it is killed while STS is being asked, and the next one serves.
#[tokio::test]
async fn killed_in_the_middle_of_a_call_it_serves_again() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    testbed.gate.stop_after(1);
    let proxy = Proxy::start(&testbed, &[]).await?;
    testbed.gate.stopped().await;
    proxy.process.kill().await?;
    testbed.gate.resume();
    let proxy = Proxy::start(&testbed, &[]).await?;
    for (address, role) in [(A, "role-a"), (B, "role-b")] {
        let arn = caller(&testbed, &proxy.credentials(address).await?).await?;
        assert!(arn.contains(role), "{arn}");
    }
    assert_eq!(testbed.gate.writes().len(), 0);
    Ok(())
}

/// N25: what is known goes on being served while the API server is away.
#[tokio::test]
async fn the_api_server_goes_away() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    let (kubeconfig, road) = kubeconfig_by_another_road(&testbed).await?;
    let flag = format!("--kubeconfig={}", kubeconfig.display());
    let proxy = Proxy::start(&testbed, &[&flag]).await?;
    proxy.credentials(A).await?;
    until("the watch works", async || {
        Ok(failing_for(&proxy).await? == 0)
    })
    .await?;
    road.abort();
    proxy.says("watch fails").await?;
    proxy.credentials(A).await?;
    proxy.credentials(B).await?;
    assert_eq!(proxy.status(STRANGER, LIST).await?, 503);
    assert_eq!(
        proxy.process.admin_page("/readyz").await?.0,
        200,
        "it can serve"
    );
    until("the page says so", async || {
        let (_, page) = proxy.process.admin_page("/").await?;
        Ok(page.contains("failing:"))
    })
    .await?;
    let before = failing_for(&proxy).await?;
    until(
        "the metric shows that what is known gets older",
        async || Ok(failing_for(&proxy).await? > before.max(1)),
    )
    .await
}

/// For how many seconds the API server could not be watched, by the metric.
async fn failing_for(proxy: &Proxy) -> Result<u64> {
    let (_, metrics) = proxy.process.admin_page("/metrics").await?;
    let name = "isthmus_proxy_watch_failing_seconds ";
    let value = metrics.lines().find_map(|line| line.strip_prefix(name));
    Ok(value.context("the metric")?.parse()?)
}

/// A kubeconfig whose server is reached through a forwarder; aborting the task takes it away.
async fn kubeconfig_by_another_road(testbed: &Testbed) -> Result<(PathBuf, JoinHandle<()>)> {
    let text = std::fs::read_to_string(testbed.kubeconfig())?;
    let (_, after) = text.split_once("https://").context("server")?;
    let server = after
        .split(['"', '\'', '\n', ' ', ',', '}'])
        .next()
        .context("server")?
        .to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let target = server.clone();
    let road = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut from, _)) = listener.accept().await {
            let target = target.clone();
            connections.spawn(async move {
                let mut to = TcpStream::connect(target).await?;
                copy_bidirectional(&mut from, &mut to).await
            });
        }
    });
    // Beside the real one, since that names its certificates relative to itself.
    let path = testbed
        .kubeconfig()
        .with_file_name("kubeconfig-by-another-road");
    std::fs::write(&path, text.replace(&server, &address))?;
    Ok((path, road))
}
