//! Everything that has deleted records by accident elsewhere: none goes, and each is said.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use isthmus_e2e::{Process, World, eventually};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::crowd::{delete_all, make};
use crate::measure::passes;
use crate::stage::{BINARY, LB, SOURCE, Stage, ingress, metric, published, sorted};

const HOSTS: usize = 30;
/// Each host has two records and two ownership records.
const WITHHELD: &str = "isthmus_plan_withheld{reason=\"mass-removal\"} 120";

/// Thirty hosts, published.
async fn thirty() -> Result<(Stage, Vec<String>)> {
    let stage = Stage::new().await?;
    make(&stage.testbed, (0..HOSTS).map(object).collect()).await?;
    stage.well(&["--policy=sync"]).await?;
    let names = (0..HOSTS).map(|index| format!("app-{index}"));
    let wanted: Vec<_> = names
        .map(|name| published(&format!("{name}.example.org"), LB, &name))
        .collect();
    let wanted = sorted(&wanted);
    assert_eq!(stage.records().await?, wanted);
    stage.testbed.gate.clear();
    Ok((stage, wanted))
}

fn object(index: usize) -> String {
    let name = format!("app-{index}");
    ingress(&name, &[&format!("{name}.example.org")], &[LB])
}

/// Runs once with flags that would delete everything: nothing is written.
async fn unchanged(stage: &Stage, flags: &[&str], wanted: &[String]) -> Result<String> {
    stage.testbed.gate.clear();
    let finished = stage.well(&[&["--policy=sync"], flags].concat()).await?;
    let writes = stage.testbed.gate.writes();
    assert_eq!(writes.len(), 0, "{flags:?}: {writes:?}");
    assert_eq!(stage.records().await?, wanted, "{flags:?}");
    Ok(finished.stderr)
}

#[tokio::test]
async fn all_objects_gone_at_once() -> Result<()> {
    let (stage, wanted) = thirty().await?;
    let args = [&SOURCE[..], &["--policy=sync"]].concat();
    let mut process = stage.testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    // A few at a time would be no mass removal.
    process.pause().await?;
    delete_all(&stage.testbed).await?;
    process.go_on().await?;
    metric(&process, WITHHELD).await?;
    assert_eq!(stage.testbed.gate.writes().len(), 0);
    assert_eq!(stage.records().await?, wanted);
    let told = |(reason, note): &(String, String)| {
        reason == "RemovalWithheld" && note.contains("removes 30 of 30")
    };
    eventually("an Event", async || {
        let events = stage.events("app-0").await?;
        Ok(events.iter().any(told).then_some(()))
    })
    .await?;
    let (_, plan) = process.admin_page("/plan").await?;
    assert_eq!(plan.matches("! - record-set").count(), 60, "{plan}");
    Ok(())
}

#[tokio::test]
async fn an_empty_source_at_the_start() -> Result<()> {
    let (stage, wanted) = thirty().await?;
    delete_all(&stage.testbed).await?;
    let said = unchanged(&stage, &[], &wanted).await?;
    assert!(said.contains("removes 30 of 30"), "{said}");
    // A namespace that has nothing in it.
    let said = unchanged(&stage, &["--namespace=elsewhere"], &wanted).await?;
    assert!(said.contains("removes 30 of 30"), "{said}");
    Ok(())
}

#[tokio::test]
async fn another_owner_id() -> Result<()> {
    let (stage, wanted) = thirty().await?;
    let said = unchanged(&stage, &["--txt-owner-id=typo"], &wanted).await?;
    assert!(said.contains("is owned by \"default\""), "{said}");
    let said = unchanged(&stage, &["--txt-prefix=typo."], &wanted).await?;
    assert!(said.contains("has no ownership record"), "{said}");
    Ok(())
}

