//! Raw bytes, almost right and quite wrong, in numbers.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use metadata_proxy_core::{Review, STS_AUDIENCE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::connection;
use super::tests::A;
use crate::fixture::{Proxy, jwt, pod};
use crate::respond::Peer;

/// How many requests are answered, unless `ISTHMUS_FUZZ_REQUESTS` says otherwise.
const REQUESTS: usize = 1_000_000;
/// On one connection at most; one that is malformed ends it earlier.
const PIPELINED: usize = 12;
/// One connection of so many is a real socket, the others are pipes.
const SOCKETS: usize = 32;
const TASKS: usize = 4;

/// A generator of numbers that is the same in every run (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(drawn).unwrap() % end
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

const METHODS: [&str; 7] = ["HEAD", "POST", "DELETE", "OPTIONS", "CONNECT", "get", "PRI"];

const TARGETS: [&str; 23] = [
    "/v1/credentials",
    "/latest/meta-data/iam/security-credentials/",
    "/latest/meta-data/iam/security-credentials",
    "/latest/meta-data/iam/security-credentials/role-a",
    "/latest/meta-data/iam/security-credentials/role-b",
    "/latest/meta-data/iam/security-credentials/arn:aws:iam::123456789012:role/role-a",
    "/latest/meta-data/iam/security-credentials/arn:aws:iam::123456789012:role/team/role-b",
    "/latest/meta-data/iam/security-credentials/../info",
    "/latest/meta-data/iam/info",
    "/latest/api/token",
    "/2021-07-15/api/token",
    "/latest/meta-data/placement/region",
    "/latest/meta-data/local-ipv4",
    "/latest/user-data",
    "/latest/meta-data/identity-credentials/ec2/security-credentials/ec2-instance",
    "/latest/meta-data/",
    "/healthz",
    "/metrics",
    "/",
    "*",
    "http://169.254.169.254/latest/user-data",
    "//169.254.169.254/latest/user-data",
    "169.254.169.254:80",
];

const PIECES: [&str; 24] = [
    "/",
    "//",
    "/./",
    "/../",
    "%2f",
    "%2F",
    "%2e",
    "%25",
    "%252f",
    "%00",
    "%0d%0a",
    "\\",
    ";",
    "?",
    "#",
    "@",
    ":",
    "%40",
    "role-b",
    "user-data",
    "latest",
    "\t",
    "\u{fc}",
    "\u{0}",
];

const HEADERS: [&str; 22] = [
    "Host: 169.254.169.254",
    "Host: evil.example",
    "Host:",
    "Content-Length: 0",
    "Content-Length: 5",
    "Content-Length: -1",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip, chunked",
    "Upgrade: h2c",
    "Connection: close",
    "Connection: keep-alive, x-aws-ec2-metadata-token",
    "X-Forwarded-For: 127.0.1.2",
    "Forwarded: for=127.0.1.2",
    "X-Real-IP: 127.0.1.2",
    "X-aws-ec2-metadata-token: bogus",
    "X-aws-ec2-metadata-token-ttl-seconds: 60",
    "X-aws-ec2-metadata-token-ttl-seconds: 0",
    "Expect: 100-continue",
    "User-Agent: x",
    " folded: x",
    "no colon",
    "X: \u{1}",
];

/// Tokens for the container endpoint: of pod `a`, which asks, and of pod `b`.
static TOKENS: LazyLock<[String; 2]> = LazyLock::new(|| ["uid-a", "uid-b"].map(token));

fn token(uid: &str) -> String {
    jwt(&serde_json::json!({
        "aud": STS_AUDIENCE, "exp": 4_000_000_000_u32, "kubernetes.io": {"pod": {"uid": uid}},
    }))
}

