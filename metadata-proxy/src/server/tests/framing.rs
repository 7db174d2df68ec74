//! What comes in as bytes.

use super::{A, B, CREDENTIALS_A, LIST};
use crate::fixture::{PATIENCE, Proxy, Reply, Setting};
use crate::respond::Peer;
use crate::server::{
    CONNECTIONS_OF_ONE, CONNECTIONS_OF_ONE_UNKNOWN, CONNECTIONS_OF_UNKNOWN, Counts, Place,
    connection,
};
use futures::FutureExt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

/// N13: 400, and the connection ends with it, whatever comes behind.
#[tokio::test]
async fn what_no_client_sends() {
    let proxy = Proxy::start().await;
    let smuggled = format!("GET {LIST} HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n");
    let with =
        |headers: &str| format!("GET {LIST} HTTP/1.1\r\nHost: 169.254.169.254\r\n{headers}\r\n");
    for bytes in [
        with("Content-Length: 5\r\n") + "hello" + &smuggled,
        with("Content-Length: 5, 5\r\n") + "hello" + &smuggled,
        with("Content-Length: 0\r\nContent-Length: 5\r\n") + "hello" + &smuggled,
        with("Content-Length: +0\r\n") + &smuggled,
        with("Transfer-Encoding: chunked\r\n") + "0\r\n\r\n" + &smuggled,
        with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n" + &smuggled,
        with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n" + &smuggled,
        with("Transfer-Encoding: identity\r\n") + &smuggled,
        with("Transfer-Encoding: chunked, x\r\n") + &smuggled,
        with("Upgrade: h2c\r\nConnection: Upgrade\r\n") + &smuggled,
        with("Upgrade: websocket\r\n") + &smuggled,
        with("Content-Length : 0\r\n") + &smuggled,
        format!(
            "GET http://169.254.169.254{LIST} HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n{smuggled}"
        ),
        format!("GET http://evil.example/ HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n{smuggled}"),
        format!("CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n{smuggled}"),
        format!("CONNECT {LIST} HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n{smuggled}"),
        format!("OPTIONS * HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n{smuggled}"),
        format!("GET ?x HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n{smuggled}"),
        format!("GET latest/meta-data HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n{smuggled}"),
        format!("GET  {LIST} HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n{smuggled}"),
        format!("GET {LIST} HTTP/1.1\r\nHost: 169.254.169.254\r\n folded: x\r\n\r\n{smuggled}"),
        format!("GET {LIST} HTTP/1.1\r\nHost: 169.254.169.254\r\nx\0: y\r\n\r\n{smuggled}"),
    ] {
        let text = proxy.raw(A, &bytes).await;
        let reply = Reply::read(&text);
        assert_eq!(reply.status, 400, "{bytes:?}: {text}");
        assert_eq!(
            text.matches("HTTP/1.1 ").count(),
            1,
            "one answer and no more: {bytes:?}: {text}"
        );
    }
    assert_eq!(proxy.upstream(), [""; 0]);
}

/// What hyper reads more kindly than others do. None of it gives a pod anything that is not its own.
#[tokio::test]
async fn what_hyper_lets_pass() {
    let proxy = Proxy::start().await;
    let fragment = proxy.get(A, &format!("{CREDENTIALS_A}#/../role-b")).await;
    assert_eq!(fragment.status, 200, "a fragment is cut off");
    let newlines = format!("GET {LIST} HTTP/1.1\nHost: 169.254.169.254\nConnection: close\n\n");
    assert_eq!(Reply::read(&proxy.raw(A, newlines).await).body, "role-a");
    let old = format!("GET {LIST} HTTP/1.0\r\nHost: 169.254.169.254\r\n\r\n");
    assert_eq!(Reply::read(&proxy.raw(A, old).await).body, "role-a");
    let zero = proxy
        .ask(A, "GET", LIST, "Content-Length: 0\r\nContent-Length: 0\r\n")
        .await;
    assert_eq!(zero.status, 200, "nothing, twice");
    let expect = proxy.ask(A, "GET", LIST, "Expect: 100-continue\r\n").await;
    assert_eq!(expect.status, 200);
}

