//! `--startup-taint`: pods come to this node once it serves them, and not before.

use std::time::Duration;

use isthmus_core::ObjectRef;
use isthmus_runtime::{EventType, Watches};
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::watcher::{Config, Event};
use metadata_proxy_core::{Taint, reason, taint_removal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::metrics::ProxyMetrics;
use crate::report::Reporter;
use crate::slim::Node;

/// How soon it is looked again whether the proxy serves.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Pauses after a refused patch: doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(30);

/// Takes the taint off the proxy's own node.
pub(crate) struct StartupTaint {
    key: String,
    node: String,
    api: Api<Node>,
    /// The node's taints as the watch has them.
    taints: watch::Sender<Vec<Taint>>,
    metrics: ProxyMetrics,
    reporter: Reporter,
}

impl StartupTaint {
    /// Watches the node, and nothing but it: `watches` are in sync once its taints are known.
    pub(crate) fn new(
        (key, node): (&str, &str),
        client: &kube::Client,
        watches: &mut Watches,
        metrics: &ProxyMetrics,
        reporter: &Reporter,
    ) -> Self {
        let api = Api::<Node>::all(client.clone());
        let taints = watch::channel(Vec::new()).0;
        let seen = taints.clone();
        let only = Config::default().fields(&format!("metadata.name={node}"));
        let mut nodes = 0;
        watches.hand_on("node", api.clone(), only, move |event| {
            match event {
                Event::Apply(node) | Event::InitApply(node) => {
                    seen.send_replace(taints_of(&node));
                    nodes = 1;
                }
                Event::Delete(_) => {
                    seen.send_replace(Vec::new());
                    nodes = 0;
                }
                Event::Init | Event::InitDone => {}
            }
            nodes
        });
        Self {
            key: key.to_owned(),
            node: node.to_owned(),
            api,
            taints,
            metrics: metrics.clone(),
            reporter: reporter.clone(),
        }
    }

    /// Takes the taint away whenever it is there and `serves` says that pods are
    /// served, until `shutdown`.
    pub(crate) async fn keep(self, serves: impl Fn() -> bool, shutdown: CancellationToken) {
        let never_ends = async {
            let mut changes = self.taints.subscribe();
            let mut pause = FIRST_PAUSE;
            loop {
                let patch = taint_removal(&changes.borrow_and_update(), &self.key);
                self.metrics.tainted(patch.is_some());
                let Some(patch) = patch else {
                    pause = FIRST_PAUSE;
                    // The sender is ours, so that this does not fail.
                    let _ = changes.changed().await;
                    continue;
                };
                while !serves() {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                match self.remove(patch).await {
                    // The watch shows that, and what others have done since: it may
                    // have done so before the answer came, which is older then.
                    Ok(()) => {
                        let _ = tokio::time::timeout(LAST_PAUSE, changes.changed()).await;
                    }
                    Err(error) => {
                        tracing::warn!(
                            node = self.node,
                            taint = self.key,
                            "the taint stays for now: {error}"
                        );
                        let _ = tokio::time::timeout(pause, changes.changed()).await;
                        pause = (pause * 2).min(LAST_PAUSE);
                    }
                }
            }
        };
        tokio::select! {
            () = never_ends => {}
            () = shutdown.cancelled() => {}
        }
    }

    /// One patch. Another's change of the taints makes the API server refuse it.
    async fn remove(&self, patch: serde_json::Value) -> Result<(), RemovalError> {
        let patch = Patch::Json::<()>(serde_json::from_value(patch)?);
        let node = self
            .api
            .patch(&self.node, &PatchParams::default(), &patch)
            .await?;
        tracing::info!(
            node = self.node,
            taint = self.key,
            "pods are served: the taint is gone"
        );
        self.metrics.taint_removed();
        let object = ObjectRef::new("v1", "Node", "", &self.node)
            .with_uid(node.metadata.uid.unwrap_or_default());
        let message = format!(
            "this node's metadata proxy serves pods, so taint {} was taken off",
            self.key
        );
        self.reporter.say(
            &object,
            EventType::Normal,
            reason::STARTUP_TAINT_REMOVED,
            message,
        );
        Ok(())
    }
}

/// Why the taint is still there.
#[derive(Debug, thiserror::Error)]
enum RemovalError {
    #[error("{0}")]
    Refused(#[from] kube::Error),
    #[error("the patch: {0}")]
    Patch(#[from] serde_json::Error),
}

fn taints_of(node: &Node) -> Vec<Taint> {
    let taints = node.spec.taints.iter().flatten();
    taints
        .map(|taint| Taint {
            key: taint.key.clone(),
            effect: taint.effect.clone(),
        })
        .collect()
}
