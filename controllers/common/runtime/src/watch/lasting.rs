//! Watches of kinds that a cluster may not have, or that we may not read, and whose
//! objects outlive their kind.

mod discovery;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::input::{EventKind, Input};
use super::soon::Soon;
use super::{Effect, Watches, lock};
use discovery::Discovery;

/// How long a deletion is held back before it is asked what became of the kind.
/// When a CustomResourceDefinition is deleted, the API server marks it first, then
/// deletes its objects and tells of each.
const HOLD: Duration = Duration::from_secs(1);
/// How long what a kind lacks that has come back is held: its objects may come one
/// by one.
const HOLD_AFTER_ABSENCE: Duration = if cfg!(test) {
    Duration::from_millis(1500)
} else {
    Duration::from_secs(10)
};

/// The objects of a kind that may not be there.
#[derive(Debug)]
pub struct LastingStore<K>(Arc<Mutex<Kept<K>>>);

impl<K> Clone for LastingStore<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Namespace and name.
type Name = (String, String);

#[derive(Debug)]
struct Kept<K> {
    objects: BTreeMap<Name, Arc<K>>,
    absent: bool,
}

impl<K> LastingStore<K> {
    /// What is known of the kind: what there was before it went, if it did.
    #[must_use]
    pub fn state(&self) -> Vec<Arc<K>> {
        lock(&self.0).objects.values().cloned().collect()
    }

    /// Whether the kind cannot be read: there is no such kind, it is about to go, or
    /// we may not.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        lock(&self.0).absent
    }
}

impl Watches {
    /// As [`Watches::add`], of a kind that may not be there. Until it is, and while
    /// we may not read it, the store is empty, says so
    /// ([`LastingStore::is_absent`]) and does not keep the process from being
    /// ready; the kind is looked for all the time.
    ///
    /// When a kind goes, its objects stay: that a definition was deleted is no word
    /// on what its objects asked for. A deletion is therefore told a second later,
    /// if the API server still serves the kind whole by then: one whose definition is
    /// being deleted can be read and not be made any more.
    pub fn add_lasting<K>(
        &mut self,
        kind: &'static str,
        api: Api<K>,
        config: watcher::Config,
        slim: fn(&mut K),
    ) -> LastingStore<K>
    where
        K: Resource + Clone + Debug + DeserializeOwned + PartialEq + Send + Sync + 'static,
    {
        let store = LastingStore(Arc::new(Mutex::new(Kept {
            objects: BTreeMap::new(),
            absent: true,
        })));
        let input = Arc::new(Input::new(kind));
        lock(&self.inputs).push(input.clone());
        let follower = Follower {
            discovery: Discovery::of(&api),
            store: store.clone(),
            input,
            watches: self.clone(),
            slim,
            listing: None,
            gone: BTreeMap::new(),
            ask: None,
        };
        let task = tokio::spawn(follower.follow(api, config));
        tokio::spawn(async move {
            // A store that no longer follows the cluster must not be acted on.
            if task.await.is_err_and(|error| error.is_panic()) {
                tracing::error!(watch = kind, "watch panicked");
                std::process::exit(101);
            }
        });
        store
    }
}

struct Follower<K> {
    discovery: Discovery,
    store: LastingStore<K>,
    input: Arc<Input>,
    watches: Watches,
    slim: fn(&mut K),
    /// The list that is being received.
    listing: Option<BTreeMap<Name, K>>,
    /// What was said to be deleted, and until when that is held back.
    gone: BTreeMap<Name, Instant>,
    /// When to ask again whether the kind is there, where that is open.
    ask: Option<Instant>,
}

impl<K> Follower<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + PartialEq + Send + Sync + 'static,
{
    async fn follow(mut self, api: Api<K>, config: watcher::Config) {
        let stream = watcher(api, config)
            .backoff(Soon::default())
            .take_until(self.watches.shutdown.clone().cancelled_owned());
        let mut stream = std::pin::pin!(stream);
        loop {
            let due = self.gone.values().min().copied().into_iter();
            let due = due.chain(self.ask).min();
            tokio::select! {
                event = stream.next() => match event {
                    Some(Ok(event)) => self.saw(&event.modify(self.slim)).await,
                    Some(Err(error)) => self.failed(&error),
                    None => return,
                },
                () = sleep_until(due) => self.judge().await,
            }
            self.watches.changed.send_replace(());
        }
    }

