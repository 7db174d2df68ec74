//! 220 pods and a proxy for them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use isthmus_e2e::{ACCOUNT, Process, Testbed, free_port};
use serde_json::json;
use tokio::net::TcpStream;

use crate::process::Watched;

const PROXY: &str = "isthmus-metadata-proxy";

/// Pods with a role on the node.
pub(crate) const PODS: usize = 220;
const ROLES: usize = 25;

/// Requests before the memory is read for the last time.
pub(crate) fn requests() -> usize {
    let set = std::env::var("ISTHMUS_BENCH_REQUESTS").ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(1_000_000)
}

/// The pods, in the API server.
pub(crate) struct Stage<'a> {
    testbed: &'a Testbed,
    pub(crate) requests: usize,
}

/// A proxy that runs.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) process: Watched,
    pub(crate) took: Duration,
    child: Process,
}

/// The address of a pod with a role.
pub(crate) fn address(pod: usize) -> IpAddr {
    let [.., high, low] = pod.to_be_bytes();
    Ipv4Addr::new(127, 1, high, low).into()
}

/// Its role.
pub(crate) fn role(pod: usize) -> String {
    format!("role-{}", pod % ROLES)
}

impl<'a> Stage<'a> {
    pub(crate) async fn set(testbed: &'a Testbed) -> Result<Self> {
        let stage = Self {
            testbed,
            requests: requests(),
        };
        let mut pods = vec![manifest("plain", stage.plain(), None)];
        pods.extend((0..PODS).map(|n| manifest(&format!("pod-{n}"), address(n), Some(role(n)))));
        // One first: it makes the namespace.
        let (first, rest) = pods.split_first().context("pods")?;
        testbed.apply_yaml(first).await?;
        futures::stream::iter(rest.iter().map(|yaml| testbed.apply_yaml(yaml)))
            .buffer_unordered(8)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(stage)
    }

    pub(crate) fn pod(&self, n: usize) -> IpAddr {
        address(n)
    }

    /// A pod without a role.
    pub(crate) fn plain(&self) -> IpAddr {
        Ipv4Addr::new(127, 2, 0, 1).into()
    }

    /// Nobody.
    pub(crate) fn stranger(&self) -> IpAddr {
        Ipv4Addr::new(127, 3, 0, 1).into()
    }

    /// A proxy that takes connections.
    pub(crate) async fn listening(&self, more: &[&str]) -> Result<Proxy> {
        let port = free_port()?;
        let port_flag = format!("--app-port={port}");
        let base = format!("--base-role-arn=arn:aws:iam::{ACCOUNT}:role/");
        // The limit is passed by nobody here, but it is looked at.
        let args = [
            &port_flag,
            "--node=node-1",
            &base,
            "--pod-request-rate=1000000",
        ];
        let command = self.testbed.command(PROXY).await?.args(&args).args(more);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let start = Instant::now();
        let mut child = command.spawn()?;
        while TcpStream::connect(address).await.is_err() {
            ensure!(child.ended()?.is_none(), "{}", child.stderr());
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        let took = start.elapsed();
        Ok(Proxy {
            address,
            process: Watched::find(PROXY, &port_flag)?,
            took,
            child,
        })
    }

    /// A proxy that is ready.
    pub(crate) async fn proxy(&self, more: &[&str]) -> Result<Proxy> {
        let mut proxy = self.listening(more).await?;
        proxy.child.wait_ready().await?;
        Ok(proxy)
    }
}

impl Proxy {
    /// Waits until the credentials of every pod are held.
    pub(crate) async fn holds_all(&self, testbed: &Testbed) -> Result<()> {
        let line = format!("isthmus_managed{{kind=\"credentials\"}} {PODS}");
        let start = Instant::now();
        loop {
            let (_, metrics) = self.child.admin_page("/metrics").await?;
            if metrics.lines().any(|found| found == line) {
                return Ok(());
            }
            if start.elapsed() > Duration::from_secs(120) {
                let calls = testbed.gate.calls_of("AssumeRole").len();
                bail!(
                    "{calls} calls of STS and not all credentials\n{}",
                    self.child.stderr()
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn manifest(name: &str, ip: IpAddr, role: Option<String>) -> String {
    let annotations = role.map(|role| json!({"iam.amazonaws.com/role": role}));
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "annotations": annotations},
        "spec": {"nodeName": "node-1", "containers": [{"name": "main", "image": "pause"}]},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "hostIP": "10.20.16.10"},
    })
    .to_string()
}
