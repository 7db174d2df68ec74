//! Raw bytes, almost right and quite wrong, in numbers.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::connection;
use crate::fixture::{Proxy, pod};
use crate::respond::Peer;

/// How many requests there are, unless `ISTHMUS_FUZZ_REQUESTS` says otherwise.
const REQUESTS: usize = 20_000;
const ON_ONE_CONNECTION: usize = 2;

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

const TARGETS: [&str; 22] = [
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

fn request(random: &mut Random) -> Vec<u8> {
    let mut target = random.of(&TARGETS).to_owned();
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

/// Never a panic, never credentials or a name of another pod's role, never
/// anything of the real service that is not on the list.
#[tokio::test]
async fn raw_requests_in_numbers() {
    let wanted = std::env::var("ISTHMUS_FUZZ_REQUESTS")
        .ok()
        .and_then(|text| text.parse().ok());
    let proxy = Proxy::start().await;
    proxy.directory.change(|directory| {
        directory
            .pods
            .apply(pod("b", "127.0.1.2", Some("team/role-b-secret")));
    });
    let peer = Peer {
        address: "127.0.1.1".parse().unwrap(),
        local: "127.0.0.1".parse().unwrap(),
    };
    let shutdown = CancellationToken::new();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut sent, mut served) = (0, 0);
    while sent < wanted.unwrap_or(REQUESTS) {
        let requests: Vec<Vec<u8>> = (0..ON_ONE_CONNECTION)
            .map(|_| request(&mut random))
            .collect();
        sent += requests.len();
        let bytes = requests.concat();
        let (mut client, server) = tokio::io::duplex(64 * 1024);
        let mut answer = Vec::new();
        let talk = async {
            // The proxy may have closed before it has read everything.
            let _ = client.write_all(&bytes).await;
            let _ = client.shutdown().await;
            client.read_to_end(&mut answer).await.unwrap();
        };
        tokio::join!(
            talk,
            connection(server, peer, proxy.responder.clone(), shutdown.clone())
        );
        let text = String::from_utf8_lossy(&answer);
        assert!(
            !text.contains("role-b-secret"),
            "{}\n{text}",
            String::from_utf8_lossy(&bytes)
        );
        served += text.matches("AccessKeyId").count();
    }
    assert!(
        served * 200 > sent,
        "{served} of {sent} got credentials: these requests prove little"
    );
    for head in proxy.upstream() {
        let (line, rest) = head.split_once("\r\n").unwrap();
        let path = line
            .strip_prefix("GET /latest/")
            .and_then(|line| line.strip_suffix(" HTTP/1.1"));
        assert!(
            matches!(
                path,
                Some("meta-data/placement/region" | "meta-data/local-ipv4")
            ),
            "{head}"
        );
        assert_eq!(
            rest.matches("\r\n").count(),
            3,
            "our token and Host: {head}"
        );
    }
    assert!(!proxy.upstream().is_empty());
    let roles: std::collections::BTreeSet<String> = proxy
        .sts
        .calls()
        .iter()
        .map(|grant| grant.role.name().to_owned())
        .collect();
    assert_eq!(Vec::from_iter(roles), ["role-a"]);
}
