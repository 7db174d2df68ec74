//! STS, when it is asked and when it is slow.

use super::{A, B, CREDENTIALS_A, LIST};
use crate::config::Waits;
use crate::fixture::{PATIENCE, Proxy, Reply, Setting, WAITS, pod};
use isthmus_core::ErrorClass;
use metadata_proxy_core::Pod;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

/// N18
#[tokio::test]
async fn fifty_at_once_make_one_call() {
    let proxy = Proxy::start().await;
    proxy.sts.delay(Duration::from_millis(50));
    let replies = futures::future::join_all((0..50).map(|_| proxy.get(A, CREDENTIALS_A))).await;
    assert!(
        replies
            .iter()
            .all(|reply| reply.status == 200 && reply.body == replies[0].body)
    );
    assert_eq!(proxy.sts.calls().len(), 1);
}

/// N19
#[tokio::test]
async fn another_external_id_is_another_session() {
    let proxy = Proxy::start().await;
    let first = proxy.get(A, CREDENTIALS_A).await.body;
    let with_id = Pod {
        external_id: Some("id-1".into()),
        ..pod("a", A, Some("role-a"))
    };
    proxy
        .directory
        .change(|directory| directory.pods.apply(with_id));
    let second = proxy.get(A, CREDENTIALS_A).await.body;
    assert_ne!(first, second);
    let ids: Vec<_> = proxy
        .sts
        .calls()
        .into_iter()
        .map(|grant| grant.external_id.clone())
        .collect();
    assert_eq!(ids, [None, Some("id-1".to_owned())]);
    let same_role = pod("b", B, Some("role-a"));
    proxy
        .directory
        .change(|directory| directory.pods.apply(same_role));
    assert_ne!(
        proxy.get(B, CREDENTIALS_A).await.body,
        first,
        "each pod has its own session"
    );
}

/// N20: the call goes on for those who ask later.
#[tokio::test]
async fn a_slow_sts_is_a_503_and_then_a_hit() {
    let proxy = Proxy::with(Setting {
        waits: Waits {
            answer: WAITS.pod,
            ..WAITS
        },
        ..Setting::default()
    })
    .await;
    let release = proxy.sts.hold();
    let reply = proxy.get(A, CREDENTIALS_A).await;
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (503, Some("1"))
    );
    drop(release);
    let served = |reply: &Reply| reply.status == 200;
    proxy.get_until(A, CREDENTIALS_A, served).await;
    assert_eq!(proxy.sts.calls().len(), 1);
}

/// N21: a denial, for as long as the flag says.
#[tokio::test]
async fn a_denial_is_remembered() {
    let proxy = Proxy::with(Setting {
        error_ttl: Some(Duration::from_secs(3600)),
        ..Setting::default()
    })
    .await;
    proxy.sts.fail(Some(ErrorClass::Denied));
    for _ in 0..3 {
        assert_eq!(proxy.get(A, CREDENTIALS_A).await.status, 500);
    }
    assert_eq!(proxy.sts.calls().len(), 1);
    assert_eq!(
        proxy.get(A, LIST).await.status,
        200,
        "the list does not need STS"
    );
}

/// N21: anything else, for half a second at least.
#[tokio::test]
async fn throttling_is_given_way_to() {
    let proxy = Proxy::start().await;
    proxy.sts.fail(Some(ErrorClass::Throttled));
    let start = Instant::now();
    for _ in 0..20 {
        assert_eq!(proxy.get(A, CREDENTIALS_A).await.status, 503);
    }
    let pauses = start.elapsed().as_millis() / 500;
    let calls = proxy.sts.calls().len();
    assert!(
        calls as u128 <= 1 + pauses,
        "{calls} calls, {pauses} pauses"
    );
    assert_eq!(proxy.get(A, LIST).await.status, 200);
}

/// A pod that goes away while STS is being asked leaves nothing behind.
#[tokio::test]
async fn a_client_that_hangs_up_does_not_stop_the_call() {
    let proxy = Proxy::start().await;
    proxy.sts.delay(Duration::from_millis(50));
    let mut stream = proxy.connect(A).await;
    let head = format!("GET {CREDENTIALS_A} HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let start = Instant::now();
    while proxy.sts.calls().is_empty() {
        assert!(start.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
    drop(stream);
    assert_eq!(proxy.get(A, CREDENTIALS_A).await.status, 200);
    assert_eq!(proxy.sts.calls().len(), 1);
}
