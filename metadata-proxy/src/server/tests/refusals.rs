//! What pods do not get.

use super::{A, B, CREDENTIALS_A, LIST, PLAIN, STRANGER};
use crate::fixture::{PATIENCE, Proxy, Reply, Setting, WAITS, pod};
use metadata_proxy_core::Pod;
use std::time::Instant;

/// N4: 403, and STS is not asked.
#[tokio::test]
async fn another_role_is_refused_without_asking_sts() {
    let proxy = Proxy::start().await;
    for role in [
        "team/role-b",
        "role-b",
        "admin",
        "arn:aws:iam::123456789012:role/team/role-b",
        "role-a/",
    ] {
        assert_eq!(
            proxy.get(A, &format!("{LIST}{role}")).await.status,
            403,
            "{role}"
        );
    }
    assert!(proxy.sts.calls().is_empty());
}

/// N1: a pod that is known and has no role is told so at once (N2, N3).
#[tokio::test]
async fn no_role_is_a_404_at_once() {
    let proxy = Proxy::with(Setting::patient()).await;
    for path in [LIST, CREDENTIALS_A, "/latest/meta-data/iam/info"] {
        let start = Instant::now();
        let reply = proxy.get(PLAIN, path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(!reply.body.is_empty());
        assert!(
            start.elapsed() < PATIENCE,
            "a deterministic denial does not wait"
        );
    }
}

/// N1: nobody is known by the address: a 503 after the wait, and not before.
#[tokio::test]
async fn an_unknown_address_waits_and_is_told_to_come_again() {
    let proxy = Proxy::start().await;
    let start = Instant::now();
    let reply = proxy.get(STRANGER, LIST).await;
    assert_eq!(reply.status, 503);
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert!(start.elapsed() >= WAITS.pod);
    assert_eq!(
        proxy
            .ask(
                STRANGER,
                "PUT",
                "/latest/api/token",
                "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n"
            )
            .await
            .status,
        503
    );
    assert!(proxy.sts.calls().is_empty());
}

/// N16
#[tokio::test]
async fn the_host_network_is_refused() {
    let proxy = Proxy::start().await;
    let host = Pod {
        host_network: true,
        ..pod("host", "127.0.2.1", Some("role-a"))
    };
    proxy
        .directory
        .change(|directory| directory.pods.apply(host));
    for path in [LIST, CREDENTIALS_A, "/latest/meta-data/placement/region"] {
        assert_eq!(proxy.get("127.0.2.1", path).await.status, 403, "{path}");
    }
    assert!(proxy.sts.calls().is_empty() && proxy.upstream().is_empty());
}

/// N17
#[tokio::test]
async fn an_address_of_two_pods_is_refused() {
    let proxy = Proxy::with(Setting::patient()).await;
    proxy
        .directory
        .change(|directory| directory.pods.apply(pod("twin", A, Some("role-twin"))));
    let start = Instant::now();
    assert_eq!(proxy.get(A, CREDENTIALS_A).await.status, 503);
    assert!(start.elapsed() < PATIENCE, "waiting would not help");
    let finished = Pod {
        finished: true,
        ..pod("twin", A, Some("role-twin"))
    };
    proxy
        .directory
        .change(|directory| directory.pods.apply(finished));
    assert_eq!(proxy.get(A, CREDENTIALS_A).await.status, 200);
}

#[tokio::test]
async fn a_deleted_pods_address_is_unknown() {
    let proxy = Proxy::start().await;
    assert_eq!(proxy.get(A, CREDENTIALS_A).await.status, 200);
    proxy
        .directory
        .change(|directory| directory.pods.delete("uid-a"));
    assert_eq!(
        proxy.get(A, CREDENTIALS_A).await.status,
        503,
        "a deleted pod is nobody"
    );
}

/// N12
#[tokio::test]
async fn hosts() {
    let proxy = Proxy::start().await;
    let ask = async |host: &str| {
        let head = format!("GET {LIST} HTTP/1.1\r\n{host}Connection: close\r\n\r\n");
        Reply::read(&proxy.raw(A, head).await).status
    };
    for host in [
        "169.254.169.254",
        "169.254.169.254:80",
        "[fd00:ec2::254]",
        &proxy.address.to_string(),
        "localhost",
    ] {
        assert_eq!(ask(&format!("Host: {host}\r\n")).await, 200, "{host}");
    }
    for host in [
        "evil.example",
        "169.254.169.254.evil.example",
        "x@169.254.169.254",
        "10.1.1.1",
        "",
    ] {
        assert_eq!(ask(&format!("Host: {host}\r\n")).await, 403, "{host}");
    }
    assert_eq!(ask("").await, 400);
    assert_eq!(
        ask("Host: 169.254.169.254\r\nHost: 169.254.169.254\r\n").await,
        400
    );
}

/// N11
#[tokio::test]
async fn methods() {
    let proxy = Proxy::start().await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let reply = proxy.ask(A, method, LIST, "").await;
        assert_eq!(
            (reply.status, reply.header("allow")),
            (405, Some("get, head")),
            "{method}"
        );
    }
    let head = proxy.ask(A, "HEAD", LIST, "").await;
    assert_eq!(
        (
            head.status,
            head.body.as_str(),
            head.header("content-length")
        ),
        (200, "", Some("6"))
    );
}

