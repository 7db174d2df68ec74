//! The container endpoint, and web identity behind both endpoints.

use super::{A, B, LIST, PLAIN, STRANGER};
use crate::fixture::{Proxy, Reply, Setting, jwt, pod};
use isthmus_core::ErrorClass;
use metadata_proxy_core::{Identity, Pod, Review, RoleRules, SourceMode, TokenVolume};

const PATH: &str = "/v1/credentials";

/// A token of the pod `uid`, good for that many seconds.
fn token(uid: &str, seconds: i64) -> String {
    let now = jiff::Timestamp::now().as_second();
    jwt(&serde_json::json!({
        "aud": ["sts.amazonaws.com"], "exp": now + seconds, "nbf": now - 10,
        "kubernetes.io": {"namespace": "shop", "pod": {"name": "x", "uid": uid}},
    }))
}

fn genuine(uid: &str) -> Review {
    Review::Of {
        pod_uid: uid.into(),
        namespace: "shop".into(),
        service_account: "default".into(),
    }
}

async fn present(proxy: &Proxy, from: &str, token: &str) -> Reply {
    let header = format!("Authorization: {token}\r\n");
    proxy.ask(from, "GET", PATH, &header).await
}

fn code(reply: &Reply) -> String {
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let json: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    assert!(!json["message"].as_str().unwrap().is_empty());
    json["code"].as_str().unwrap().to_owned()
}

fn web_identity() -> Setting {
    let setting = Setting::default();
    Setting {
        rules: RoleRules {
            source: SourceMode::WebIdentity,
            ..setting.rules
        },
        ..setting
    }
}

#[tokio::test]
async fn a_pods_own_genuine_token_is_answered_in_the_words_of_the_container_provider() {
    let proxy = Proxy::start().await;
    let own = token("uid-a", 600);
    proxy.tokens.say("uid-a", &own, &genuine("uid-a"));
    let reply = present(&proxy, A, &own).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let json: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    let keys: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
    let expected = [
        "AccessKeyId",
        "AccountId",
        "Expiration",
        "SecretAccessKey",
        "Token",
    ];
    assert_eq!(keys, expected);
    assert_eq!(json["AccountId"], "123456789012");
    assert_eq!(json["AccessKeyId"], "ASIA1-role-a");
    // It is the session that the instance metadata gives.
    let metadata = proxy.get(A, &format!("{LIST}role-a")).await;
    assert!(metadata.body.contains("ASIA1-role-a"));
    assert_eq!(proxy.sts.calls().len(), 1);
    let header = format!("Authorization: {own}\r\n");
    assert_eq!(proxy.ask(A, "HEAD", PATH, &header).await.status, 200);
}

#[tokio::test]
async fn nothing_but_a_pods_own_genuine_token_gets_anything() {
    let proxy = Proxy::start().await;
    let (own, others) = (token("uid-a", 600), token("uid-b", 600));
    proxy.tokens.say("uid-a", &own, &genuine("uid-a"));
    proxy.tokens.say("uid-b", &others, &genuine("uid-b"));
    let forged = own.replace(".c2ln", ".Zm9yZ2Vk");
    proxy.tokens.say("uid-a", &forged, &Review::Refused);
    let lying = token("uid-a", 700);
    proxy.tokens.say("uid-a", &lying, &genuine("uid-b"));
    let expired = token("uid-a", -1);
    let unreviewed = token("uid-a", 800);
    for (from, token, status, reason) in [
        (A, "", 400, "bearer-missing"),
        (A, "x", 400, "bearer-malformed"),
        (A, "Bearer a.b.c", 400, "bearer-malformed"),
        (A, &format!("Bearer {own}"), 400, "bearer-malformed"),
        (A, &expired, 400, "bearer-expired"),
        (A, &others, 403, "bearer-not-of-pod"),
        (B, &own, 403, "bearer-not-of-pod"),
        (A, &lying, 403, "bearer-not-of-pod"),
        (A, &forged, 401, "bearer-refused"),
        (A, &unreviewed, 503, "not-ready"),
        (PLAIN, &own, 403, "bearer-not-of-pod"),
        (PLAIN, &token("uid-plain", 600), 404, "no-role"),
        (STRANGER, &own, 503, "pod-unknown"),
    ] {
        let reply = present(&proxy, from, token).await;
        assert_eq!(
            (reply.status, code(&reply).as_str()),
            (status, reason),
            "{from} {reply:?}"
        );
    }
    let without = proxy.get(A, PATH).await;
    assert_eq!(
        (without.status, code(&without).as_str()),
        (400, "bearer-missing")
    );
    assert!(proxy.sts.calls().is_empty());
    assert_eq!(proxy.ask(A, "POST", PATH, "").await.status, 405);
}

/// The token of IMDSv2 opens the container endpoint no more than the other way round.
#[tokio::test]
async fn each_endpoint_has_its_own_tokens() {
    let proxy = Proxy::start().await;
    let imds = proxy.token(A, 60).await;
    let both = format!("Authorization: {imds}\r\nX-aws-ec2-metadata-token: {imds}\r\n");
    let reply = proxy.ask(A, "GET", PATH, &both).await;
    assert_eq!(
        (reply.status, code(&reply).as_str()),
        (400, "bearer-malformed")
    );
    let own = token("uid-a", 600);
    proxy.tokens.say("uid-a", &own, &genuine("uid-a"));
    let header = format!("X-aws-ec2-metadata-token: {own}\r\n");
    assert_eq!(proxy.ask(A, "GET", LIST, &header).await.status, 401);
}

