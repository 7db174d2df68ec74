//! What the metadata proxy costs: the numbers of its targets, measured from outside.
//!
//! `cargo bench -p isthmus-e2e --bench metadata_proxy` builds the proxy in the
//! release profile; with `ISTHMUS_BIN_DIR` the binary of that folder is measured.
//! 220 pods on a real API server, STS behind the gate, each client bound to a
//! pod's address in 127.0.0.0/8. `ISTHMUS_BENCH_REQUESTS` (a million) is how many
//! requests come before the memory is read for the last time.

mod client;
mod floor;
mod load;
mod process;
mod stage;
mod table;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use isthmus_e2e::{Fault, Testbed};

use client::{Client, Question};
use floor::Floor;
use load::Load;
use stage::{PODS, Proxy, Stage};
use table::Table;

const CONNECTIONS: usize = 16;
/// Requests a second of the open loop, on all connections together.
const RATE: u32 = 2_000;
const OPEN_LOOP: Duration = Duration::from_secs(10);
/// A fifth of what kube2iam takes for 99 of 100 requests, in ms.
const P99: f64 = 24.0 / 5.0;

fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some(floor::FLOOR) {
        return floor::serve(std::env::args().nth(2));
    }
    if !std::env::args().any(|arg| arg == "--bench") {
        println!(
            "metadata_proxy: a benchmark; run it with cargo bench -p isthmus-e2e --bench metadata_proxy"
        );
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(run())
}

async fn run() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let stage = Stage::set(&testbed).await?;
    let mut table = Table::default();
    start(&stage, &mut table).await?;
    let proxy = stage.proxy(&[]).await?;
    proxy.holds_all(&testbed).await?;
    table.at_most("RSS with 220 pods", "MB", proxy.process.rss()?, 15.0);
    table.note("  of it of no file", proxy.process.anonymous()?, "MB");
    cached(&stage, &proxy, &mut table).await?;
    refusals(&stage, &proxy, &mut table).await?;
    many(&proxy, &mut table).await?;
    drop(proxy);
    cold(&stage, &testbed, &mut table).await?;
    table.print();
    Ok(())
}

/// From the start of the process to the first connection that is taken: the median of five.
async fn start(stage: &Stage<'_>, table: &mut Table) -> Result<()> {
    let mut took = Vec::new();
    for _ in 0..5 {
        took.push(stage.listening(&[]).await?.took);
    }
    took.sort_unstable();
    table.at_most("start to listening", "ms", millis(took[2]), 100.0);
    Ok(())
}

/// Credentials from memory: what they cost, and how long they take.
async fn cached(stage: &Stage<'_>, proxy: &Proxy, table: &mut Table) -> Result<()> {
    for (name, v2) in [("IMDSv1", false), ("IMDSv2", true)] {
        let mut clients = Vec::new();
        for pod in 0..CONNECTIONS {
            clients.push(proxy.client(pod, v2).await?);
        }
        // Warm: connections, caches, branch predictors.
        let (clients, _) = Load::closed(clients, 20_000)?;
        let before = proxy.process.cpu()?;
        let requests = stage.requests / 5;
        let (clients, times) = Load::closed(clients, requests)?;
        let cpu = (proxy.process.cpu()? - before) * 1e6 / times.len() as f64;
        table.at_most(&format!("CPU of a cached request, {name}"), "µs", cpu, 35.0);
        table.note(
            &format!("closed loop, 16 connections, {name}"),
            times.per_second(),
            "requests/s",
        );
        let p99 = millis(times.quantile(0.99));
        if v2 {
            open_loop(clients, table).await?;
        } else {
            table.at_most("closed loop, 16 connections, p99", "ms", p99, P99);
        }
    }
    Ok(())
}

