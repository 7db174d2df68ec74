//! Watches: reflector stores that say when they are in sync and when something changed.

mod handed;
mod input;
mod lasting;
mod soon;

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{Lookup, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use input::{EventKind, Input};
pub use lasting::LastingStore;

use crate::{Section, Trigger};

/// The watches of a process. A clone shares them.
#[derive(Clone, Debug)]
pub struct Watches {
    inputs: Arc<Mutex<Vec<Arc<Input>>>>,
    changed: Arc<watch::Sender<()>>,
    trigger: Trigger,
    shutdown: CancellationToken,
}

/// The settings that the watches here use where nothing else is needed: all
/// objects, and lists that are up to date. The older lists that an API server
/// may give faster can lack an object, whose resources would then be removed.
#[must_use]
pub fn watcher_config() -> watcher::Config {
    watcher::Config::default()
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
    /// needed of each (`managedFields`, say) before it is kept. Every change of
    /// what is left asks for a reconcile; the resource version alone is none, so
    /// the heartbeats of a Node whose status is removed cost nothing. Errors are
    /// retried with backoff for ever, and logged when they begin and when they end.
    pub fn add<K>(
        &mut self,
        kind: &'static str,
        api: Api<K>,
        config: watcher::Config,
        slim: fn(&mut K),
    ) -> Store<K>
    where
        K: Resource + Lookup<DynamicType = <K as Resource>::DynamicType>,
        K: Clone + Debug + DeserializeOwned + PartialEq + Send + Sync + 'static,
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
        on_event: impl FnMut(&watcher::Event<K>) + Send + 'static,
    ) -> Store<K>
    where
        K: Resource + Lookup<DynamicType = <K as Resource>::DynamicType>,
        K: Clone + Debug + DeserializeOwned + PartialEq + Send + Sync + 'static,
        <K as Resource>::DynamicType: Clone + Default + Eq + Hash + Send + Sync,
    {
        let writer = Writer::<K>::new(Default::default());
        let store = writer.as_reader();
        let input = Arc::new(Input::new(kind));
        let stream = watcher(api, config).default_backoff();
        let keep = keep((writer, Default::default()), slim, on_event);
        self.follow(input, stream, keep);
        store
    }

    /// Hands every event on to `keep`, to the end of the process.
    fn follow<K>(
        &mut self,
        input: Arc<Input>,
        stream: impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send + 'static,
        mut keep: impl FnMut(watcher::Event<K>) -> Effect + Send + 'static,
    ) where
        K: Send + 'static,
    {
        lock(&self.inputs).push(input.clone());
        let kind = input.kind;
        let (trigger, changed) = (self.trigger.clone(), self.changed.clone());
        let stream = stream.take_until(self.shutdown.clone().cancelled_owned());
        let task = tokio::spawn(async move {
            let mut stream = std::pin::pin!(stream);
            while let Some(event) = stream.next().await {
                match event {
                    Ok(event) => {
                        let what = EventKind::of(&event);
                        let effect = keep(event);
                        input.saw(what, &effect);
                        if effect.changed {
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
            .filter_map(|input| input.missing())
            .collect()
    }

    /// For how long the watch that has failed for the longest has done so; `None`
    /// if all work. What is known is that old, then.
    #[must_use]
    pub fn failing_for(&self) -> Option<Duration> {
        lock(&self.inputs)
            .iter()
            .filter_map(|input| input.failing_for())
            .max()
    }

    /// Each watch, and whether it has delivered its first list and does not fail.
    #[must_use]
    pub fn in_sync(&self) -> Vec<(&'static str, bool)> {
        lock(&self.inputs)
            .iter()
            .map(|input| (input.kind, input.is_in_sync()))
            .collect()
    }

    /// The watches as a table: objects, state, age of the last change.
    #[must_use]
    pub fn section(&self) -> Section {
        let rows = lock(&self.inputs).iter().map(|input| input.row()).collect();
        let headings = ["Watch", "Objects", "State", "Last change"];
        Section::new("Inputs", headings, rows)
    }
}

/// What became of an event.
struct Effect {
    /// So many objects are kept now.
    objects: usize,
    /// Whether that made a difference.
    changed: bool,
}

/// Keeps events in a store, after `slim` and behind `on_event`.
fn keep<K>(
    (mut writer, dyntype): (Writer<K>, <K as Resource>::DynamicType),
    slim: fn(&mut K),
    mut on_event: impl FnMut(&watcher::Event<K>) + Send + 'static,
) -> impl FnMut(watcher::Event<K>) -> Effect + Send + 'static
where
    K: Resource + Lookup<DynamicType = <K as Resource>::DynamicType>,
    K: Clone + Debug + PartialEq + Send + Sync + 'static,
    <K as Resource>::DynamicType: Clone + Eq + Hash + Send + Sync,
{
    let kept = writer.as_reader();
    move |event| {
        let event = event.modify(slim);
        let changed = changes(&kept, &dyntype, &event);
        on_event(&event);
        writer.apply_watcher_event(&event);
        Effect {
            objects: kept.len(),
            changed,
        }
    }
}

/// Whether an event makes a difference to what is kept. An object that differs
/// in its resource version alone is the same: what was written to it was removed
/// by `slim`.
fn changes<K>(
    kept: &Store<K>,
    dyntype: &<K as Resource>::DynamicType,
    event: &watcher::Event<K>,
) -> bool
where
    K: Resource + Lookup<DynamicType = <K as Resource>::DynamicType>,
    K: Clone + PartialEq + 'static,
    <K as Resource>::DynamicType: Clone + Eq + Hash,
{
    match event {
        watcher::Event::Init | watcher::Event::InitApply(_) => false,
        watcher::Event::InitDone | watcher::Event::Delete(_) => true,
        watcher::Event::Apply(object) => {
            let Some(before) = kept.get(&ObjectRef::from_obj_with(object, dyntype.clone())) else {
                return true;
            };
            let mut after = object.clone();
            after
                .meta_mut()
                .resource_version
                .clone_from(&before.meta().resource_version);
            after != *before
        }
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