fn request(random: &mut Random) -> Vec<u8> {
    let mut target = random.of(&TARGETS).to_owned();
    let presents = target.starts_with("/v1/") && !random.once_in(8);
    for _ in 0..random.below(4).saturating_sub(1) {
        let at = random.below(target.len() + 1);
        if target.is_char_boundary(at) {
            target.insert_str(at, random.of(&PIECES));
        }
    }
    let version = if random.once_in(12) {
        random.of(&["HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "http/1.1", ""])
    } else {
        "HTTP/1.1"
    };
    let method = match random.below(6) {
        0 => random.of(&METHODS),
        1 => "PUT",
        _ => "GET",
    };
    let mut text = format!("{method} {target} {version}\r\n");
    if !random.once_in(10) {
        text.push_str("Host: 169.254.169.254\r\n");
    }
    if presents {
        let token = &TOKENS[usize::from(random.once_in(3))];
        let _ = write!(text, "Authorization: {token}\r\n");
    }
    for _ in 0..random.below(4).saturating_sub(1) {
        text.push_str(random.of(&HEADERS));
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    if random.once_in(4) {
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            let byte = u8::try_from(random.below(256)).unwrap();
            match random.below(3) {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
    }
    bytes
}

/// What became of the requests.
#[derive(Default)]
struct Tally {
    /// Answers, of whatever kind.
    answered: AtomicUsize,
    /// Credentials among them.
    served: AtomicUsize,
    /// Those from the container endpoint among these.
    contained: AtomicUsize,
}

/// Sends bytes as pod `a` and returns what comes back until the proxy closes.
async fn converse(proxy: &Proxy, bytes: &[u8], by_socket: bool) -> Vec<u8> {
    let mut answer = Vec::new();
    if by_socket {
        let mut stream = proxy.connect(A).await;
        // The proxy may have closed before it has read everything, or reset.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut answer).await;
        return answer;
    }
    let peer = Peer {
        address: A.parse().unwrap(),
        local: "127.0.0.1".parse().unwrap(),
    };
    let (mut client, server) = tokio::io::duplex(64 * 1024);
    let talk = async {
        let _ = client.write_all(bytes).await;
        let _ = client.shutdown().await;
        client.read_to_end(&mut answer).await.unwrap();
    };
    let shutdown = CancellationToken::new();
    tokio::join!(
        talk,
        connection(server, peer, proxy.responder.clone(), shutdown)
    );
    answer
}

/// One generator's share.
async fn converse_until(proxy: &Proxy, seed: u64, tally: &Tally, wanted: usize) {
    let mut random = Random(seed);
    while tally.answered.load(Ordering::Relaxed) < wanted {
        let count = 1 + random.below(PIPELINED);
        let mut bytes = Vec::new();
        for _ in 0..count {
            bytes.extend_from_slice(&request(&mut random));
        }
        let answer = converse(proxy, &bytes, random.once_in(SOCKETS)).await;
        let text = String::from_utf8_lossy(&answer);
        assert!(
            !text.contains("role-b-secret"),
            "{}\n{text}",
            String::from_utf8_lossy(&bytes)
        );
        let count = |what: &str| text.matches(what).count();
        tally
            .answered
            .fetch_add(count("HTTP/1."), Ordering::Relaxed);
        tally
            .served
            .fetch_add(count("AccessKeyId"), Ordering::Relaxed);
        tally
            .contained
            .fetch_add(count("AccountId"), Ordering::Relaxed);
    }
}

/// Never a panic, never credentials or a name of another pod's role, never
/// anything of the real service that is not on the list.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn raw_requests_in_numbers() {
    let wanted = std::env::var("ISTHMUS_FUZZ_REQUESTS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(REQUESTS);
    let proxy = Arc::new(Proxy::start().await);
    proxy.directory.change(|directory| {
        directory
            .pods
            .apply(pod("b", "127.0.1.2", Some("team/role-b-secret")));
    });
    for (pod, token) in ["uid-a", "uid-b"].iter().zip(TOKENS.iter()) {
        let review = Review::Of {
            pod_uid: (*pod).into(),
            namespace: "shop".into(),
            service_account: "default".into(),
        };
        proxy.tokens.say(pod, token, &review);
    }
    let tally = Arc::new(Tally::default());
    let mut tasks = JoinSet::new();
    for task in 0..TASKS as u64 {
        let (proxy, tally) = (proxy.clone(), tally.clone());
        let seed = 0x9e37_79b9_7f4a_7c15 ^ (task << 32);
        tasks.spawn(async move { converse_until(&proxy, seed, &tally, wanted).await });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let (answered, served) = (
        tally.answered.load(Ordering::Relaxed),
        tally.served.load(Ordering::Relaxed),
    );
    assert!(answered >= wanted);
    assert!(
        served * 100 > answered,
        "{served} of {answered} got credentials: these requests prove little"
    );
    let contained = tally.contained.load(Ordering::Relaxed);
    assert!(contained * 500 > answered, "{contained} of {answered}");
    let paths: BTreeSet<String> = proxy
        .upstream()
        .iter()
        .map(|head| upstream_path(head))
        .collect();
    let allowed = ["meta-data/local-ipv4", "meta-data/placement/region"];
    assert_eq!(Vec::from_iter(paths), allowed);
    let roles: BTreeSet<String> = proxy
        .sts
        .calls()
        .iter()
        .map(|grant| grant.role.name().to_owned())
        .collect();
    assert_eq!(Vec::from_iter(roles), ["role-a"]);
}

/// The path below the version, of a request whose other bytes are all the proxy's own.
fn upstream_path(head: &str) -> String {
    let (line, rest) = head.split_once("\r\n").unwrap();
    let target = line
        .strip_prefix("GET /")
        .and_then(|line| line.strip_suffix(" HTTP/1.1"));
    let (version, path) = target.and_then(|target| target.split_once('/')).unwrap();
    assert!(version == "latest" || version.len() == 10, "{head}");
    let mut headers: Vec<&str> = rest.trim_end().split("\r\n").collect();
    headers.retain(|header| !header.to_ascii_lowercase().starts_with("host: 127.0.0.1:"));
    assert_eq!(headers, ["x-aws-ec2-metadata-token: node-token"], "{head}");
    path.to_owned()
}
