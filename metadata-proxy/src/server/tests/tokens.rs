//! Session tokens.

use super::{A, B, LIST};
use crate::fixture::{PATIENCE, Proxy, Setting};
use metadata_proxy_core::ImdsV2;
use std::time::{Duration, Instant};

/// N7
#[tokio::test]
async fn tokens_are_issued_as_imds_does() {
    let proxy = Proxy::start().await;
    let put = async |headers: &str| proxy.ask(A, "PUT", "/latest/api/token", headers).await;
    for ttl in ["1", "21600"] {
        let reply = put(&format!("X-aws-ec2-metadata-token-ttl-seconds: {ttl}\r\n")).await;
        assert_eq!(reply.status, 200);
        assert_eq!(
            reply.header("x-aws-ec2-metadata-token-ttl-seconds"),
            Some(ttl)
        );
        assert!(
            !reply.body.is_empty() && reply.body.bytes().all(|b| b.is_ascii_graphic()),
            "{:?}",
            reply.body
        );
    }
    for headers in [
        "",
        "X-aws-ec2-metadata-token-ttl-seconds: 0\r\n",
        "X-aws-ec2-metadata-token-ttl-seconds: 21601\r\n",
        "X-aws-ec2-metadata-token-ttl-seconds: abc\r\n",
        "X-aws-ec2-metadata-token-ttl-seconds: 60\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n",
    ] {
        assert_eq!(put(headers).await.status, 400, "{headers:?}");
    }
    let get = proxy.get(A, "/latest/api/token").await;
    assert_eq!((get.status, get.header("allow")), (405, Some("put")));
}

/// N8, with version 1 and without.
#[tokio::test]
async fn tokens_are_checked() {
    for imds_v2 in [ImdsV2::Optional, ImdsV2::Required] {
        let proxy = Proxy::with(Setting {
            imds_v2,
            ..Setting::default()
        })
        .await;
        let token = proxy.token(A, 60).await;
        let with = async |from: &str, token: &str| {
            proxy
                .ask(
                    from,
                    "GET",
                    LIST,
                    &format!("X-aws-ec2-metadata-token: {token}\r\n"),
                )
                .await
                .status
        };
        assert_eq!(with(A, &token).await, 200);
        assert_eq!(with(B, &token).await, 401, "another pod's token");
        assert_eq!(with(A, "bogus").await, 401);
        assert_eq!(with(A, "").await, 401);
        let without = proxy.get(A, LIST).await.status;
        assert_eq!(
            without,
            if imds_v2 == ImdsV2::Required {
                401
            } else {
                200
            }
        );
        let twice =
            format!("X-aws-ec2-metadata-token: {token}\r\nX-aws-ec2-metadata-token: {token}\r\n");
        assert_eq!(proxy.ask(A, "GET", LIST, &twice).await.status, 400);
    }
}

/// N8: an expired token.
#[tokio::test]
async fn a_token_expires() {
    let proxy = Proxy::start().await;
    let token = proxy.token(A, 1).await;
    let header = format!("X-aws-ec2-metadata-token: {token}\r\n");
    let start = Instant::now();
    while proxy.ask(A, "GET", LIST, &header).await.status == 200 {
        assert!(start.elapsed() < PATIENCE, "it does not expire");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(proxy.ask(A, "GET", LIST, &header).await.status, 401);
}
