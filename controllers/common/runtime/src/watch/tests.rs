use std::sync::atomic::{AtomicBool, Ordering};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;

use super::*;
use crate::testing::FakeServer;

const LIST: &str = r#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"10"},"items":[
    {"metadata":{"name":"a","namespace":"n","resourceVersion":"1","uid":"1","annotations":{"big":"x"}}},
    {"metadata":{"name":"b","namespace":"n","resourceVersion":"2","uid":"2"}}]}"#;
const CHANGE: &str = concat!(
    r#"{"type":"DELETED","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"n","resourceVersion":"11","uid":"1"}}}"#,
    "\n"
);
const DENIED: &str = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"configmaps is forbidden","reason":"Forbidden","code":403}"#;

/// Lists once `open`, and tells of one deletion once `changed`.
async fn server(open: Arc<AtomicBool>, changed: Arc<AtomicBool>) -> FakeServer {
    FakeServer::start(move |asked| {
        if !open.load(Ordering::Relaxed) {
            return Some((403, DENIED.to_owned()));
        }
        if !asked.query.contains("watch=true") {
            return Some((200, LIST.to_owned()));
        }
        let first = asked.query.contains("resourceVersion=10");
        let tell = first && changed.load(Ordering::Relaxed);
        Some((
            200,
            if tell {
                CHANGE.to_owned()
            } else {
                String::new()
            },
        ))
    })
    .await
}

fn slim(object: &mut ConfigMap) {
    object.annotations_mut().clear();
}

fn on() -> Arc<AtomicBool> {
    Arc::new(AtomicBool::new(true))
}

#[tokio::test]
async fn the_first_list_makes_it_ready_and_changes_trigger() {
    let changed = Arc::new(AtomicBool::new(false));
    let server = server(on(), changed.clone()).await;
    let trigger = Trigger::default();
    let mut watches = Watches::new(trigger.clone(), CancellationToken::new());
    let (seen, mut events) = tokio::sync::mpsc::unbounded_channel();
    let api = Api::all(server.kube());
    let store = watches.add_with("configmaps", api, watcher_config(), slim, move |event| {
        let _ = seen.send(event.to_string());
    });
    assert_eq!(watches.missing(), ["configmaps: no first list yet"]);
    watches.ready().await;
    assert_eq!(watches.missing(), Vec::<String>::new());
    assert_eq!(store.len(), 2);
    assert!(
        store
            .state()
            .iter()
            .all(|object| object.annotations().is_empty())
    );
    let section = watches.section();
    assert_eq!(section.rows[0][..3], ["configmaps", "2", "in sync"]);

    trigger.clear();
    changed.store(true, Ordering::Relaxed);
    trigger.debounced().await;
    assert_eq!(store.len(), 1);
    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        told.push(event);
    }
    assert_eq!(
        told,
        [
            "Init",
            "InitApply(a)",
            "InitApply(b)",
            "InitDone",
            "Delete(a)"
        ]
    );
}

#[tokio::test]
async fn events_are_handed_on_to_whoever_keeps_them() {
    let server = server(on(), on()).await;
    let trigger = Trigger::default();
    let mut watches = Watches::new(trigger.clone(), CancellationToken::new());
    let api: Api<ConfigMap> = Api::all(server.kube());
    let mut kept = std::collections::BTreeSet::new();
    watches.hand_on("configmaps", api, watcher_config(), move |event| {
        match event {
            watcher::Event::InitApply(object) | watcher::Event::Apply(object) => {
                kept.insert(object.name_any());
            }
            watcher::Event::Delete(object) => {
                kept.remove(&object.name_any());
            }
            watcher::Event::Init | watcher::Event::InitDone => {}
        }
        kept.len()
    });
    assert_eq!(watches.missing(), ["configmaps: no first list yet"]);
    watches.ready().await;
    trigger.debounced().await;
    let mut changed = watches.changed.subscribe();
    while watches.section().rows[0][1] != "1" {
        changed.changed().await.unwrap();
    }
    assert_eq!(watches.section().rows[0][2], "in sync");
}

#[tokio::test]
async fn a_watch_that_may_not_list_is_missing_with_its_reason() {
    let open = Arc::new(AtomicBool::new(false));
    let server = server(open.clone(), on()).await;
    let mut watches = Watches::new(Trigger::default(), CancellationToken::new());
    let api: Api<ConfigMap> = Api::all(server.kube());
    watches.add("configmaps", api, watcher_config(), slim);
    let mut changed = watches.changed.subscribe();
    while watches.missing() == ["configmaps: no first list yet"] {
        changed.changed().await.unwrap();
    }
    assert_eq!(
        watches.missing(),
        ["configmaps: configmaps is forbidden (403)"]
    );
    assert!(watches.failing_for().is_some());
    open.store(true, Ordering::Relaxed);
    watches.ready().await;
    assert_eq!(watches.section().rows[0][2], "in sync");
    assert_eq!(watches.failing_for(), None);
}

#[tokio::test]
async fn no_watches_are_ready() {
    Watches::new(Trigger::default(), CancellationToken::new())
        .ready()
        .await;
}

#[test]
fn only_what_is_left_of_an_object_can_change() {
    let (store, mut writer) = kube::runtime::reflector::store();
    let object = |version: &str, data: &str| {
        let mut object: ConfigMap = ConfigMap::default();
        object.metadata.name = Some("a".to_owned());
        object.metadata.resource_version = Some(version.to_owned());
        object.data = Some([("cidr".to_owned(), data.to_owned())].into());
        object
    };
    let apply = |version, data| watcher::Event::Apply(object(version, data));
    assert!(changes(&store, &(), &apply("1", "x")), "it is new");
    writer.apply_watcher_event(&apply("1", "x"));
    assert!(!changes(&store, &(), &apply("2", "x")));
    assert!(changes(&store, &(), &apply("2", "y")));
    assert!(changes(
        &store,
        &(),
        &watcher::Event::Delete(object("3", "x"))
    ));
    assert!(changes(&store, &(), &watcher::Event::InitDone));
}
