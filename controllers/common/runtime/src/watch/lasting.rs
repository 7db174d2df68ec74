//! Watches of kinds that a cluster may not have, or that we may not read, and whose
//! objects outlive their kind.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::input::Input;
use super::optional::Soon;
use super::{Watches, lock};

/// How long a deletion is held back. When a CustomResourceDefinition is deleted, the
/// API server first deletes its objects and tells of each; within the five seconds
/// in which it looks whether all are gone, the kind itself goes, and the deletions
/// turn out not to have been meant.
const HOLD: Duration = if cfg!(test) {
    Duration::from_millis(300)
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

    /// Whether the kind cannot be read: there is no such kind, or we may not.
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
    /// on what its objects asked for. A deletion is therefore told ten seconds
    /// later, if the kind is still there by then.
    pub fn add_lasting<K>(
        &mut self,
        kind: &'static str,
        client: &Client,
        slim: fn(&mut K),
    ) -> LastingStore<K>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + PartialEq,
        K: Send + Sync + 'static,
    {
        let store = LastingStore(Arc::new(Mutex::new(Kept {
            objects: BTreeMap::new(),
            absent: false,
        })));
        let input = Arc::new(Input::new(kind));
        lock(&self.inputs).push(input.clone());
        let follower = Follower {
            client: client.clone(),
            store: store.clone(),
            input,
            watches: self.clone(),
            slim,
            listing: None,
            gone: BTreeMap::new(),
        };
        let task = tokio::spawn(follower.follow());
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
    client: Client,
    store: LastingStore<K>,
    input: Arc<Input>,
    watches: Watches,
    slim: fn(&mut K),
    /// The list that is being received.
    listing: Option<BTreeMap<Name, K>>,
    /// What was said to be deleted, and until when that is held back.
    gone: BTreeMap<Name, Instant>,
}

impl<K> Follower<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + PartialEq,
    K: Send + Sync + 'static,
{
    async fn follow(mut self) {
        let stream = watcher(Api::<K>::all(self.client.clone()), super::watcher_config())
            .backoff(Soon::default())
            .take_until(self.watches.shutdown.clone().cancelled_owned());
        let mut stream = std::pin::pin!(stream);
        loop {
            let due = self.gone.values().min().copied();
            tokio::select! {
                event = stream.next() => match event {
                    Some(Ok(event)) => self.saw(&event.modify(self.slim)),
                    Some(Err(error)) => self.failed(&error),
                    None => return,
                },
                () = sleep_until(due) => self.judge().await,
            }
            self.watches.changed.send_replace(());
        }
    }

    fn saw(&mut self, event: &watcher::Event<K>) {
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
            watcher::Event::InitDone => self.listed(),
            watcher::Event::Apply(object) => {
                self.gone.remove(&name(object));
                self.keep(object.clone())
            }
            watcher::Event::Delete(object) => {
                self.hold(name(object));
                false
            }
        };
        let objects = {
            let mut kept = lock(&self.store.0);
            kept.absent = false;
            kept.objects.len()
        };
        self.input.saw(event, objects, changes);
        if changes {
            self.watches.trigger.fire();
        }
    }

    /// A whole list: what is not in it any more is held like a deletion.
    fn listed(&mut self) -> bool {
        let listing = self.listing.take().unwrap_or_default();
        let missing: Vec<Name> = lock(&self.store.0)
            .objects
            .keys()
            .filter(|name| !listing.contains_key(*name))
            .cloned()
            .collect();
        for name in missing {
            self.hold(name);
        }
        for (name, object) in listing {
            self.gone.remove(&name);
            self.keep(object);
        }
        true
    }

    fn hold(&mut self, name: Name) {
        self.gone
            .entry(name)
            .or_insert_with(|| Instant::now() + HOLD);
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
        if !is_not_there(error) {
            self.input.failed(error);
            return;
        }
        lock(&self.store.0).absent = true;
        self.gone.clear();
        self.input.vanished();
    }

    /// Carries held deletions out, if the kind is there to stay.
    async fn judge(&mut self) {
        let api = Api::<K>::all(self.client.clone());
        let one = kube::api::ListParams::default().limit(1);
        let there = api.list(&one).await;
        if there.is_ok() {
            let now = Instant::now();
            let over: Vec<Name> = self
                .gone
                .iter()
                .filter(|(_, until)| **until <= now)
                .map(|(name, _)| name.clone())
                .collect();
            for name in over {
                self.gone.remove(&name);
                lock(&self.store.0).objects.remove(&name);
            }
            self.watches.trigger.fire();
            return;
        }
        match there {
            Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => {
                lock(&self.store.0).absent = true;
                self.gone.clear();
            }
            // Not to be had right now: later.
            _ => {
                let later = Instant::now() + HOLD;
                self.gone.values_mut().for_each(|until| *until = later);
            }
        }
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
