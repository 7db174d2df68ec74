use std::collections::BTreeMap;

use isthmus_core::{Effect, ObjectRef};

use super::*;
use crate::testing::fetch;
use crate::{Section, Trigger};

fn report(text: &str) -> PlanReport {
    PlanReport {
        text: text.to_owned(),
        json: serde_json::json!({ "steps": [{ "name": text.trim_end() }] }),
        steps: BTreeMap::from([((Effect::Add, "route"), 1)]),
        withheld: BTreeMap::new(),
    }
}

async fn listening(admin: &Admin) -> SocketAddr {
    let address = "127.0.0.1:0".parse().unwrap();
    admin
        .listen(&address, CancellationToken::new())
        .await
        .unwrap()
}

fn admin() -> Admin {
    Admin::new("isthmus-test", Metrics::new())
}

#[tokio::test]
async fn fixed_paths_answer() {
    let admin = admin();
    let address = listening(&admin).await;
    for path in ["/livez", "/healthz", "/readyz", "/readyz?verbose"] {
        assert_eq!(fetch(address, "GET", path).await.0, 200, "{path}");
    }
    let (status, head, body) = fetch(address, "GET", "/metrics").await;
    assert_eq!(status, 200);
    assert!(
        head.contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    assert!(body.contains("isthmus_build_info{version="), "{body}");
}

#[tokio::test]
async fn head_has_no_body_and_other_methods_and_paths_are_refused() {
    let admin = admin();
    let address = listening(&admin).await;
    let (status, head, body) = fetch(address, "HEAD", "/metrics").await;
    assert_eq!((status, body.as_str()), (200, ""));
    assert!(head.contains("content-length: "), "{head}");
    let (status, head, _) = fetch(address, "POST", "/plan").await;
    assert_eq!(status, 405);
    assert!(head.contains("allow: get, head"), "{head}");
    assert_eq!(fetch(address, "GET", "/metrics/").await.0, 404);
    assert_eq!(fetch(address, "POST", "/nothing").await.0, 404);
}

#[tokio::test]
async fn ready_says_what_is_missing() {
    let admin = admin();
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let receiver = Mutex::new(receiver);
    admin.ready_when(move || {
        let received = receiver.lock().unwrap().try_recv();
        received.map_err(|_| "the first reconcile has not ended".to_owned())
    });
    let address = listening(&admin).await;
    let (status, _, body) = fetch(address, "GET", "/readyz").await;
    assert_eq!(
        (status, body.as_str()),
        (503, "the first reconcile has not ended\n")
    );
    assert_eq!(fetch(address, "GET", "/livez").await.0, 200);
    sender.send(()).unwrap();
    assert_eq!(fetch(address, "GET", "/readyz").await.0, 200);
}

#[tokio::test]
async fn the_last_plan_as_text_and_as_json() {
    let admin = admin();
    let address = listening(&admin).await;
    assert_eq!(fetch(address, "GET", "/plan").await.2, "no plan yet\n");
    assert_eq!(fetch(address, "GET", "/plan?format=json").await.2, "null\n");
    assert!(admin.plan(&report("+ route a\n")), "the first is news");
    assert!(!admin.plan(&report("+ route a\n")), "the same again is not");
    assert!(admin.plan(&report("+ route b\n")));
    assert_eq!(fetch(address, "GET", "/plan").await.2, "+ route b\n");
    let (_, head, json) = fetch(address, "GET", "/plan?x=1&format=json").await;
    assert!(head.contains("content-type: application/json"), "{head}");
    assert_eq!(json.trim(), r#"{"steps":[{"name":"+ route b"}]}"#);
    assert_eq!(fetch(address, "GET", "/plan?format=xml").await.0, 400);
}

#[tokio::test]
async fn the_page_escapes_everything_it_shows() {
    let admin = admin();
    admin.watches(&Watches::new(Trigger::default(), CancellationToken::new()));
    let evil = "<script>alert(\"1\" & '2')</script>";
    admin.page(move || Page {
        sections: vec![Section {
            title: evil.to_owned(),
            headings: vec![evil.to_owned()],
            rows: vec![vec![evil.to_owned()]],
        }],
    });
    let object = ObjectRef::new("v1", "ConfigMap", "a", evil);
    let rejection = Rejection {
        object,
        reason: "Bad",
        message: evil.to_owned(),
    };
    let rejections = [rejection];
    assert_eq!(admin.rejected(&rejections), rejections);
    assert_eq!(admin.rejected(&rejections), []);
    admin.plan(&report(evil));
    admin.ended(Duration::from_secs(2), vec![evil.to_owned()]);
    admin.leads(false);
    admin.read("certificates", 1200, SystemTime::now());
    let address = listening(&admin).await;
    let (status, head, html) = fetch(address, "GET", "/").await;
    assert_eq!(status, 200);
    for said in [
        "content-security-policy: default-src 'none'; style-src 'sha256-",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "cache-control: no-store",
    ] {
        assert!(head.contains(said), "{said} in {head}");
    }
    assert!(!html.contains("<script"), "{html}");
    let escaped = "&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;";
    assert_eq!(html.matches(escaped).count(), 9, "{html}");
    for said in [
        "prefers-color-scheme:dark",
        "Rejected",
        "Inputs",
        "Read from AWS",
        ">1,200<",
        "stands by",
        "had 1 failure",
        "took 2s",
    ] {
        assert!(html.contains(said), "{said} in {html}");
    }
    assert!(
        !html.contains("http://") && !html.contains("https://"),
        "{html}"
    );
}

#[tokio::test]
async fn a_taken_port_is_one_line() {
    let address = listening(&admin()).await;
    let taken = address.to_string().parse().unwrap();
    let error = admin()
        .listen(&taken, CancellationToken::new())
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(&format!("--metrics-address {address}: ")),
        "{error}"
    );
}
