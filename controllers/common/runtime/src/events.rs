//! Kubernetes Events (`events.k8s.io/v1`): aggregated, limited, never in the way.

mod ledger;

use std::time::Duration;

use isthmus_core::ObjectRef;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use ledger::{Key, Ledger, Verdict};

/// Events that wait to be sent; more are dropped.
const QUEUE: usize = 1024;
/// The API server refuses a longer note.
const NOTE_BYTES: usize = 1024;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether something went as wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventType {
    /// As wanted.
    Normal,
    /// Somebody should look at it.
    Warning,
}

impl EventType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// A sender of Events in the background.
///
/// The same Event on the same object is sent once and then, while it is
/// repeated, counted in its series every ten minutes. An object gets at most
/// ten different Events at once and one more each minute. What cannot be sent
/// is logged and costs nobody anything.
#[derive(Clone, Debug)]
pub struct Events {
    queue: mpsc::Sender<Message>,
}

#[derive(Debug)]
enum Message {
    Event(Key),
    /// Answered when everything before it was sent.
    Flush(oneshot::Sender<()>),
}

impl Events {
    /// Sends as `controller` (the binary's name), from this replica.
    #[must_use]
    pub fn start(client: kube::Client, controller: &'static str, instance: String) -> Self {
        let (queue, messages) = mpsc::channel(QUEUE);
        let worker = Worker {
            client,
            controller,
            instance,
            ledger: Ledger::default(),
            failing: false,
        };
        tokio::spawn(worker.run(messages));
        Self { queue }
    }

    /// Queues an Event and returns at once. `reason` is `CamelCase`, `message`
    /// one sentence that a user can act on, without secrets.
    pub fn send(
        &self,
        object: &ObjectRef,
        event_type: EventType,
        reason: &'static str,
        message: String,
    ) {
        let key = Key {
            object: object.clone(),
            event_type,
            reason,
            message,
        };
        if self.queue.try_send(Message::Event(key)).is_err() {
            tracing::debug!(%object, reason, "event dropped: too many are waiting");
        }
    }

    /// Waits until what was queued is sent, at most for `limit`.
    pub async fn flush(&self, limit: Duration) {
        let (done, wait) = oneshot::channel();
        let flushed = async {
            if self.queue.send(Message::Flush(done)).await.is_ok() {
                let _ = wait.await;
            }
        };
        let _ = timeout(limit, flushed).await;
    }
}

struct Worker {
    client: kube::Client,
    controller: &'static str,
    instance: String,
    ledger: Ledger,
    /// Whether the last request failed, so that a lasting failure is logged once.
    failing: bool,
}

impl Worker {
    async fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        while let Some(message) = messages.recv().await {
            match message {
                Message::Event(key) => self.handle(key).await,
                Message::Flush(done) => {
                    let _ = done.send(());
                }
            }
        }
    }

    async fn handle(&mut self, key: Key) {
        let verdict = self.ledger.judge(&key, Instant::now());
        let sent = match timeout(REQUEST_TIMEOUT, self.publish(&key, verdict)).await {
            Ok(Ok(sent)) => Ok(sent),
            Ok(Err(error)) => Err(crate::connect::describe(&error)),
            Err(_) => Err("the API server did not answer in time".to_owned()),
        };
        match sent {
            Ok(None) => {}
            Ok(Some(name)) => {
                self.ledger.sent(key, name, Instant::now());
                self.failing = false;
            }
            Err(error) => {
                let (object, reason) = (&key.object, key.reason);
                if self.failing {
                    tracing::debug!(%object, reason, error, "event not sent");
                } else {
                    tracing::warn!(%object, reason, error, "event not sent");
                }
                self.failing = true;
            }
        }
    }

    /// Carries a verdict out. The name of the Event, if one was sent.
    async fn publish(&self, key: &Key, verdict: Verdict) -> Result<Option<String>, kube::Error> {
        match verdict {
            Verdict::Count | Verdict::Drop => Ok(None),
            Verdict::Create => self.create(key).await.map(Some),
            Verdict::Repeat { name, count } => match self.repeat(key, &name, count).await {
                // It has expired: tell it anew.
                Err(kube::Error::Api(status)) if status.code == 404 => {
                    self.create(key).await.map(Some)
                }
                repeated => repeated.map(|()| Some(name)),
            },
        }
    }

    async fn create(&self, key: &Key) -> Result<String, kube::Error> {
        let event = self.event(key, Timestamp::now());
        let name = event.metadata.name.clone().unwrap_or_default();
        let created = self.api(key).create(&PostParams::default(), &event).await;
        created.map(|_| name)
    }

    async fn repeat(&self, key: &Key, name: &str, count: i32) -> Result<(), kube::Error> {
        let series = serde_json::json!({
            "series": { "count": count, "lastObservedTime": MicroTime(Timestamp::now()) }
        });
        let patch = Patch::Merge(&series);
        let patched = self
            .api(key)
            .patch(name, &PatchParams::default(), &patch)
            .await;
        patched.map(|_| ())
    }

    fn api(&self, key: &Key) -> Api<Event> {
        Api::namespaced(self.client.clone(), namespace(&key.object))
    }

    fn event(&self, key: &Key, now: Timestamp) -> Event {
        let object = &key.object;
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        // The name must stay below 253 bytes.
        let stem: String = object.name.chars().take(200).collect();
        Event {
            metadata: ObjectMeta {
                name: Some(format!("{stem}.{:x}", now.as_nanosecond())),
                namespace: Some(namespace(object).to_owned()),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(now)),
            type_: Some(key.event_type.as_str().to_owned()),
            reason: Some(key.reason.to_owned()),
            action: Some("Reconcile".to_owned()),
            note: Some(cut(&key.message, NOTE_BYTES)),
            regarding: Some(ObjectReference {
                api_version: some(object.api_version),
                kind: some(object.kind),
                namespace: some(&object.namespace),
                name: some(&object.name),
                uid: some(&object.uid),
                ..ObjectReference::default()
            }),
            reporting_controller: Some(self.controller.to_owned()),
            reporting_instance: Some(cut(&self.instance, 128)),
            ..Event::default()
        }
    }
}

/// Events on objects without a namespace live in `default`.
fn namespace(object: &ObjectRef) -> &str {
    if object.namespace.is_empty() {
        "default"
    } else {
        &object.namespace
    }
}

/// At most `bytes` of a text, cut between characters.
fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(bytes - '…'.len_utf8());
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests;
