//! The metrics that only this controller has.

use dns_core::{Batch, Source};
use isthmus_core::{Action, Effect};
use isthmus_runtime::Metrics;
use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts};

use crate::apply::Applied;

/// `isthmus_dns_changes_total{effect,result}`, `isthmus_dns_refused_names` and
/// `isthmus_dns_source_available{source}`.
#[derive(Clone, Debug)]
pub(crate) struct DnsMetrics {
    changes: IntCounterVec,
    refused: IntGauge,
    sources: IntGaugeVec,
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
        let sources = Opts::new(
            "isthmus_dns_source_available",
            "Whether a source can be asked; the records of one that cannot stay as they are.",
        );
        let sources = IntGaugeVec::new(sources, &["source"]).expect("a constant name");
        let registry = metrics.registry();
        registry
            .register(Box::new(sources.clone()))
            .expect("registered once");
        registry
            .register(Box::new(changes.clone()))
            .expect("registered once");
        registry
            .register(Box::new(refused.clone()))
            .expect("registered once");
        Self {
            changes,
            refused,
            sources,
        }
    }

    /// Says which sources can be asked.
    pub(crate) fn sources(&self, states: &[(Source, bool)]) {
        for (source, available) in states {
            let gauge = self.sources.with_label_values(&[source.flag()]);
            gauge.set(i64::from(*available));
        }
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
