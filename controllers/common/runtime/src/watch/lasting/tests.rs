use std::sync::atomic::{AtomicUsize, Ordering};

use k8s_openapi::api::core::v1::ConfigMap;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::Trigger;
use crate::testing::FakeServer;

const LIST: &str = r#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"10"},"items":[
    {"metadata":{"name":"a","namespace":"n","resourceVersion":"1","uid":"1"}}]}"#;
const DELETED: &str = concat!(
    r#"{"type":"DELETED","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"n","resourceVersion":"11","uid":"1"}}}"#,
    "\n"
);
const NONE: &str = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"the server could not find the requested resource","reason":"NotFound","code":404}"#;

/// The life of a kind at a server.
const ABSENT: usize = 0;
const THERE: usize = 1;
/// Its object is deleted, and it stays.
const OBJECT_DELETED: usize = 2;
/// Its object is deleted, because it goes.
const GOING: usize = 3;

async fn server(stage: Arc<AtomicUsize>) -> FakeServer {
    FakeServer::start(move |asked| {
        let watching = asked.query.contains("watch=true");
        let probe = asked.query.contains("limit=1&") || asked.query.ends_with("limit=1");
        let answer = match stage.load(Ordering::Relaxed) {
            ABSENT => (404, NONE),
            GOING if probe => (404, NONE),
            OBJECT_DELETED | GOING if watching && asked.query.contains("resourceVersion=10") => {
                (200, DELETED)
            }
            _ if watching => (200, ""),
            _ => (200, LIST),
        };
        Some((answer.0, answer.1.to_owned()))
    })
    .await
}

async fn until(store: &LastingStore<ConfigMap>, done: impl Fn(&LastingStore<ConfigMap>) -> bool) {
    let wait = async {
        while !done(store) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait)
        .await
        .expect("in time");
}

async fn watched(stage: &Arc<AtomicUsize>) -> (FakeServer, Watches, LastingStore<ConfigMap>) {
    let server = server(stage.clone()).await;
    let mut watches = Watches::new(Trigger::default(), CancellationToken::new());
    let store = watches.add_lasting("things", &server.kube(), |_: &mut ConfigMap| {});
    (server, watches, store)
}

#[tokio::test]
async fn a_kind_that_is_not_there_is_ready_and_found_later() {
    let stage = Arc::new(AtomicUsize::new(ABSENT));
    let (_server, watches, store) = watched(&stage).await;
    watches.ready().await;
    assert!(store.is_absent() && store.state().is_empty());
    assert!(watches.section().rows[0][2].contains("not served"));
    stage.store(THERE, Ordering::Relaxed);
    until(&store, |store| store.state().len() == 1).await;
    assert!(!store.is_absent());
}

#[tokio::test]
async fn a_deletion_counts_only_where_the_kind_stays() {
    for (last, kept) in [(OBJECT_DELETED, 0), (GOING, 1)] {
        let stage = Arc::new(AtomicUsize::new(THERE));
        let (_server, watches, store) = watched(&stage).await;
        watches.ready().await;
        assert_eq!(store.state().len(), 1);
        stage.store(last, Ordering::Relaxed);
        let settled = |store: &LastingStore<ConfigMap>| match last {
            GOING => store.is_absent(),
            _ => store.state().is_empty(),
        };
        until(&store, settled).await;
        assert_eq!(store.state().len(), kept);
    }
}
