//! "Something changed": many causes, one reconcile.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

/// Asks for a reconcile. Any number of requests within about a second, and any
/// number during a run, become one run.
#[derive(Clone, Debug, Default)]
pub struct Trigger {
    notify: Arc<Notify>,
}

impl Trigger {
    /// How long changes are collected before a run.
    pub const WINDOW: Duration = Duration::from_secs(1);

    /// Asks for a reconcile soon. Never blocks.
    pub fn fire(&self) {
        self.notify.notify_one();
    }

    /// Waits for a request and then for the end of the window that it opens.
    /// The window is not extended: a steady stream of changes cannot starve the loop.
    pub(crate) async fn debounced(&self) {
        self.notify.notified().await;
        tokio::time::sleep(Self::WINDOW).await;
    }

    /// Forgets a request that was made before a run which sees its cause anyway.
    pub(crate) fn clear(&self) {
        let _ = futures::FutureExt::now_or_never(self.notify.notified());
    }
}
