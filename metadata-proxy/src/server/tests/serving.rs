//! What pods get.

use super::{A, B, CREDENTIALS_A, LIST, STRANGER};
use crate::fixture::{PATIENCE, Proxy, Reply, Setting, pod};
use metadata_proxy_core::{Namespaces, PatternFormat, RoleRules};
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_pod_gets_its_role_and_its_credentials() {
    let proxy = Proxy::start().await;
    for path in [
        LIST,
        "/latest/meta-data/iam/security-credentials",
        "/2021-07-15/meta-data/iam/security-credentials/",
    ] {
        let reply = proxy.get(A, path).await;
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (200, "role-a"),
            "{path}"
        );
        assert_eq!(reply.header("content-type"), Some("text/plain"));
        assert_eq!(reply.header("server"), Some("ec2ws"));
    }
    assert_eq!(proxy.get(B, LIST).await.body, "team/role-b");
    let reply = proxy.get(A, CREDENTIALS_A).await;
    assert_eq!(reply.status, 200);
    let json: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(json["Code"], "Success");
    assert_eq!(json["Type"], "AWS-HMAC");
    assert_eq!(json["AccessKeyId"], "ASIA1-role-a");
    let calls = proxy.sts.calls();
    assert_eq!(calls[0].session_name, "shop.a");
    assert_eq!(
        calls[0].role.as_str(),
        "arn:aws:iam::123456789012:role/role-a"
    );
}

/// N5
#[tokio::test]
async fn one_role_by_all_its_names() {
    let proxy = Proxy::start().await;
    for role in [
        "role-b",
        "team/role-b",
        "arn:aws:iam::123456789012:role/team/role-b",
        "arn%3Aaws%3Aiam%3A%3A123456789012%3Arole/team/role-b",
    ] {
        assert_eq!(
            proxy.get(B, &format!("{LIST}{role}")).await.status,
            200,
            "{role}"
        );
    }
    assert_eq!(proxy.sts.calls().len(), 1, "it is one role");
}

/// N1: the pod appears while its request waits.
#[tokio::test]
async fn a_pod_that_appears_is_served() {
    let proxy = Proxy::with(Setting::patient()).await;
    let (reply, ()) = tokio::join!(proxy.get("127.0.1.9", LIST), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        proxy.directory.change(|directory| {
            directory
                .pods
                .apply(pod("late", "127.0.1.9", Some("role-late")));
        });
    });
    assert_eq!((reply.status, reply.body.as_str()), (200, "role-late"));
}

/// N24
#[tokio::test]
async fn a_changed_annotation_changes_the_next_answer() {
    let proxy = Proxy::start().await;
    assert_eq!(proxy.get(A, CREDENTIALS_A).await.status, 200);
    proxy
        .directory
        .change(|directory| directory.pods.apply(pod("a", A, Some("role-new"))));
    assert_eq!(proxy.get(A, LIST).await.body, "role-new");
    assert_eq!(proxy.get(A, CREDENTIALS_A).await.status, 403);
    let reply = proxy.get(A, &format!("{LIST}role-new")).await;
    assert!(reply.body.contains("ASIA2-role-new"), "{reply:?}");
}

#[tokio::test]
async fn health_is_for_everybody() {
    let proxy = Proxy::start().await;
    let served = |reply: &Reply| reply.status == 200;
    let reply = proxy.get_until(STRANGER, "/healthz", served).await;
    assert_eq!(
        reply.body,
        r#"{"hostIP":"10.0.0.1","instanceId":"value of /latest/meta-data/instance-id"}"#
    );
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

/// What is fetched ahead is there, and what nobody may have any more is forgotten.
#[tokio::test]
async fn credentials_are_tended() {
    let proxy = Proxy::start().await;
    let grants = || proxy.directory.grants(jiff::Timestamp::now());
    proxy.store.tend(grants, true);
    let all_held = || {
        proxy
            .store
            .overview()
            .iter()
            .filter(|(_, expires, _)| expires.is_some())
            .count()
            == 2
    };
    let start = Instant::now();
    while !all_held() {
        assert!(start.elapsed() < PATIENCE, "{:?}", proxy.store.overview());
        tokio::task::yield_now().await;
    }
    assert_eq!(proxy.get(A, CREDENTIALS_A).await.status, 200);
    assert_eq!(
        proxy.sts.calls().len(),
        2,
        "one for each pod with a role, ahead of its first request"
    );
    proxy
        .directory
        .change(|directory| directory.pods.delete("uid-a"));
    proxy.store.tend(grants, true);
    assert_eq!(proxy.store.overview().len(), 1);
}

/// N2 and N23: a namespace that does not allow the role.
#[tokio::test]
async fn namespaces_are_asked() {
    let restricted = |setting: Setting| {
        let rules = RoleRules {
            restrictions: Some(PatternFormat::Glob),
            ..setting.rules
        };
        Proxy::with(Setting { rules, ..setting })
    };
    let proxy = restricted(Setting::default()).await;
    assert_eq!(
        proxy.get(A, LIST).await.status,
        503,
        "the namespace is not known yet"
    );
    let proxy = restricted(Setting::patient()).await;
    let allow = |list: &'static str| {
        let mut namespaces = Namespaces::default();
        namespaces
            .apply("shop", Some(list), PatternFormat::Glob)
            .unwrap();
        proxy
            .directory
            .change(|directory| directory.namespaces = namespaces);
    };
    allow(r#"["role-*"]"#);
    assert_eq!(proxy.get(A, LIST).await.body, "role-a");
    let start = Instant::now();
    assert_eq!(proxy.get(B, LIST).await.status, 404);
    assert_eq!(
        proxy.get(B, &format!("{LIST}team/role-b")).await.status,
        404
    );
    assert!(start.elapsed() < PATIENCE, "no is said at once");
    assert!(proxy.sts.calls().is_empty());
    allow(r#"["team/*"]"#);
    assert_eq!(proxy.get(B, LIST).await.body, "team/role-b");
}

/// N14: `iam/info` is the pod's own.
#[tokio::test]
async fn info_is_made_up_of_the_pods_role() {
    let proxy = Proxy::start().await;
    let reply = proxy.get(B, "/latest/meta-data/iam/info").await;
    let json: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(
        json["InstanceProfileArn"],
        "arn:aws:iam::123456789012:instance-profile/team/role-b"
    );
    assert_eq!(proxy.upstream(), [""; 0]);
}

/// N14 and N15: what the real service gets is a list's path with our own token.
#[tokio::test]
async fn an_allowed_path_is_asked_in_our_own_words() {
    let proxy = Proxy::start().await;
    let headers = "User-Agent: curl\r\nCookie: a=b\r\nX-Forwarded-For: 1.2.3.4\r\nX-Evil: 1\r\nAccept: */*\r\n";
    for _ in 0..2 {
        let reply = proxy
            .ask(A, "GET", "/latest/meta-data/placement/region", headers)
            .await;
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (200, "value of /latest/meta-data/placement/region")
        );
    }
    let upstream = proxy.upstream();
    assert_eq!(upstream.len(), 2);
    for head in upstream {
        let mut lines: Vec<&str> = head.trim_end().split("\r\n").collect();
        lines.retain(|line| !line.to_ascii_lowercase().starts_with("host: 127.0.0.1:"));
        assert_eq!(
            lines,
            [
                "GET /latest/meta-data/placement/region HTTP/1.1",
                "x-aws-ec2-metadata-token: node-token"
            ]
        );
    }
    assert_eq!(proxy.upstream_sessions(), 1);
}
