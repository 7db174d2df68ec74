use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use super::*;
use crate::testing::FakeServer;

/// Longer than any answer takes, on however busy a machine.
const PATIENT: Duration = Duration::from_secs(60);

fn object() -> ObjectRef {
    ObjectRef::new("networking.k8s.io/v1", "Ingress", "shop", "web").with_uid("u-1")
}

async fn server(status: Arc<AtomicU16>) -> FakeServer {
    FakeServer::start(move |asked| {
        let status = status.load(Ordering::Relaxed);
        let body = match status {
            200..=299 => asked.body.clone(),
            _ => format!(
                r#"{{"kind":"Status","apiVersion":"v1","status":"Failure","message":"no","code":{status}}}"#
            ),
        };
        Some((status, body))
    })
    .await
}

#[tokio::test]
async fn an_event_says_what_kubectl_shows() {
    let server = server(Arc::new(AtomicU16::new(201))).await;
    let events = Events::start(server.kube(), "isthmus-test", "pod-1".to_owned());
    for _ in 0..3 {
        events.send(
            &object(),
            EventType::Warning,
            "NoCertificate",
            "x".repeat(2000),
        );
    }
    let node = ObjectRef::new("v1", "Node", "", "n");
    events.send(&node, EventType::Normal, "Done", "ok".to_owned());
    events.flush(PATIENT).await;
    let asked = server.asked();
    assert!(asked.iter().all(|asked| asked.method == "POST"));
    let paths: Vec<_> = asked.iter().map(|a| a.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/apis/events.k8s.io/v1/namespaces/shop/events",
            "/apis/events.k8s.io/v1/namespaces/default/events",
        ],
        "the same is told once"
    );
    let event: serde_json::Value = serde_json::from_str(&asked[0].body).unwrap();
    assert_eq!(event["type"], "Warning");
    assert_eq!(event["reason"], "NoCertificate");
    assert_eq!(event["action"], "Reconcile");
    assert_eq!(event["reportingController"], "isthmus-test");
    assert_eq!(event["reportingInstance"], "pod-1");
    assert_eq!(
        event["regarding"],
        serde_json::json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "namespace": "shop", "name": "web", "uid": "u-1",
        })
    );
    let note = event["note"].as_str().unwrap();
    assert!(note.len() <= 1024 && note.ends_with("x…"), "{}", note.len());
    assert!(
        event["metadata"]["name"]
            .as_str()
            .unwrap()
            .starts_with("web.")
    );
}

#[tokio::test]
async fn what_the_server_refused_is_told_again_later() {
    let status = Arc::new(AtomicU16::new(403));
    let server = server(status.clone()).await;
    let events = Events::start(server.kube(), "isthmus-test", "pod-1".to_owned());
    let send = || events.send(&object(), EventType::Normal, "Done", "ok".to_owned());
    send();
    events.flush(PATIENT).await;
    status.store(201, Ordering::Relaxed);
    send();
    send();
    events.flush(PATIENT).await;
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn notes_are_cut_between_characters() {
    assert_eq!(cut("äöü", 6), "äöü");
    assert_eq!(cut("äöüß", 7), "äö…");
}
