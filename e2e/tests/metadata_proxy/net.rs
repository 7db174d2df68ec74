//! A node, its pods and the real metadata service, each in a network namespace of its own.

use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use anyhow::{Context, Result, ensure};
use isthmus_e2e::{ACCOUNT, Process, Testbed};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpStream, UnixListener};
use tokio::process::{Child, Command};

use crate::client::{PATIENT, PROXY, until};

/// What a container may not do, or its kernel cannot.
const PROBE: &str = "set -e
ip netns add $0
ip -n $0 link add p0 type veth peer name p1
ip -n $0 addr add fd00::1/64 dev p0 nodad
nat='-w 60 -t nat -A PREROUTING -p tcp -m tcp --dport 80 -m comment --comment probe'
ip netns exec $0 iptables $nat -d 192.0.2.1 -j DNAT --to-destination 192.0.2.2:81
ip netns exec $0 ip6tables $nat -d fd00::2 -j DNAT --to-destination [fd00::3]:81
";

/// Why the test cannot run here.
pub(crate) async fn missing() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let root = status
        .lines()
        .any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"));
    if !root {
        return Some("root".to_owned());
    }
    for program in ["ip", "iptables", "ip6tables", "curl"] {
        let version = if program == "ip" { "-V" } else { "--version" };
        let ran = Command::new(program)
            .arg(version)
            .stdout(Stdio::null())
            .status()
            .await;
        if !ran.is_ok_and(|status| status.success()) {
            return Some(program.to_owned());
        }
    }
    // As on a machine that was booted with ipv6.disable=1.
    if !std::path::Path::new("/proc/net/if_inet6").exists() {
        return Some("IPv6".to_owned());
    }
    let number = LAID.fetch_add(1, Relaxed);
    let probe = format!("isthmus-{}-{number}-probe", std::process::id());
    let made = run("sh", &["-c", PROBE, &probe]).await;
    let _ = run("ip", &["netns", "del", &probe]).await;
    made.err()
        .map(|error| format!("network namespaces and rules in them ({error})"))
}

