//! The rules of the HTTP surface, one by one, on the binary as it runs.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use isthmus_e2e::{ACCOUNT, Fault, Testbed};

use crate::client::{A, B, LIST, PLAIN, Proxy, ROLE, STRANGER, pod, pods, until};

const TOKEN: &str = "/latest/api/token";

fn ttl(text: &str) -> String {
    format!("X-aws-ec2-metadata-token-ttl-seconds: {text}\r\n")
}

fn shown(token: &str) -> String {
    format!("X-aws-ec2-metadata-token: {token}\r\n")
}

/// The status of an answer to bytes, and that there is only one.
async fn only_status(proxy: &Proxy, bytes: &str) -> Result<u16> {
    let text = proxy.raw(A, bytes).await?;
    assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{bytes:?}: {text}");
    Ok(text.get(9..12).context("a status")?.parse()?)
}

/// N1: nobody is known by the address: not at once.
#[tokio::test]
async fn an_unknown_pod_waits() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let proxy = Proxy::start(&testbed, &[]).await?;
    let start = Instant::now();
    let unknown = proxy.get(STRANGER, LIST).await?;
    assert_eq!(unknown.status, 503);
    assert!(unknown.head.contains("retry-after: 1"), "{unknown:?}");
    let waited = start.elapsed();
    assert!(waited >= Duration::from_millis(800), "{waited:?}");
    Ok(())
}

/// N2 to N5: who is told what, and whether they wait for it.
#[tokio::test]
async fn pods_and_their_roles() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    testbed
        .apply_yaml(&pod("empty", "127.0.1.4", &[(ROLE, "")]))
        .await?;
    testbed
        .apply_yaml(&pod("wrong", "127.0.1.5", &[(ROLE, "a b")]))
        .await?;
    let wait = "--backoff-max-elapsed-time=1m";
    let proxy = Proxy::start(&testbed, &["--prefetch=false", wait]).await?;

    // N2, N3, N4: no is said without the wait for a pod, which is a minute here,
    // never with an empty body, and STS is not asked.
    let denials = [
        (PLAIN, LIST.to_owned(), 404),
        (PLAIN, format!("{LIST}role-a"), 404),
        ("127.0.1.4", LIST.to_owned(), 404),
        ("127.0.1.5", LIST.to_owned(), 404),
        (A, format!("{LIST}role-b"), 403),
        (A, format!("{LIST}arn:aws:iam::{ACCOUNT}:role/admin"), 403),
        (
            A,
            format!("{LIST}arn:aws:iam::999999999999:role/role-a"),
            403,
        ),
    ];
    for (from, path, status) in denials {
        let start = Instant::now();
        let reply = proxy.get(from, &path).await?;
        assert!(start.elapsed() < Duration::from_secs(60), "{from} {path}");
        assert_eq!(reply.status, status, "{from} {path}");
        assert!(!reply.body.is_empty());
    }
    assert!(testbed.gate.calls().is_empty());

    // N5: one role by all its names, and so one call.
    for name in [
        "role-b".to_owned(),
        "team/role-b".to_owned(),
        format!("arn:aws:iam::{ACCOUNT}:role/team/role-b"),
        format!("arn%3Aaws%3Aiam%3A%3A{ACCOUNT}%3Arole/team/role-b"),
    ] {
        assert_eq!(
            proxy.status(B, &format!("{LIST}{name}")).await?,
            200,
            "{name}"
        );
    }
    assert_eq!(testbed.gate.calls_of("AssumeRole").len(), 1);
    Ok(())
}

/// N6, N7, N8: forwarded requests and session tokens.
#[tokio::test]
async fn tokens_and_what_a_client_says_of_itself() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    let proxy = Proxy::start(&testbed, &[]).await?;
    let put = async |headers: &str| proxy.ask(A, "PUT", TOKEN, headers).await;

    for name in ["X-Forwarded-For", "Forwarded", "X-Real-IP"] {
        let header = format!("{name}: {B}\r\n");
        assert_eq!(
            proxy.ask(A, "GET", LIST, &header).await?.body,
            "role-a",
            "{name}"
        );
        assert_eq!(
            put(&format!("{header}{}", ttl("60"))).await?.status,
            403,
            "{name}"
        );
    }
    for seconds in ["1", "21600"] {
        let reply = put(&ttl(seconds)).await?;
        let echo = format!("x-aws-ec2-metadata-token-ttl-seconds: {seconds}");
        assert_eq!(reply.status, 200);
        assert!(
            reply.head.lines().any(|line| line == echo),
            "{}",
            reply.head
        );
    }
    let twice = ttl("60").repeat(2);
    for headers in [String::new(), ttl("0"), ttl("21601"), ttl("abc"), twice] {
        assert_eq!(put(&headers).await?.status, 400, "{headers:?}");
    }
    assert_eq!(proxy.ask(A, "GET", TOKEN, &ttl("60")).await?.status, 405);

    // Version 1 is let through here, but a wrong token never is.
    let token = put(&ttl("1")).await?.body;
    assert_eq!(proxy.ask(B, "GET", LIST, &shown(&token)).await?.status, 401);
    assert_eq!(
        proxy.ask(A, "GET", LIST, &shown("bogus")).await?.status,
        401
    );
    assert_eq!(proxy.get(A, LIST).await?.status, 200);
    until("the token expires", async || {
        Ok(proxy.ask(A, "GET", LIST, &shown(&token)).await?.status == 401)
    })
    .await?;
    Ok(())
}

