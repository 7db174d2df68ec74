//! Watches that keep nothing themselves.

use std::fmt::Debug;
use std::sync::Arc;

use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::input::{EventKind, Input};
use super::{Effect, Watches};

impl Watches {
    /// Watches objects without a store, for whoever keeps what it needs in a form
    /// of its own: `on_event` is given every event, and says how many objects it
    /// keeps then. The events are those of [`Watches::add_with`]. Each but the
    /// listed ones counts as a change, whatever is different.
    pub fn hand_on<K>(
        &mut self,
        kind: &'static str,
        api: Api<K>,
        config: watcher::Config,
        mut on_event: impl FnMut(watcher::Event<K>) -> usize + Send + 'static,
    ) where
        K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let input = Arc::new(Input::new(kind));
        let stream = watcher(api, config).default_backoff();
        self.follow(input, stream, move |event| Effect {
            changed: !matches!(
                EventKind::of(&event),
                EventKind::Init | EventKind::InitApply
            ),
            objects: on_event(event),
        });
    }
}