/// Requests at fixed moments, and the same to a server that does nothing.
async fn open_loop(clients: Vec<Client>, table: &mut Table) -> Result<()> {
    let times = Load::open(clients, RATE, OPEN_LOOP)?;
    let [p50, p99] = [0.5, 0.99].map(|q| millis(times.quantile(q)));
    table.note("open loop, 2000 requests/s, p50", p50, "ms");
    table.at_most("open loop, 16 connections, p99", "ms", p99, P99);
    let floor = Floor::start().await?;
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let from = floor.address.ip();
        clients.push(Client::connect(floor.address, from, Question::List, None).await?);
    }
    let times = Load::open(clients, RATE, OPEN_LOOP)?;
    let bare = millis(times.quantile(0.99));
    table.note("  a bare hyper server, p99", bare, "ms");
    table.note("  ratio to it", p99 / bare, "");
    Ok(())
}

/// What is not given is said at once; whom nobody knows is told in time.
async fn refusals(stage: &Stage<'_>, proxy: &Proxy, table: &mut Table) -> Result<()> {
    let plain = stage.plain();
    let mut denied = Vec::new();
    for (from, question) in [
        (plain, Question::List),
        (plain, Question::Credentials("role-1")),
        (stage.pod(0), Question::Credentials("role-of-another")),
        (stage.pod(0), Question::Path("/latest/user-data")),
    ] {
        let client = Client::connect(proxy.address, from, question, None).await?;
        for (status, took) in Load::alone(client, 100)? {
            denied.push(took);
            ensure!(matches!(status, 403 | 404), "{status}");
        }
    }
    denied.sort_unstable();
    let p99 = denied[denied.len() * 99 / 100];
    table.at_most("denial, p99", "ms", millis(p99), 5.0);

    let mut longest = Duration::ZERO;
    let mut strangers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let mut client =
            Client::connect(proxy.address, stage.stranger(), Question::List, None).await?;
        strangers.spawn_blocking(move || {
            let start = Instant::now();
            client.ask().map(|status| (status, start.elapsed()))
        });
    }
    while let Some(answered) = strangers.join_next().await {
        let (status, took) = answered??;
        ensure!(status == 503, "{status}");
        longest = longest.max(took);
    }
    table.at_most("unknown pod, slowest of 20", "ms", millis(longest), 900.0);
    Ok(())
}

/// A million requests of all pods, and what is left of them in memory.
async fn many(proxy: &Proxy, table: &mut Table) -> Result<()> {
    let mut clients = Vec::new();
    for pod in 0..PODS {
        clients.push(proxy.client(pod, true).await?);
    }
    let wanted = stage::requests();
    let before = proxy.process.cpu()?;
    let (clients, count) = Load::broad(clients, wanted)?;
    let cpu = (proxy.process.cpu()? - before) * 1e6 / count as f64;
    table.note("CPU of a request among 220 connections", cpu, "µs");
    table.at_most(
        &format!("RSS after {count} requests"),
        "MB",
        proxy.process.rss()?,
        25.0,
    );
    table.note("  of it of no file", proxy.process.anonymous()?, "MB");
    drop(clients);
    Ok(())
}

/// 500 connections that ask at once for what nobody has asked for.
async fn cold(stage: &Stage<'_>, testbed: &Testbed, table: &mut Table) -> Result<()> {
    let proxy = stage
        .proxy(&["--prefetch=false", "--answer-timeout=30s"])
        .await?;
    testbed.gate.clear();
    testbed
        .gate
        .fault(Fault::delay("AssumeRole", Duration::from_millis(300)).always());
    let mut clients = Vec::new();
    for _ in 0..500 {
        clients.push(proxy.client(0, false).await?);
    }
    for client in &mut clients {
        client.send()?;
    }
    for client in &mut clients {
        let status = client.receive()?;
        ensure!(status == 200, "{status}");
    }
    let calls = testbed.gate.calls_of("AssumeRole").len();
    testbed.gate.clear_faults();
    table.at_most("STS calls for 500 cold requests", "", calls as f64, 1.0);
    Ok(())
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

impl Proxy {
    /// A connection of a pod that asks for its own credentials.
    async fn client(&self, pod: usize, v2: bool) -> Result<Client> {
        let from = stage::address(pod);
        let role = stage::role(pod);
        let token = match v2 {
            true => Some(Client::token(self.address, from).await.context("a token")?),
            false => None,
        };
        Client::connect(
            self.address,
            from,
            Question::Credentials(&role),
            token.as_deref(),
        )
        .await
    }
}