#[tokio::test]
async fn another_filter_of_zones_domains_or_objects() -> Result<()> {
    let (stage, wanted) = thirty().await?;
    World::zone(&stage.testbed, "example.net").await?;
    for flag in [
        "--zone-id-filter=ZTYPO",
        "--domain-filter=example.net",
        "--aws-zone-type=private",
        "--aws-zone-tags=team=x",
    ] {
        let said = unchanged(&stage, &[flag], &wanted).await?;
        // Hosts that the domain filter leaves out are nobody's business here.
        let told = said.contains("no hosted zone") || flag.starts_with("--domain");
        assert!(told, "{flag}: {said}");
    }
    for flag in [
        "--ingress-class=typo",
        "--label-filter=a=typo",
        "--annotation-filter=a=typo",
        "--ignore-ingress-rules-spec",
    ] {
        let said = unchanged(&stage, &[flag], &wanted).await?;
        assert!(said.contains("removes 30 of 30"), "{flag}: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn every_status_emptied() -> Result<()> {
    let (stage, wanted) = thirty().await?;
    let args = [&SOURCE[..], &["--policy=sync", "--empty-target-grace=3s"]].concat();
    let mut process = stage.testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    let emptied = (0..HOSTS).map(|index| {
        let name = format!("app-{index}");
        ingress(&name, &[&format!("{name}.example.org")], &[])
    });
    // A few at a time, those whose grace ended first might go, as far as the limit allows.
    process.pause().await?;
    stage.apply(&emptied.collect::<Vec<_>>()).await?;
    process.go_on().await?;
    metric(&process, WITHHELD).await?;
    let deleted = stage.testbed.gate.writes().len();
    assert_eq!(deleted, 0, "none went");
    assert_eq!(stage.records().await?, wanted);
    Ok(())
}

/// A way to the API server that can be cut.
struct Cable {
    address: String,
    cut: watch::Sender<u64>,
    down: Arc<AtomicBool>,
}

impl Cable {
    async fn to(server: String) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let cut = watch::Sender::new(0);
        let down = Arc::new(AtomicBool::new(false));
        let (cuts, is_down) = (cut.clone(), down.clone());
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                if is_down.load(Ordering::Relaxed) {
                    continue;
                }
                let (server, mut cut) = (server.clone(), cuts.subscribe());
                tokio::spawn(async move {
                    let Ok(mut upstream) = TcpStream::connect(server).await else {
                        return;
                    };
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut upstream) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Ok(Self { address, cut, down })
    }

    fn pull(&self) {
        self.down.store(true, Ordering::Relaxed);
        self.cut.send_modify(|count| *count += 1);
    }

    fn plug_in(&self) {
        self.down.store(false, Ordering::Relaxed);
    }
}

async fn two_more_passes(process: &Process) -> Result<()> {
    let before = passes(process).await?;
    eventually("two more passes", async || {
        Ok((passes(process).await? >= before + 2).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_watch_that_breaks_and_begins_again() -> Result<()> {
    let (stage, wanted) = thirty().await?;
    let text = std::fs::read_to_string(stage.testbed.kubeconfig())?;
    let (_, server) = text.split_once("https://").context("the server")?;
    let server = server.split('\'').next().unwrap_or_default();
    let cable = Cable::to(server.to_owned()).await?;
    // Beside the other one, whose certificates it names.
    let kubeconfig = stage.testbed.kubeconfig().with_file_name("by-cable");
    std::fs::write(&kubeconfig, text.replace(server, &cable.address))?;
    let args = [
        &SOURCE[..],
        &["--policy=sync", "--interval=2s", "--aws-api-rate=16"],
    ]
    .concat();
    let command = stage.testbed.command(BINARY).await?.args(&args);
    let kubeconfig = kubeconfig.display().to_string();
    let mut process = command.env("KUBECONFIG", &kubeconfig).spawn()?;
    process.wait_ready().await?;
    for _ in 0..2 {
        cable.pull();
        eventually("the watch to fail", async || {
            let (_, page) = process.admin_page("/").await?;
            Ok(page.contains("failing: ").then_some(()))
        })
        .await?;
        two_more_passes(&process).await?;
        cable.plug_in();
        two_more_passes(&process).await?;
    }
    assert_eq!(stage.testbed.gate.writes().len(), 0);
    assert_eq!(stage.records().await?, wanted);
    // It sees again: what really goes is deleted.
    stage.delete("app-0").await?;
    let left: Vec<_> = wanted
        .into_iter()
        .filter(|line| !line.contains("app-0."))
        .collect();
    stage.wait_for_records(&left).await?;
    Ok(())
}
