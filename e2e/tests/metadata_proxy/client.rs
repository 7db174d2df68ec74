//! A proxy beside the test, pods, and who AWS says has some credentials.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aws_credential_types::Credentials;
use isthmus_e2e::{ACCOUNT, PATIENCE, Process, Testbed, eventually};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

pub(crate) const PROXY: &str = "isthmus-metadata-proxy";
pub(crate) const LIST: &str = "/latest/meta-data/iam/security-credentials/";
pub(crate) const A: &str = "127.0.1.1";
pub(crate) const B: &str = "127.0.1.2";
pub(crate) const PLAIN: &str = "127.0.1.3";
pub(crate) const STRANGER: &str = "127.0.9.9";

pub(crate) const ROLE: &str = "iam.amazonaws.com/role";

/// Nobody here gives up after a second, as SDKs do, and on a busy machine STS
/// may take longer: requests wait for it.
pub(crate) const PATIENT: &str = "--answer-timeout=1m";

/// A proxy beside the test.
pub(crate) struct Proxy {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Proxy {
    /// With the usual flags and these; ready.
    pub(crate) async fn start(testbed: &Testbed, more: &[&str]) -> Result<Self> {
        let mut proxy = Self::spawn(testbed, more).await?;
        proxy.process.wait_ready().await?;
        Ok(proxy)
    }

    /// With the usual flags and these; listening. Requests wait for STS unless
    /// a flag says for how long.
    pub(crate) async fn spawn(testbed: &Testbed, more: &[&str]) -> Result<Self> {
        let base = format!("--base-role-arn=arn:aws:iam::{ACCOUNT}:role/");
        let mut args = [&["--app-port=0", "--node=node-1", base.as_str()], more].concat();
        if !more.iter().any(|flag| flag.starts_with("--answer-timeout")) {
            args.push(PATIENT);
        }
        let mut process = testbed.spawn(PROXY, &args).await?;
        let address = listening(&mut process).await?;
        Ok(Self { process, address })
    }

    /// Bytes from a pod's address, and everything that comes back.
    pub(crate) async fn raw(&self, from: &str, bytes: &str) -> Result<String> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from.parse::<IpAddr>()?, 0).into())?;
        let mut stream = socket.connect(self.address).await?;
        stream.write_all(bytes.as_bytes()).await?;
        let mut answer = Vec::new();
        // A reset is as good as an end: it comes where bytes behind the answered
        // request were not read any more.
        let _ = stream.read_to_end(&mut answer).await;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    pub(crate) async fn ask(
        &self,
        from: &str,
        method: &str,
        path: &str,
        headers: &str,
    ) -> Result<Reply> {
        let host = "Host: 169.254.169.254\r\nConnection: close\r\n";
        let text = self
            .raw(
                from,
                &format!("{method} {path} HTTP/1.1\r\n{host}{headers}\r\n"),
            )
            .await?;
        let (head, body) = text
            .split_once("\r\n\r\n")
            .with_context(|| format!("no answer: {text:?}"))?;
        Ok(Reply {
            status: head[9..12].parse()?,
            head: head.to_lowercase(),
            body: body.to_owned(),
        })
    }

    pub(crate) async fn get(&self, from: &str, path: &str) -> Result<Reply> {
        self.ask(from, "GET", path, "").await
    }

    pub(crate) async fn status(&self, from: &str, path: &str) -> Result<u16> {
        Ok(self.get(from, path).await?.status)
    }

    /// What the real service says: a request of it may take a second and no
    /// longer, and a client that gets a 503 comes again.
    pub(crate) async fn passed_on(&self, from: &str, path: &str) -> Result<Reply> {
        eventually(path, async || {
            let reply = self.get(from, path).await?;
            Ok((reply.status != 503).then_some(reply))
        })
        .await
    }

    /// Waits until every one of these lines is among the metrics.
    pub(crate) async fn counts(&self, lines: &[&str]) -> Result<()> {
        for line in lines {
            until(line, async || {
                let (_, metrics) = self.process.admin_page("/metrics").await?;
                Ok(metrics.lines().any(|found| found == *line))
            })
            .await?;
        }
        Ok(())
    }

    /// Waits until its log has this text.
    pub(crate) async fn says(&self, text: &str) -> Result<()> {
        let logged = async || Ok(self.process.stderr().contains(text));
        let waited = until(text, logged).await;
        waited.with_context(|| self.process.stderr())
    }

    /// Ends it: everything that it has ever printed.
    pub(crate) async fn printed(self) -> Result<String> {
        let finished = self.process.terminate().await?;
        ensure!(finished.code == Some(0), "{finished}");
        Ok(finished.stdout + &finished.stderr)
    }

    /// The credentials of the role that the list names, as a JSON object.
    pub(crate) async fn credentials(&self, from: &str) -> Result<serde_json::Value> {
        let role = self.get(from, LIST).await?;
        ensure!(role.status == 200, "{role:?}");
        let reply = self.get(from, &format!("{LIST}{}", role.body)).await?;
        ensure!(reply.status == 200, "{reply:?}");
        Ok(serde_json::from_str(&reply.body)?)
    }
}

