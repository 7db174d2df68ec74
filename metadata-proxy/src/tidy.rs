//! What is said of all pods together, and what is forgotten with them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use isthmus_core::Rejection;
use isthmus_runtime::{Admin, Metrics, Watches};
use jiff::Timestamp;
use metadata_proxy_core::{Directory, RoleOrigin, Wanted};
use tokio_util::sync::CancellationToken;

use crate::directory::SharedDirectory;
use crate::metrics::ProxyMetrics;
use crate::pod_tokens::PodTokens;
use crate::report::Reporter;

/// Changes that come together are looked at together.
const PAUSE: Duration = Duration::from_millis(100);
/// How often it is looked whether the watches work.
const WATCHES: Duration = Duration::from_secs(1);

/// Follows the directory: rejections for the page, the metric and Events, where
/// roles are written, and the tokens of pods that are gone; and whether the
/// watches work.
pub(crate) struct Tidy {
    pub(crate) directory: SharedDirectory,
    pub(crate) tokens: Arc<PodTokens>,
    pub(crate) watches: Watches,
    pub(crate) admin: Admin,
    pub(crate) reporter: Reporter,
    pub(crate) metrics: ProxyMetrics,
    pub(crate) common: Metrics,
}

impl Tidy {
    /// Until `shutdown`.
    pub(crate) async fn keep(self, shutdown: CancellationToken) {
        let mut changes = self.directory.changes();
        self.look();
        let mut watches = tokio::time::interval(WATCHES);
        loop {
            tokio::select! {
                _ = watches.tick() => self.metrics.watch_failing(self.watches.failing_for()),
                _ = changes.changed() => {
                    self.look();
                    tokio::time::sleep(PAUSE).await;
                }
                () = shutdown.cancelled() => return,
            }
        }
    }

    fn look(&self) {
        let now = Timestamp::now();
        let (rejections, origins, uids) = self.directory.look(|directory| {
            let rejections: Vec<Rejection> = directory.rejections(now).collect();
            let pods = directory.pods.pods();
            let uids: BTreeSet<String> = pods.map(|pod| pod.uid.clone()).collect();
            (rejections, origins(directory, now), uids)
        });
        let mut reasons: BTreeMap<&'static str, usize> = BTreeMap::new();
        for rejection in &rejections {
            *reasons.entry(rejection.reason).or_default() += 1;
        }
        self.common.rejected(&reasons);
        for new in self.admin.rejected(&rejections) {
            self.reporter.rejected(&new);
        }
        self.metrics.origins(&origins);
        self.tokens.retain(|uid| uids.contains(uid));
    }
}

fn origins(directory: &Directory, now: Timestamp) -> BTreeMap<Option<RoleOrigin>, usize> {
    let mut origins = BTreeMap::new();
    let living = directory.pods.pods().filter(|pod| pod.lives(now));
    for pod in living {
        let origin = match directory.rules.wanted(pod, &directory.service_accounts) {
            Wanted::Role(_, origin) => Some(origin),
            Wanted::Nothing(_) | Wanted::Nowhere | Wanted::Unknown => None,
        };
        *origins.entry(origin).or_default() += 1;
    }
    origins
}
