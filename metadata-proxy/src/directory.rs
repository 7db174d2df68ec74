//! What is known about pods, shared between the watches and the requests.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::Timestamp;
use metadata_proxy_core::{Caller, Directory, Grant, Pod, Presented, RoleState, Shown};
use tokio::sync::watch;

/// A [`Directory`] that says when it changes. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct SharedDirectory {
    directory: Arc<RwLock<Directory>>,
    /// What the rules said about pods since the last change, by UID.
    said: Arc<Mutex<HashMap<String, RoleState>>>,
    changed: Arc<watch::Sender<()>>,
}

impl SharedDirectory {
    pub(crate) fn new(directory: Directory) -> Self {
        Self {
            directory: Arc::new(RwLock::new(directory)),
            said: Arc::default(),
            changed: Arc::new(watch::channel(()).0),
        }
    }

    /// Changes it and wakes those who wait for that.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Directory) -> T) -> T {
        // A panic between two changes leaves whole values; a watch that panicked ends the process.
        let mut directory = self
            .directory
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let done = change(&mut directory);
        // Under the same lock: nobody remembers what was said before.
        self.said
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        drop(directory);
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

    /// Who is behind an address, and what the rules say about them: asked once
    /// for each pod between two changes.
    pub(crate) fn identify(
        &self,
        directory: &Directory,
        peer: IpAddr,
        shown: Shown<'_>,
        now: Timestamp,
    ) -> Caller {
        directory.identify(peer, shown, now, |pod| self.role_of(directory, pod))
    }

    /// As [`SharedDirectory::identify`], for the container endpoint.
    pub(crate) fn identify_bearer(
        &self,
        directory: &Directory,
        peer: IpAddr,
        presented: Presented<'_>,
        now: Timestamp,
    ) -> Caller {
        directory.identify_bearer(peer, presented, now, |pod| self.role_of(directory, pod))
    }

    fn role_of(&self, directory: &Directory, pod: &Pod) -> RoleState {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(role) = said.get(&pod.uid) {
            return role.clone();
        }
        let role = directory.role_of(pod);
        said.insert(pod.uid.clone(), role.clone());
        role
    }

    pub(crate) fn grants(&self, now: Timestamp) -> Vec<Arc<Grant>> {
        self.look(|directory| {
            let role_of = |pod: &Pod| self.role_of(directory, pod);
            directory.grants(now, role_of).collect()
        })
    }

    /// A receiver of changes: subscribe first, then look, then wait.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}