/// N9 to N14: nothing of it is served, and the real service hears of none of it.
#[tokio::test]
async fn requests_mean_one_thing() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    let proxy = Proxy::start(&testbed, &[]).await?;
    let region = "/latest/meta-data/placement/region";

    // N9, N10, N14: paths.
    for path in [
        "//latest/meta-data/placement/region",
        "/latest/./meta-data/placement/region",
        "/latest/../latest/meta-data/placement/region",
        "/latest/%2e%2e/latest/meta-data/placement/region",
        "/latest/meta-data/placement%2fregion",
        "/latest/meta-data/placement%5cregion",
        "/latest/meta-data/placement%252fregion",
        "/latest/meta-data/placement/region%00",
        "/latest/meta-data/placement/region;x",
        "/latest/meta-data\\placement\\region",
        "/latest/Meta-Data/placement/region",
        "/latest/meta-data/placement/region?x",
        "/latest/meta-data/placement/regi\u{f6}n",
        "/latest/meta-data/placement/re\u{1}gion",
        "/1.0/meta-data/placement/region",
        "/latest2/meta-data/placement/region",
        "/2021-7-5/meta-data/placement/region",
        "/meta-data/placement/region",
        "/latest/user-data",
        "/latest/meta-data/identity-credentials/ec2/security-credentials/ec2-instance",
        "/latest/dynamic/instance-identity/document",
        "/latest/meta-data/iam/security-credentials/../info",
        "/latest/meta-data/iam/security-credentials/%72ole-a",
        "/latest/meta-data/iam/security-credentials/role-a%25",
    ] {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: close\r\n\r\n");
        let status = only_status(&proxy, &request).await?;
        assert!(matches!(status, 400 | 403 | 404), "{path}: {status}");
    }

    // N11: methods.
    for (method, path, allow) in [
        ("POST", region, "allow: get, head"),
        ("PUT", LIST, "allow: get, head"),
        ("DELETE", LIST, "allow: get, head"),
        ("GET", TOKEN, "allow: put"),
        ("POST", TOKEN, "allow: put"),
    ] {
        let reply = proxy.ask(A, method, path, "").await?;
        assert_eq!(reply.status, 405, "{method} {path}");
        assert!(reply.head.contains(allow), "{}", reply.head);
    }
    assert_eq!(proxy.ask(A, "HEAD", LIST, "").await?.body, "");

    // N12: the names that it goes by.
    for (host, status) in [
        ("169.254.169.254", 200),
        ("169.254.169.254:80", 200),
        ("[fd00:ec2::254]", 200),
        ("evil.example", 403),
        ("169.254.169.254.evil.example", 403),
        ("169.254.170.99", 403),
    ] {
        let request = format!("GET {LIST} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(only_status(&proxy, &request).await?, status, "{host}");
    }

    // N13: what makes two readers of a connection disagree; whatever comes behind it is not read.
    let behind = format!("GET {LIST} HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n");
    let with = |line: &str, headers: &str| {
        format!("{line} HTTP/1.1\r\nHost: 169.254.169.254\r\n{headers}\r\n{behind}")
    };
    let get = format!("GET {region}");
    for request in [
        with(&get, "Content-Length: 5\r\n"),
        with(&get, "Transfer-Encoding: chunked\r\n"),
        with(&get, "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
        with(&get, "Content-Length: 0\r\nContent-Length: 5\r\n"),
        with(&get, "Upgrade: h2c\r\nConnection: Upgrade\r\n"),
        with("CONNECT 169.254.169.254:80", ""),
        with(&format!("GET http://169.254.169.254{region}"), ""),
        with(&get, " folded: x\r\n"),
        with(&get, "x\0: y\r\n"),
    ] {
        assert_eq!(only_status(&proxy, &request).await?, 400, "{request:?}");
    }

    let own = [TOKEN, "/latest/meta-data/instance-id"];
    let asked = testbed.imds.requests();
    let passed = asked
        .iter()
        .filter(|request| !own.contains(&request.path.as_str()));
    assert_eq!(passed.count(), 0, "{asked:?}");
    Ok(())
}

/// N19, N21, N23: sessions are never shared, throttling passes, a star stops at a slash.
#[tokio::test]
async fn sessions_throttling_and_lists() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    let list = r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","annotations":{"iam.amazonaws.com/allowed-roles":"[\"role-*\",\"te*b\"]"}}}"#;
    testbed.apply_yaml(list).await?;
    let flags = [
        "--prefetch=false",
        "--session-tags",
        "--cluster-id=kube-1",
        "--namespace-restrictions",
    ];
    let proxy = Proxy::start(&testbed, &flags).await?;
    assert_eq!(proxy.status(B, LIST).await?, 404, "te*b is not team/role-b");

    let path = format!("{LIST}role-a");
    testbed.gate.fault(Fault::throttle("AssumeRole").times(3));
    let throttled = proxy.get(A, &path).await?;
    assert_eq!(throttled.status, 503);
    assert!(throttled.head.contains("retry-after: 1"), "{throttled:?}");
    until("STS is asked again", async || {
        Ok(proxy.status(A, &path).await? == 200)
    })
    .await?;

    let first = proxy.credentials(A).await?;
    let other = [(ROLE, "role-a"), ("iam.amazonaws.com/external-id", "id-2")];
    testbed.apply_yaml(&pod("a", A, &other)).await?;
    until("the session is another", async || {
        Ok(proxy.credentials(A).await?["AccessKeyId"] != first["AccessKeyId"])
    })
    .await?;
    let calls = testbed.gate.calls_of("AssumeRole");
    let last = calls.last().context("a call")?;
    assert_eq!(last.params["ExternalId"], "id-2");
    let tags: Vec<&str> = last
        .params
        .iter()
        .filter(|(name, _)| name.starts_with("Tags.member") && name.ends_with(".Value"))
        .map(|(_, value)| value.as_str())
        .collect();
    assert!(
        tags.contains(&"shop") && tags.contains(&"kube-1"),
        "{tags:?}"
    );
    Ok(())
}
