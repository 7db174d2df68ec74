//! Watches of kinds whose API may not be there: custom resources.

use std::sync::Arc;
use std::time::Duration;

use kube::Resource;
use kube::runtime::reflector::Store;
use kube::runtime::utils::Backoff;

use super::input::Input;

/// A watch of a kind that the API server may not serve, or not yet, or not any
/// more. Its absence keeps nothing else from being ready.
pub struct OptionalStore<K>
where
    K: Resource + 'static,
    K::DynamicType: std::hash::Hash + Eq,
{
    pub(super) store: Store<K>,
    pub(super) input: Arc<Input>,
}

impl<K> OptionalStore<K>
where
    K: Resource + Clone + 'static,
    K::DynamicType: std::hash::Hash + Eq + Clone,
{
    /// What was told last. While the API is not served this is what was told
    /// before: the API server deletes the objects of a kind before the kind, and
    /// tells it, so it may be less than what was there.
    #[must_use]
    pub fn state(&self) -> Vec<Arc<K>> {
        self.store.state()
    }

    /// Whether the API server served the kind when it was last asked.
    #[must_use]
    pub fn is_served(&self) -> bool {
        self.input.is_served()
    }
}

/// Grows from under a second to a few: a kind that comes is soon noticed.
#[derive(Debug)]
pub(super) struct Soon(Duration);

const FIRST: Duration = Duration::from_millis(800);
const LONGEST: Duration = Duration::from_secs(5);

impl Default for Soon {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Iterator for Soon {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let now = self.0;
        self.0 = (now * 2).min(LONGEST);
        Some(now)
    }
}

impl Backoff for Soon {
    fn reset(&mut self) {
        self.0 = FIRST;
    }
}