#[tokio::test]
async fn other_protocols_get_no_answer() {
    let proxy = Proxy::start().await;
    let preface = proxy.raw(A, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(!preface.contains("200"), "{preface}");
    let tls = proxy
        .raw(A, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        .await;
    assert!(!tls.contains("200"), "{tls}");
}

#[tokio::test]
async fn heads_have_a_limit() {
    let proxy = Proxy::start().await;
    let long = format!("X: {}\r\n", "x".repeat(9000));
    assert_eq!(proxy.ask(A, "GET", LIST, &long).await.status, 431);
    let many = "X: y\r\n".repeat(200);
    assert_eq!(proxy.ask(A, "GET", LIST, &many).await.status, 431);
}

#[tokio::test]
async fn a_connection_serves_many_requests_of_one_pod() {
    let proxy = Proxy::start().await;
    let one = format!("GET {LIST} HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n");
    let last = format!("GET {LIST} HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: close\r\n\r\n");
    let text = proxy.raw(A, [one.as_str(), &one, &last].concat()).await;
    assert_eq!(text.matches("HTTP/1.1 200").count(), 3, "{text}");
}

/// A body that is announced and never sent holds nothing up.
#[tokio::test]
async fn a_body_is_not_waited_for() {
    let proxy = Proxy::start().await;
    let mut stream = proxy.connect(A).await;
    let head =
        format!("GET {LIST} HTTP/1.1\r\nHost: 169.254.169.254\r\nContent-Length: 1000\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the connection is closed");
    assert!(answer.starts_with(b"HTTP/1.1 400"));
}

#[test]
fn one_address_cannot_take_all_places() {
    let counts = Arc::new(Counts::default());
    let [a, b] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse::<IpAddr>().unwrap());
    let take = |address, known| Place::take(&counts, address, known);
    let held: Vec<Place> = std::iter::from_fn(|| take(a, true)).collect();
    assert_eq!(held.len(), CONNECTIONS_OF_ONE);
    assert!(take(b, true).is_some());
    drop(held);
    assert!(take(a, true).is_some());

    // Those whom nobody knows get fewer, and leave room for those who are known.
    let source = |n: u8| IpAddr::from([10, 1, 0, n]);
    let held: Vec<Place> = (0..=255)
        .flat_map(|n| std::iter::from_fn(move || take(source(n), false)))
        .collect();
    assert_eq!(held.len(), CONNECTIONS_OF_UNKNOWN);
    let of_first = held.iter().filter(|place| place.address == source(0));
    assert_eq!(of_first.count(), CONNECTIONS_OF_ONE_UNKNOWN);
    assert!(take(a, true).is_some());
    drop(held);
    let open = counts.0.lock().unwrap();
    assert_eq!((open.all, open.unknown, open.by_address.len()), (0, 0, 0));
}

/// How long a connection lasts on which the client does this every second.
async fn lasts(proxy: &Proxy, every_second: &[u8]) -> Duration {
    let (mut client, server) = tokio::io::duplex(64 * 1024);
    let peer = Peer {
        address: A.parse().unwrap(),
        local: "127.0.0.1".parse().unwrap(),
    };
    let start = tokio::time::Instant::now();
    let serving = connection(
        server,
        peer,
        proxy.responder.clone(),
        CancellationToken::new(),
    );
    let talking = async {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let _ = client.write_all(every_second).await;
            let mut answers = [0; 4096];
            let _ = client.read(&mut answers).now_or_never();
        }
    };
    tokio::select! {
        () = serving => {}
        () = talking => {}
    }
    start.elapsed()
}

/// Idle, with a head that never ends, and busy all the time. On a clock that jumps.
#[tokio::test]
async fn connections_end() {
    let proxy = Proxy::start().await;
    tokio::time::pause();
    let seconds = |lasted: Duration| lasted.as_secs_f64().round();
    assert_eq!(seconds(lasts(&proxy, b"").await), 15.0);
    assert_eq!(seconds(lasts(&proxy, b"x").await), 15.0);
    let busy = format!("GET {LIST} HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n");
    assert_eq!(seconds(lasts(&proxy, busy.as_bytes()).await), 300.0);
}

/// The rest is told to come again, and another pod notices nothing.
#[tokio::test]
async fn one_pod_cannot_ask_all_the_time() {
    let proxy = Proxy::with(Setting {
        request_rate: 1,
        ..Setting::default()
    })
    .await;
    // More than a slow machine lets through in the time that it takes to ask.
    let replies = futures::future::join_all((0..200).map(|_| proxy.get(A, LIST))).await;
    let (answered, refused): (Vec<_>, Vec<_>) =
        replies.into_iter().partition(|reply| reply.status == 200);
    assert!(answered.len() >= 2, "two seconds' worth at once");
    let reply = refused.first().expect("one of two hundred is refused");
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (503, Some("1"))
    );
    assert!(reply.body.starts_with("too many requests"), "{reply:?}");
    assert_eq!(proxy.get(B, LIST).await.status, 200);
    assert_ne!(proxy.get(A, "/healthz").await.body, reply.body);
    proxy.get_until(A, LIST, |reply| reply.status == 200).await;
}
