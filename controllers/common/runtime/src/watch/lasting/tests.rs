use std::sync::atomic::{AtomicUsize, Ordering};

use k8s_openapi::api::core::v1::ConfigMap;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::Trigger;
use crate::testing::FakeServer;

const LIST: &str = r#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"10"},"items":[
    {"metadata":{"name":"a","namespace":"n","resourceVersion":"1","uid":"1"}}]}"#;
const EMPTY: &str =
    r#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"20"},"items":[]}"#;
const DELETED: &str = concat!(
    r#"{"type":"DELETED","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"n","resourceVersion":"11","uid":"1"}}}"#,
    "\n"
);
const NONE: &str = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"the server could not find the requested resource","reason":"NotFound","code":404}"#;

const EXPIRED: &str = concat!(
    r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","message":"too old resource version","reason":"Expired","code":410}}"#,
    "\n"
);

/// The life of a kind at a server.
const ABSENT: usize = 0;
const THERE: usize = 1;
/// Its object is deleted, and it stays.
const OBJECT_DELETED: usize = 2;
/// Its object is deleted, because it goes.
const GOING: usize = 3;
/// It goes, and its objects have gone.
const GONE: usize = 4;
/// It is there again, without its object.
const BACK: usize = 5;

/// What the API server says of the kind.
fn discovery(verbs: &str) -> String {
    format!(
        r#"{{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"v1","resources":[
        {{"name":"configmaps","singularName":"","namespaced":true,"kind":"ConfigMap","verbs":[{verbs}]}}]}}"#
    )
}

async fn server(stage: Arc<AtomicUsize>) -> FakeServer {
    FakeServer::start(move |asked| {
        let stage = stage.load(Ordering::Relaxed);
        if asked.path == "/api/v1" {
            let verbs = match stage {
                ABSENT | GOING | GONE => r#""list""#,
                _ => r#""create","list""#,
            };
            return Some((200, discovery(verbs)));
        }
        let watching = asked.query.contains("watch=true");
        let answer = match stage {
            ABSENT => (404, NONE),
            OBJECT_DELETED | GOING if watching && asked.query.contains("resourceVersion=10") => {
                (200, DELETED)
            }
            BACK if watching && asked.query.contains("resourceVersion=10") => (200, EXPIRED),
            _ if watching => (200, ""),
            GONE | BACK => (200, EMPTY),
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
    tokio::time::timeout(Duration::from_secs(60), wait)
        .await
        .expect("in time");
}

async fn watched(stage: &Arc<AtomicUsize>) -> (FakeServer, Watches, LastingStore<ConfigMap>) {
    let server = server(stage.clone()).await;
    let mut watches = Watches::new(Trigger::default(), CancellationToken::new());
    let api = Api::all(server.kube());
    let slim = |_: &mut ConfigMap| {};
    let store = watches.add_lasting("things", api, crate::watcher_config(), slim);
    (server, watches, store)
}

#[tokio::test]
async fn a_kind_that_is_not_there_is_ready_and_found_later() {
    let stage = Arc::new(AtomicUsize::new(ABSENT));
    let (_server, watches, store) = watched(&stage).await;
    watches.ready().await;
    assert!(store.is_absent() && store.state().is_empty());
    assert_eq!(watches.section().rows[0][2], "not served by the API server");
    watches.trigger.debounced().await;

    watches.trigger.clear();
    stage.store(THERE, Ordering::Relaxed);
    until(&store, |store| !store.is_absent()).await;
    assert_eq!(store.state().len(), 1);
    watches.trigger.debounced().await;
}

#[tokio::test]
async fn a_deletion_counts_only_where_the_kind_stays() {
    for (last, kept) in [(OBJECT_DELETED, 0), (GOING, 1)] {
        let stage = Arc::new(AtomicUsize::new(THERE));
        let (_server, watches, store) = watched(&stage).await;
        watches.ready().await;
        assert!(store.state().len() == 1 && !store.is_absent());
        stage.store(last, Ordering::Relaxed);
        let settled = |store: &LastingStore<ConfigMap>| match last {
            GOING => store.is_absent(),
            _ => store.state().is_empty(),
        };
        until(&store, settled).await;
        assert_eq!(store.state().len(), kept);
    }
}

#[tokio::test]
async fn a_kind_that_is_about_to_go_at_the_start_is_absent() {
    let stage = Arc::new(AtomicUsize::new(GONE));
    let (_server, watches, store) = watched(&stage).await;
    watches.ready().await;
    assert!(store.is_absent(), "its empty list says nothing");
}

#[tokio::test]
async fn what_does_not_come_back_with_its_kind_goes_at_last() {
    let stage = Arc::new(AtomicUsize::new(THERE));
    let (_server, watches, store) = watched(&stage).await;
    watches.ready().await;
    stage.store(ABSENT, Ordering::Relaxed);
    until(&store, LastingStore::is_absent).await;
    stage.store(BACK, Ordering::Relaxed);
    until(&store, |store| !store.is_absent()).await;
    assert_eq!(store.state().len(), 1, "it may yet come");
    until(&store, |store| store.state().is_empty()).await;
}
