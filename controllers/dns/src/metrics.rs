//! The metrics that only this controller has.

use dns_core::Batch;
use isthmus_core::{Action, Effect};
use isthmus_runtime::Metrics;
use prometheus::{IntCounterVec, IntGauge, Opts};

use crate::apply::Applied;

/// `isthmus_dns_changes_total{effect,result}` and `isthmus_dns_refused_names`.
#[derive(Clone, Debug)]
pub(crate) struct DnsMetrics {
    changes: IntCounterVec,
    refused: IntGauge,
}

impl DnsMetrics {
    /// Registers them.
    ///
    /// # Panics
    ///
    /// If they are registered twice.
    pub(crate) fn register(metrics: &Metrics) -> Self {
        let changes = Opts::new(
            "isthmus_dns_changes_total",
            "Changes of record sets, by effect and by what became of them.",
        );
        let changes = IntCounterVec::new(changes, &["effect", "result"]).expect("a constant name");
        let refused = Opts::new(
            "isthmus_dns_refused_names",
            "Names whose changes Route 53 refuses.",
        );
        let refused = IntGauge::with_opts(refused).expect("a constant name");
        let registry = metrics.registry();
        registry
            .register(Box::new(changes.clone()))
            .expect("registered once");
        registry
            .register(Box::new(refused.clone()))
            .expect("registered once");
        Self { changes, refused }
    }

    /// Counts what was done, and says how many names are set aside.
    pub(crate) fn applied(&self, applied: &Applied, refused_names: usize) {
        self.refused
            .set(i64::try_from(refused_names).unwrap_or(i64::MAX));
        let count = |effect: Effect, result: &str| {
            self.changes
                .with_label_values(&[effect.as_str(), result])
                .inc();
        };
        let failed = applied.failed.iter().map(|(_, batch)| batch);
        let of = |batch: &Batch, result: &str| {
            batch
                .changes()
                .for_each(|change| count(change.effect(), result));
        };
        applied
            .accepted
            .iter()
            .for_each(|batch| of(batch, "accepted"));
        failed.for_each(|batch| of(batch, "failed"));
        for (_, unit, _) in &applied.refused {
            unit.changes
                .iter()
                .for_each(|change| count(change.effect(), "refused"));
        }
    }
}