/// The address that the proxy says it listens on, by loopback.
pub(crate) async fn listening(process: &mut Process) -> Result<SocketAddr> {
    let start = Instant::now();
    loop {
        let log = process.stderr();
        let line = log.lines().find(|line| line.contains("listening for pods"));
        let port = line.and_then(|line| line.rsplit(':').next()?.trim().parse().ok());
        if let Some(port) = port {
            return Ok(([127, 0, 0, 1], port).into());
        }
        ensure!(
            process.ended()?.is_none() && start.elapsed() < PATIENCE,
            "it does not listen\n{log}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until `holds`.
pub(crate) async fn until<F: Future<Output = Result<bool>>>(
    what: &str,
    holds: impl Fn() -> F,
) -> Result<()> {
    let start = Instant::now();
    while !holds().await? {
        ensure!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// A running pod of `node-1` in the namespace `shop`.
pub(crate) fn pod(name: &str, ip: &str, annotations: &[(&str, &str)]) -> String {
    let annotations: serde_json::Map<_, _> = annotations
        .iter()
        .map(|(key, value)| ((*key).to_owned(), json!(value)))
        .collect();
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "annotations": annotations},
        "spec": {"nodeName": "node-1", "containers": [{"name": "main", "image": "pause"}]},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "hostIP": "10.20.16.10"},
    })
    .to_string()
}

/// Pods `a` (role-a), `b` (team/role-b, with an external id) and `plain` (none).
pub(crate) async fn pods(testbed: &Testbed) -> Result<()> {
    for yaml in [
        pod("a", A, &[(ROLE, "role-a")]),
        pod(
            "b",
            B,
            &[
                (ROLE, "/team/role-b"),
                ("iam.amazonaws.com/external-id", "id-b"),
            ],
        ),
        pod("plain", PLAIN, &[]),
    ] {
        testbed.apply_yaml(&yaml).await?;
    }
    Ok(())
}

/// Who AWS says has these credentials.
pub(crate) async fn caller(testbed: &Testbed, credentials: &serde_json::Value) -> Result<String> {
    let text = |key: &str| credentials[key].as_str().unwrap_or_default().to_owned();
    let credentials = Credentials::new(
        text("AccessKeyId"),
        text("SecretAccessKey"),
        Some(text("Token")),
        None,
        "the proxy",
    );
    identity(testbed, credentials).await
}

pub(crate) async fn identity(testbed: &Testbed, credentials: Credentials) -> Result<String> {
    let config = aws_sdk_sts::config::Builder::from(testbed.sdk())
        .credentials_provider(credentials)
        .build();
    let identity = aws_sdk_sts::Client::from_conf(config)
        .get_caller_identity()
        .send()
        .await?;
    Ok(identity.arn.unwrap_or_default())
}