#[tokio::test]
async fn with_web_identity_a_pod_without_a_token_is_refused_until_it_presents_one() {
    let proxy = Proxy::with(web_identity()).await;
    let list = proxy.get(A, LIST).await;
    let said = "the pod has no projected token for STS\n";
    assert_eq!((list.status, list.body.as_str()), (404, said));
    let grants = || proxy.directory.grants(jiff::Timestamp::now());
    proxy.store.tend(grants, true);
    assert!(proxy.store.overview().is_empty(), "nothing to ask STS with");
    let own = token("uid-a", 600);
    proxy.tokens.say("uid-a", &own, &genuine("uid-a"));
    assert_eq!(present(&proxy, A, &own).await.status, 200);
    let calls = proxy.sts.calls();
    assert_eq!(calls.len(), 1);
    let identity = Identity::Pod {
        service_account: "default".into(),
        token: None,
    };
    assert_eq!(calls[0].identity, identity);
    proxy.store.tend(grants, true);
    assert_eq!(proxy.store.overview().len(), 1, "kept while the pod lives");
    let presented = proxy.tokens.token(&calls[0]).await.unwrap();
    assert_eq!(presented.expose(), own, "for the next refresh");
}

/// N18, N20 and N21 hold for web identity as they do for the node's own word.
#[tokio::test]
async fn with_web_identity_there_is_one_call_and_a_denial_is_remembered() {
    let proxy = Proxy::with(Setting {
        error_ttl: Some(std::time::Duration::from_secs(3600)),
        ..web_identity()
    })
    .await;
    let with_token = Pod {
        token: TokenVolume::new("aws", "token"),
        ..pod("a", A, Some("role-a"))
    };
    proxy
        .directory
        .change(|directory| directory.pods.apply(with_token));
    let path = format!("{LIST}role-a");
    proxy.sts.delay(std::time::Duration::from_millis(30));
    let replies = futures::future::join_all((0..20).map(|_| proxy.get(A, &path))).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert_eq!(proxy.sts.calls().len(), 1);
    let other = pod("a", A, Some("role-x"));
    proxy.directory.change(|directory| {
        directory.pods.apply(Pod {
            token: TokenVolume::new("aws", "token"),
            ..other
        });
    });
    proxy.sts.fail(Some(ErrorClass::Denied));
    for _ in 0..3 {
        assert_eq!(proxy.get(A, &format!("{LIST}role-x")).await.status, 500);
    }
    assert_eq!(proxy.sts.calls().len(), 2, "remembered");
}

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
}

/// Pods come, go, change places, roles and service accounts, and ask both
/// endpoints with everybody's tokens: what they get is always their own.
#[tokio::test]
async fn a_pod_never_gets_anothers_credentials() {
    let addresses = [A, B, PLAIN, "127.0.1.4"];
    for source in [SourceMode::AssumeRole, SourceMode::WebIdentity] {
        let mut setting = web_identity();
        setting.rules.source = source;
        let proxy = Proxy::with(setting).await;
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut tokens = Vec::new();
        for n in 0..8 {
            let uid = format!("uid-p{n}");
            let own = token(&uid, 600);
            proxy.tokens.say(&uid, &own, &genuine(&uid));
            tokens.push(own);
        }
        // Who has an address now: the role that is its own.
        let mut living: std::collections::BTreeMap<usize, (usize, String)> =
            (0..3).map(|at| (at, (usize::MAX, String::new()))).collect();
        let mut served = 0;
        for step in 0..600 {
            let at = random.below(addresses.len());
            if random.below(3) == 0 {
                if let Some((n, _)) = living.remove(&at) {
                    let uid = match n {
                        usize::MAX => ["uid-a", "uid-b", "uid-plain"][at].to_owned(),
                        n => format!("uid-p{n}"),
                    };
                    proxy
                        .directory
                        .change(|directory| directory.pods.delete(&uid));
                }
                let n = random.below(8);
                if living.values().any(|(other, _)| *other == n) {
                    continue;
                }
                let role = format!("role-{n}-{step}");
                let new = Pod {
                    token: TokenVolume::new("aws", "token"),
                    ..pod(&format!("p{n}"), addresses[at], Some(&role))
                };
                proxy
                    .directory
                    .change(|directory| directory.pods.apply(new));
                living.insert(at, (n, role));
                continue;
            }
            let Some((owner, role)) = living.get(&at).filter(|(n, _)| *n != usize::MAX) else {
                continue;
            };
            let shown = random.below(8);
            let by_token = present(&proxy, addresses[at], &tokens[shown]).await;
            assert_eq!(by_token.status == 200, shown == *owner, "{by_token:?}");
            let asked = random.below(2) == 0;
            let path = match asked {
                true => format!("{LIST}{role}"),
                false => format!("{LIST}role-{}-{}", random.below(8), random.below(600)),
            };
            let by_address = proxy.get(addresses[at], &path).await;
            for reply in [by_token, by_address] {
                if reply.status == 200 {
                    served += 1;
                    let json: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
                    let key = json["AccessKeyId"].as_str().unwrap();
                    assert!(key.ends_with(&format!("-{role}")), "{key} for {role}");
                }
            }
        }
        assert!(served > 100, "{served} answers prove little");
        for grant in proxy.sts.calls() {
            let of = grant.role.name().split('-').nth(1).unwrap();
            assert_eq!(grant.pod_uid, format!("uid-p{of}"));
            assert_eq!(grant.identity.source(), source);
        }
    }
}
