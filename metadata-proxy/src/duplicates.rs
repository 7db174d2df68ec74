//! `--resolve-duplicate-cache-ips`: which of several pods has an address, by the API server's own word.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::Api;
use kube::api::ListParams;
use metadata_proxy_core::{Found, Pod};

use crate::config::AnnotationKeys;
use crate::directory::SharedDirectory;
use crate::slim::Pod as KubePod;
use crate::watch;

/// An address is asked for at most this often.
const EVERY: Duration = Duration::from_secs(1);

/// Asks the API server where the watch shows more than one pod.
pub(crate) struct Duplicates {
    client: OnceLock<kube::Client>,
    keys: AnnotationKeys,
    directory: SharedDirectory,
    asked: Mutex<BTreeMap<IpAddr, Instant>>,
}

impl Duplicates {
    pub(crate) fn new(keys: AnnotationKeys, directory: SharedDirectory) -> Self {
        Self {
            client: OnceLock::new(),
            keys,
            directory,
            asked: Mutex::default(),
        }
    }

    /// The API server is there.
    pub(crate) fn connect(&self, client: kube::Client) {
        let _ = self.client.set(client);
    }

    /// Asks for the pods of `address` and puts what the watch had wrong right.
    /// Whether it is worth to look again.
    pub(crate) async fn resolve(&self, address: IpAddr) -> bool {
        let Some(client) = self
            .client
            .get()
            .filter(|_| self.may_ask(address, Instant::now()))
        else {
            return false;
        };
        let params = ListParams::default().fields(&format!("status.podIP={address}"));
        match Api::<KubePod>::all(client.clone()).list(&params).await {
            Ok(list) => {
                let pods: Vec<Pod> = list
                    .items
                    .iter()
                    .filter_map(|object| watch::pod(object, &self.keys))
                    .collect();
                self.correct(address, pods);
                true
            }
            Err(error) => {
                tracing::warn!(%address, %error, "the pods of an address cannot be listed");
                false
            }
        }
    }

    fn may_ask(&self, address: IpAddr, now: Instant) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|_, at| now.saturating_duration_since(*at) < EVERY);
        let free = !asked.contains_key(&address);
        asked.entry(address).or_insert(now);
        free
    }

    fn correct(&self, address: IpAddr, pods: Vec<Pod>) {
        let real: BTreeSet<String> = pods.iter().map(|pod| pod.uid.clone()).collect();
        self.directory.change(|directory| {
            if let Found::Ambiguous(known) = directory.pods.find(address, Timestamp::now()) {
                for gone in known.iter().filter(|pod| !real.contains(&pod.uid)) {
                    directory.pods.delete(&gone.uid);
                }
            }
            for pod in pods {
                directory.pods.apply(pod);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::pod;
    use metadata_proxy_core::Directory;

    fn keys() -> AnnotationKeys {
        AnnotationKeys {
            role: String::new(),
            external_id: String::new(),
            allowed_roles: String::new(),
            audience: String::new(),
        }
    }

    #[test]
    fn what_the_api_server_does_not_have_is_forgotten() {
        let directory = SharedDirectory::new(Directory::default());
        for name in ["old", "new"] {
            directory.change(|directory| directory.pods.apply(pod(name, "10.0.0.1", None)));
        }
        let duplicates = Duplicates::new(keys(), directory.clone());
        let address = "10.0.0.1".parse().unwrap();
        duplicates.correct(address, vec![pod("new", "10.0.0.1", None)]);
        match directory.look(|directory| directory.pods.find(address, Timestamp::now())) {
            Found::Pod(found) => assert_eq!(found.name, "new"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_address_is_asked_for_once_in_a_while() {
        let duplicates = Duplicates::new(keys(), SharedDirectory::new(Directory::default()));
        let [one, two] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().unwrap());
        let now = Instant::now();
        assert!(duplicates.may_ask(one, now));
        assert!(!duplicates.may_ask(one, now + EVERY / 2));
        assert!(duplicates.may_ask(two, now + EVERY / 2));
        assert!(duplicates.may_ask(one, now + EVERY));
    }
}