/// N9 and N10: nothing of it is served, and nothing of it reaches the real service.
#[tokio::test]
async fn paths_mean_one_thing() {
    let proxy = Proxy::start().await;
    let creds = LIST.trim_end_matches('/');
    for path in [
        "//latest/meta-data/placement/region",
        "/latest//meta-data/placement/region",
        "/latest/./meta-data/placement/region",
        "/latest/x/../meta-data/placement/region",
        "/latest/%2e%2e/latest/user-data",
        "/latest/meta-data/placement%2fregion",
        "/latest/meta-data/placement/region;a",
        "/latest\\meta-data",
        "/latest/Meta-Data/placement/region",
        "/latest/meta-data/placement/region?x=1",
        "/latest/meta-data/placement/region/",
        "/latest/user-data",
        "/latest/meta-data/",
        "/latest/meta-data/identity-credentials/ec2/security-credentials/ec2-instance",
        "/latest/dynamic/instance-identity/document",
        "/1.0/meta-data/placement/region",
        "/2021-7-15/meta-data/placement/region",
        "/metrics",
        "/debug/store",
        "/v1/credentials",
        "/",
        "/plan",
    ] {
        let status = proxy.get(A, path).await.status;
        assert!(matches!(status, 400 | 404), "{path}: {status}");
    }
    for role in [
        "/role-a",
        "./role-a",
        "../security-credentials/role-a",
        "%2e%2e/info",
        "role%2Da",
        "role-a%25",
        "role-a;x",
        "role-a\\",
    ] {
        let status = proxy.get(A, &format!("{creds}/{role}")).await.status;
        assert!(matches!(status, 400 | 404), "{role}: {status}");
    }
    for bytes in [
        "GET /latest/meta-data/placement/regi\u{f6}n HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n",
        "GET /latest/\x01 HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n",
    ] {
        assert_eq!(Reply::read(&proxy.raw(A, bytes).await).status, 400);
    }
    assert_eq!(proxy.upstream(), [""; 0]);
    assert!(proxy.sts.calls().is_empty());
}

/// N6
#[tokio::test]
async fn what_a_client_says_of_its_address_counts_for_nothing() {
    let proxy = Proxy::start().await;
    for name in ["X-Forwarded-For", "Forwarded", "X-Real-IP"] {
        let header = format!("{name}: {B}\r\n");
        assert_eq!(proxy.ask(A, "GET", LIST, &header).await.body, "role-a");
        let put = format!("{header}X-aws-ec2-metadata-token-ttl-seconds: 60\r\n");
        assert_eq!(
            proxy.ask(A, "PUT", "/latest/api/token", &put).await.status,
            403,
            "{name}"
        );
    }
}