async fn run(program: &str, args: &[&str]) -> Result<String> {
    let output = Command::new(program).args(args).output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{program} {}: {said}",
        args.join(" ")
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// How many were laid by this process.
static LAID: AtomicUsize = AtomicUsize::new(0);

/// The namespaces of a test; gone with it.
pub(crate) struct Net {
    prefix: String,
    interface: &'static str,
    helpers: Vec<Child>,
}

impl Drop for Net {
    fn drop(&mut self) {
        for helper in &mut self.helpers {
            let _ = helper.start_kill();
        }
        for name in ["node", "imds", "a", "b", "plain"] {
            let name = self.name(name);
            let _ = std::process::Command::new("ip")
                .args(["netns", "del", &name])
                .status();
        }
    }
}

impl Net {
    /// A node with three pods behind `cali*` and the metadata service behind `eth0`.
    /// `interface` is that of the redirection.
    pub(crate) async fn lay(interface: &'static str) -> Result<Self> {
        let net = Self {
            interface,
            prefix: format!(
                "isthmus-{}-{}",
                std::process::id(),
                LAID.fetch_add(1, Relaxed)
            ),
            helpers: Vec::new(),
        };
        let script = ["a", "b", "plain"].iter().enumerate().map(|(n, pod)| {
            format!(
                "ip netns add $P-{pod}\n\
                 ip -n $P-node link add cali{n} type veth peer name eth0 netns $P-{pod}\n\
                 ip -n $P-node addr add 10.244.{n}.1/24 dev cali{n}\n\
                 ip -n $P-node addr add fd00:244:{n}::1/64 dev cali{n} nodad\n\
                 ip -n $P-node link set cali{n} up\n\
                 ip -n $P-{pod} addr add 10.244.{n}.2/24 dev eth0\n\
                 ip -n $P-{pod} addr add fd00:244:{n}::2/64 dev eth0 nodad\n\
                 ip -n $P-{pod} link set lo up\n\
                 ip -n $P-{pod} link set eth0 up\n\
                 ip -n $P-{pod} route add default via 10.244.{n}.1\n\
                 ip -n $P-{pod} route add default via fd00:244:{n}::1\n"
            )
        });
        let node = "ip netns add $P-node\n\
             ip netns add $P-imds\n\
             ip -n $P-node link set lo up\n\
             ip -n $P-imds link set lo up\n\
             ip -n $P-node link add eth0 type veth peer name eth0 netns $P-imds\n\
             ip -n $P-node addr add 10.9.0.1/24 dev eth0\n\
             ip -n $P-node addr add fd00:9::1/64 dev eth0 nodad\n\
             ip -n $P-imds addr add 10.9.0.2/24 dev eth0\n\
             ip -n $P-imds addr add fd00:9::2/64 dev eth0 nodad\n\
             ip -n $P-imds addr add 169.254.169.254/32 dev lo\n\
             ip -n $P-imds addr add fd00:ec2::254/128 dev lo nodad\n\
             ip -n $P-node link set eth0 up\n\
             ip -n $P-imds link set eth0 up\n\
             ip -n $P-node route add 169.254.169.254 via 10.9.0.2\n\
             ip -n $P-node route add fd00:ec2::254 via fd00:9::2\n\
             ip -n $P-imds route add default via 10.9.0.1\n\
             ip -n $P-imds route add default via fd00:9::1\n\
             ip netns exec $P-node sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'\n";
        let script = format!(
            "set -e\nP={}\n{node}{}",
            net.prefix,
            script.collect::<String>()
        );
        run("sh", &["-c", &script]).await?;
        Ok(net)
    }

    pub(crate) fn name(&self, of: &str) -> String {
        format!("{}-{of}", self.prefix)
    }

    pub(crate) async fn within(&self, of: &str, words: &[&str]) -> Result<String> {
        run("ip", &[&["netns", "exec", &self.name(of)], words].concat()).await
    }

    /// A Python program in a namespace, for as long as the test.
    pub(crate) async fn python(
        &mut self,
        testbed: &Testbed,
        of: &str,
        program: &str,
        args: &[String],
    ) -> Result<()> {
        let child = Command::new("ip")
            .args(["netns", "exec", &self.name(of)])
            .arg(testbed.python().await?)
            .args(["-c", program])
            .args(args)
            .kill_on_drop(true)
            .spawn()?;
        self.helpers.push(child);
        Ok(())
    }

    /// Makes ports of this machine's loopback those of the node's, through Unix sockets.
    pub(crate) async fn forward(&mut self, testbed: &Testbed, ports: &[String]) -> Result<()> {
        let folder = testbed.scratch()?;
        for port in ports {
            let listener = UnixListener::bind(folder.join(port))?;
            let target = format!("127.0.0.1:{port}");
            tokio::spawn(async move {
                while let Ok((mut from, _)) = listener.accept().await {
                    let target = target.clone();
                    tokio::spawn(async move {
                        let mut to = TcpStream::connect(target).await?;
                        copy_bidirectional(&mut from, &mut to).await
                    });
                }
            });
        }
        let args = [&[folder.display().to_string()], ports].concat();
        self.python(testbed, "node", FORWARD, &args).await?;
        // It opens them one after the other.
        let last = ports.last().context("a port")?;
        let url = format!("http://127.0.0.1:{last}/");
        until("the ports are joined", async || {
            Ok(self.curl("node", &url).await?.0 != 0)
        })
        .await
    }

    /// What a pod gets from a URL: the status, or 0 if nobody answers, and the body.
    pub(crate) async fn curl(&self, pod: &str, url: &str) -> Result<(u16, String)> {
        let name = self.name(pod);
        let output = Command::new("ip")
            .args([
                "netns",
                "exec",
                &name,
                "curl",
                "-s",
                "-g",
                "--max-time",
                "60",
                "-w",
                "\n%{http_code}",
                url,
            ])
            .output()
            .await?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, status) = text.rsplit_once('\n').context("curl says a status")?;
        Ok((status.parse()?, body.to_owned()))
    }

    /// `iptables` or `ip6tables` on the node, with these words. It waits for others
    /// that are at work: older ones have one lock for all namespaces.
    pub(crate) async fn nat(&self, program: &str, words: &str) -> Result<String> {
        let words = words.split_whitespace();
        let words: Vec<&str> = [program, "-w", "60", "-t", "nat"]
            .into_iter()
            .chain(words)
            .collect();
        self.within("node", &words).await
    }

    /// The rules of a family in the chain that leads pods.
    pub(crate) async fn rules(&self, program: &str) -> Result<Vec<String>> {
        let listing = self.nat(program, "-S PREROUTING").await?;
        Ok(listing
            .lines()
            .filter(|line| line.starts_with("-A"))
            .map(str::to_owned)
            .collect())
    }

    /// The binary on the node, with the flags of a redirection.
    async fn command(&self, testbed: &Testbed, words: &[&str]) -> Result<isthmus_e2e::Command> {
        let node = self.name("node");
        let command = testbed
            .command(PROXY)
            .await?
            .by(&["ip", "netns", "exec", &node]);
        let interface = format!("--host-interface={}", self.interface);
        Ok(command
            .args(words)
            .args(&["--host-ip=10.9.0.1", &interface]))
    }

    /// `redirect …` on the node: the exit code.
    pub(crate) async fn redirect(&self, testbed: &Testbed, action: &str) -> Result<Option<i32>> {
        let finished = self
            .command(testbed, &["redirect", action])
            .await?
            .run()
            .await?;
        eprintln!("redirect {action}: {finished}");
        Ok(finished.code)
    }

    /// A proxy on the node; ready.
    pub(crate) async fn proxy(&self, testbed: &Testbed, more: &[&str]) -> Result<Process> {
        let base = format!("--base-role-arn=arn:aws:iam::{ACCOUNT}:role/");
        let args = [&["--node=node-1", &base, "--iptables", PATIENT], more].concat();
        let process = self.command(testbed, &args).await?.spawn()?;
        until("the proxy is ready", async || {
            let log = process.stderr();
            ensure!(!log.contains("isthmus-metadata-proxy: "), "{log}");
            Ok(log.contains(" ready pods="))
        })
        .await?;
        Ok(process)
    }
}

/// Listens on ports of the loopback and joins each to the Unix socket of its name.
const FORWARD: &str = r#"
import asyncio, sys

async def copy(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()

async def main():
    folder, *ports = sys.argv[1:]
    for port in ports:
        async def joined(reader, writer, port=port):
            there = await asyncio.open_unix_connection(f"{folder}/{port}")
            await asyncio.gather(copy(reader, there[1]), copy(there[0], writer))
        await asyncio.start_server(joined, "127.0.0.1", int(port))
    await asyncio.Event().wait()

asyncio.run(main())
"#;

/// The real metadata service: answers everything, on both families.
pub(crate) const REAL: &str = r#"
import http.server, socket

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"the real service")

    def log_message(self, *_):
        pass

class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

Server(("::", 80), Handler).serve_forever()
"#;
