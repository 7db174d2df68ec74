//! STS, when it is asked and when it is slow.

use super::{A, B, CREDENTIALS_A, LIST};
use crate::fixture::{Proxy, WAITS, pod};
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
    let proxy = Proxy::start().await;
    proxy.sts.delay(WAITS.answer + Duration::from_millis(100));
    let start = Instant::now();
    let reply = proxy.get(A, CREDENTIALS_A).await;
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (503, Some("1"))
    );
    assert!(
        start.elapsed() < WAITS.answer + Duration::from_millis(100),
        "within the bound"
    );
    assert_eq!(proxy.get(A, CREDENTIALS_A).await.status, 200);
    assert_eq!(proxy.sts.calls().len(), 1);
}

/// N21
#[tokio::test]
async fn a_denial_is_remembered() {
    let proxy = Proxy::start().await;
    for (class, status) in [(ErrorClass::Denied, 500), (ErrorClass::Throttled, 503)] {
        let proxy = if class == ErrorClass::Denied {
            &proxy
        } else {
            &Proxy::start().await
        };
        proxy.sts.fail(Some(class));
        for _ in 0..3 {
            assert_eq!(proxy.get(A, CREDENTIALS_A).await.status, status);
        }
        assert_eq!(proxy.sts.calls().len(), 1, "{class}");
        assert_eq!(
            proxy.get(A, LIST).await.status,
            200,
            "the list does not need STS"
        );
    }
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
        assert!(start.elapsed() < Duration::from_secs(5));
        tokio::task::yield_now().await;
    }
    drop(stream);
    assert_eq!(proxy.get(A, CREDENTIALS_A).await.status, 200);
    assert_eq!(proxy.sts.calls().len(), 1);
}