    async fn saw(&mut self, event: &watcher::Event<K>) {
        let changes = match event {
            watcher::Event::Init => {
                self.listing = Some(BTreeMap::new());
                return;
            }
            watcher::Event::InitApply(object) => {
                let listing = self.listing.get_or_insert_default();
                listing.insert(name(object), object.clone());
                return;
            }
            watcher::Event::InitDone => {
                self.listed();
                // Objects may have gone before we looked, and the kind after them.
                self.judge().await;
                true
            }
            watcher::Event::Apply(object) => {
                self.gone.remove(&name(object));
                self.keep(object.clone())
            }
            watcher::Event::Delete(object) => {
                self.hold(name(object), HOLD);
                false
            }
        };
        let effect = Effect {
            objects: lock(&self.store.0).objects.len(),
            changed: changes,
        };
        self.input.saw(EventKind::of(event), &effect);
        if self.store.is_absent() {
            self.input.vanished();
        }
        if changes {
            self.watches.trigger.fire();
        }
    }

    /// A whole list: what is not in it any more is held like a deletion.
    fn listed(&mut self) {
        let listing = self.listing.take().unwrap_or_default();
        let hold = match self.store.is_absent() {
            true => HOLD_AFTER_ABSENCE,
            false => HOLD,
        };
        let missing: Vec<Name> = lock(&self.store.0)
            .objects
            .keys()
            .filter(|name| !listing.contains_key(*name))
            .cloned()
            .collect();
        for name in missing {
            self.hold(name, hold);
        }
        for (name, object) in listing {
            self.gone.remove(&name);
            self.keep(object);
        }
    }

    fn hold(&mut self, name: Name, hold: Duration) {
        let until = Instant::now() + hold;
        self.gone.entry(name).or_insert(until);
    }

    /// Whether the object is new or differs in more than its version.
    fn keep(&self, object: K) -> bool {
        let mut kept = lock(&self.store.0);
        let before = kept.objects.get(&name(&object));
        let same = before.is_some_and(|before| {
            let mut after = object.clone();
            let version = before.meta().resource_version.clone();
            after.meta_mut().resource_version = version;
            after == **before
        });
        kept.objects.insert(name(&object), Arc::new(object));
        !same
    }

    fn failed(&mut self, error: &watcher::Error) {
        if is_not_there(error) {
            self.ask = None;
            self.vanished();
        } else {
            self.input.failed(error);
        }
    }

    fn vanished(&mut self) {
        lock(&self.store.0).absent = true;
        self.gone.clear();
        if self.input.vanished() {
            self.watches.trigger.fire();
        }
    }

    /// Asks whether the kind is there to stay, and if so carries out what was held
    /// for long enough.
    async fn judge(&mut self) {
        let there = self.discovery.serves().await;
        self.ask = (there != Some(true)).then(|| Instant::now() + HOLD);
        match there {
            Some(true) => {
                lock(&self.store.0).absent = false;
                self.carry_out();
                self.watches.trigger.fire();
            }
            Some(false) => self.vanished(),
            // Not to be had right now: later.
            None => {
                let later = Instant::now() + HOLD;
                let held = self.gone.values_mut();
                held.for_each(|until| *until = later.max(*until));
            }
        }
    }

    fn carry_out(&mut self) {
        let now = Instant::now();
        let mut kept = lock(&self.store.0);
        self.gone.retain(|name, until| {
            let over = *until <= now;
            if over {
                kept.objects.remove(name);
            }
            !over
        });
    }
}

fn name<K: Resource>(object: &K) -> Name {
    let meta = object.meta();
    (
        meta.namespace.clone().unwrap_or_default(),
        meta.name.clone().unwrap_or_default(),
    )
}

/// Whether the error says that there is nothing to watch, or not for us.
fn is_not_there(error: &watcher::Error) -> bool {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(kube::Error::Api(status))
        | WatchStartFailed(kube::Error::Api(status))
        | WatchFailed(kube::Error::Api(status))
        | WatchError(status) => matches!(status.code, 403 | 404),
        _ => false,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
