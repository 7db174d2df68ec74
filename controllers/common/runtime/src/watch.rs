//! Watches: reflector stores that say when they are in sync and when something changed.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{Lookup, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Section, Trigger};

/// The watches of a process. A clone shares them.
#[derive(Clone, Debug)]
pub struct Watches {
    inputs: Arc<Mutex<Vec<Arc<Input>>>>,
    changed: Arc<watch::Sender<()>>,
    trigger: Trigger,
    shutdown: CancellationToken,
}

/// One watch as others see it.
#[derive(Debug)]
struct Input {
    kind: &'static str,
    state: Mutex<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    ready: bool,
    objects: usize,
    changed: Option<Instant>,
    error: Option<(String, Instant)>,
}

/// An error older than this is over: while a watch fails it is tried again, and
/// fails again, at least every 45 seconds. A watch that was resumed and has
/// nothing to tell says nothing.
const ERROR_LIFE: Duration = Duration::from_secs(75);

/// The settings that the watches here use where nothing else is needed: all
/// objects, first lists from the API server's cache.
#[must_use]
pub fn watcher_config() -> watcher::Config {
    watcher::Config::default().any_semantic()
}

impl Watches {
    /// No watches yet. Changes fire `trigger`; `shutdown` ends them.
    #[must_use]
    pub fn new(trigger: Trigger, shutdown: CancellationToken) -> Self {
        Self {
            inputs: Arc::default(),
            changed: Arc::new(watch::channel(()).0),
            trigger,
            shutdown,
        }
    }

    /// Watches objects and keeps them in a store. `slim` removes what is not
    /// needed of each (`managedFields`, say) before it is kept. Every change asks
    /// for a reconcile. Errors are retried with backoff for ever, and logged
    /// when they begin and when they end.
    pub fn add<K>(
        &mut self,
        kind: &'static str,
        api: Api<K>,
        config: watcher::Config,
        slim: fn(&mut K),
    ) -> Store<K>
    where
        K: Resource + Lookup<DynamicType = <K as Resource>::DynamicType>,
        K: Clone + Debug + DeserializeOwned + Send + Sync + 'static,
        <K as Resource>::DynamicType: Clone + Default + Eq + Hash + Send + Sync,
    {
        self.add_with(kind, api, config, slim, |_| {})
    }

    /// As [`Watches::add`], and hands every event to `on_event` before the store
    /// changes: `Init`, `InitApply` for each object, `InitDone` for a list,
    /// `Apply` and `Delete` afterwards.
    pub fn add_with<K>(
        &mut self,
        kind: &'static str,
        api: Api<K>,
        config: watcher::Config,
        slim: fn(&mut K),
        mut on_event: impl FnMut(&watcher::Event<K>) + Send + 'static,
    ) -> Store<K>
    where
        K: Resource + Lookup<DynamicType = <K as Resource>::DynamicType>,
        K: Clone + Debug + DeserializeOwned + Send + Sync + 'static,
        <K as Resource>::DynamicType: Clone + Default + Eq + Hash + Send + Sync,
    {
        let mut writer = Writer::<K>::new(Default::default());
        let store = writer.as_reader();
        let input = Arc::new(Input {
            kind,
            state: Mutex::default(),
        });
        lock(&self.inputs).push(input.clone());
        let (kept, trigger, changed) = (store.clone(), self.trigger.clone(), self.changed.clone());
        let stream = watcher(api, config)
            .default_backoff()
            .take_until(self.shutdown.clone().cancelled_owned());
        let task = tokio::spawn(async move {
            let mut stream = std::pin::pin!(stream);
            while let Some(event) = stream.next().await {
                match event {
                    Ok(event) => {
                        let event = event.modify(slim);
                        on_event(&event);
                        writer.apply_watcher_event(&event);
                        if input.saw(&event, kept.len()) {
                            trigger.fire();
                        }
                    }
                    Err(error) => input.failed(&error),
                }
                changed.send_replace(());
            }
        });
        tokio::spawn(async move {
            // A store that no longer follows the cluster must not be acted on.
            if task.await.is_err_and(|error| error.is_panic()) {
                tracing::error!(watch = kind, "watch panicked");
                std::process::exit(101);
            }
        });
        store
    }

