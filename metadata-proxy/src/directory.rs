//! What is known about pods, shared between the watches and the requests.

use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use metadata_proxy_core::{Directory, Grant};
use tokio::sync::watch;

/// A [`Directory`] that says when it changes. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct SharedDirectory {
    directory: Arc<RwLock<Directory>>,
    changed: Arc<watch::Sender<()>>,
}

impl SharedDirectory {
    pub(crate) fn new(directory: Directory) -> Self {
        Self {
            directory: Arc::new(RwLock::new(directory)),
            changed: Arc::new(watch::channel(()).0),
        }
    }

    /// Changes it and wakes those who wait for that.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Directory) -> T) -> T {
        // A panic between two changes leaves whole values; a watch that panicked ends the process.
        let done = change(
            &mut self
                .directory
                .write()
                .unwrap_or_else(PoisonError::into_inner),
        );
        self.changed.send_replace(());
        done
    }

    /// Looks at it.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Directory) -> T) -> T {
        look(
            &self
                .directory
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    pub(crate) fn grants(&self, now: Timestamp) -> Vec<Grant> {
        self.look(|directory| directory.grants(now).collect())
    }

    /// A receiver of changes: subscribe first, then look, then wait.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}
