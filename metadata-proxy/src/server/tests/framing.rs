//! What comes in as bytes.

use super::{A, CREDENTIALS_A, LIST};
use crate::fixture::{Proxy, Reply};
use crate::server::{CONNECTIONS_OF_ONE, Counts, Place};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the connection is closed");
    assert!(answer.starts_with(b"HTTP/1.1 400"));
}

#[test]
fn one_address_cannot_take_all_places() {
    let counts = Arc::new(Counts::default());
    let [a, b] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse::<IpAddr>().unwrap());
    let held: Vec<Place> = std::iter::from_fn(|| Place::take(&counts, a)).collect();
    assert_eq!(held.len(), CONNECTIONS_OF_ONE);
    assert!(Place::take(&counts, b).is_some());
    drop(held);
    assert!(Place::take(&counts, a).is_some());
    assert_eq!(counts.0.lock().unwrap().0, 0);
    assert!(counts.0.lock().unwrap().1.is_empty());
}