    /// Waits until every watch has delivered its first list.
    pub async fn ready(&self) {
        let mut changed = self.changed.subscribe();
        while !self.missing().is_empty() {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// The watches that have not delivered their first list, with the error that keeps them.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        lock(&self.inputs)
            .iter()
            .filter_map(|input| {
                let state = lock(&input.state);
                let why = state.error().unwrap_or("no first list yet");
                (!state.ready).then(|| format!("{}: {why}", input.kind))
            })
            .collect()
    }

    /// The watches as a table: objects, state, age of the last change.
    #[must_use]
    pub fn section(&self) -> Section {
        let rows = lock(&self.inputs)
            .iter()
            .map(|input| {
                let state = lock(&input.state).clone();
                vec![
                    input.kind.to_owned(),
                    state.objects.to_string(),
                    state.word(),
                    state
                        .changed
                        .map_or_else(|| "never".to_owned(), |at| age(at.elapsed())),
                ]
            })
            .collect();
        Section {
            title: "Inputs".to_owned(),
            headings: ["Watch", "Objects", "State", "Last change"]
                .map(str::to_owned)
                .to_vec(),
            rows,
        }
    }
}

impl State {
    fn error(&self) -> Option<&str> {
        let (text, at) = self.error.as_ref()?;
        (at.elapsed() < ERROR_LIFE).then_some(text)
    }

    fn word(&self) -> String {
        match (self.error(), self.ready) {
            (Some(error), _) => format!("failing: {error}"),
            (None, true) => "in sync".to_owned(),
            (None, false) => "waiting for the first list".to_owned(),
        }
    }
}

impl Input {
    /// Notes an event. Whether the store may be different now.
    fn saw<K>(&self, event: &watcher::Event<K>, objects: usize) -> bool {
        let mut state = lock(&self.state);
        if matches!(event, watcher::Event::Init) {
            // Said before the server is asked.
            return false;
        }
        if state.error.take().is_some() {
            tracing::info!(watch = self.kind, "watch works again");
        }
        state.objects = objects;
        match event {
            watcher::Event::Init | watcher::Event::InitApply(_) => return false,
            watcher::Event::InitDone => {
                if !state.ready {
                    tracing::debug!(watch = self.kind, objects, "first list");
                }
                state.ready = true;
            }
            watcher::Event::Apply(_) | watcher::Event::Delete(_) => {}
        }
        state.changed = Some(Instant::now());
        true
    }

    fn failed(&self, error: &watcher::Error) {
        let text = describe(error);
        if matches!(error, watcher::Error::WatchError(status) if status.code == 410) {
            // The server has forgotten the version we were at: a new list follows.
            tracing::debug!(watch = self.kind, error = text, "watch starts over");
            return;
        }
        let mut state = lock(&self.state);
        if state.error() != Some(&text) {
            tracing::warn!(
                watch = self.kind,
                error = text,
                "watch fails; it is tried again"
            );
        }
        state.error = Some((text, Instant::now()));
    }
}

fn describe(error: &watcher::Error) -> String {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(error) | WatchStartFailed(error) | WatchFailed(error) => {
            crate::connect::describe(error)
        }
        WatchError(status) => format!("{} ({})", status.message, status.code),
        other => other.to_string(),
    }
}

/// How long ago, in words short enough for a table.
pub(crate) fn age(duration: Duration) -> String {
    let seconds = Duration::from_secs(duration.as_secs());
    format!("{} ago", isthmus_core::GoDuration(seconds))
}

/// A poisoned lock still holds whole values here: each write is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
