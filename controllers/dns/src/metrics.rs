//! The metrics that only this controller has.

use dns_core::{Batch, Source};
use isthmus_core::{Action, Effect};
use isthmus_runtime::Metrics;
use prometheus::core::Collector;
use prometheus::{Gauge, Histogram, HistogramOpts, IntCounterVec, IntGauge, IntGaugeVec, Opts};

use crate::apply::Applied;

/// `isthmus_dns_changes_total{effect,result}`, `isthmus_dns_refused_names`,
/// `isthmus_dns_source_available{source}`, `isthmus_dns_fullest_zone_ratio` and
/// `isthmus_dns_insync_seconds`.
#[derive(Clone, Debug)]
pub(crate) struct DnsMetrics {
    changes: IntCounterVec,
    refused: IntGauge,
    sources: IntGaugeVec,
    fullest: Gauge,
    in_sync: Histogram,
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
        let fullest = Opts::new(
            "isthmus_dns_fullest_zone_ratio",
            "The share of its record sets that the fullest hosted zone has, of those it may have.",
        );
        let fullest = Gauge::with_opts(fullest).expect("a constant name");
        let in_sync = HistogramOpts::new(
            "isthmus_dns_insync_seconds",
            "Time until all servers of Route 53 had a change, with --wait-for-insync.",
        );
        let in_sync = in_sync.buckets(vec![5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 300.0]);
        let in_sync = Histogram::with_opts(in_sync).expect("a constant name");
        let all: [Box<dyn Collector>; 5] = [
            Box::new(sources.clone()),
            Box::new(changes.clone()),
            Box::new(refused.clone()),
            Box::new(fullest.clone()),
            Box::new(in_sync.clone()),
        ];
        for collector in all {
            metrics.register(collector);
        }
        Self {
            changes,
            refused,
            sources,
            fullest,
            in_sync,
        }
    }

    /// Says which sources can be asked.
    pub(crate) fn sources(&self, states: &[(Source, bool)]) {
        for (source, available) in states {
            let gauge = self.sources.with_label_values(&[source.flag()]);
            gauge.set(i64::from(*available));
        }
    }

    /// Where the times of changes are noted.
    pub(crate) fn in_sync(&self) -> Histogram {
        self.in_sync.clone()
    }

    /// Says how full the fullest zone is.
    pub(crate) fn fullest(&self, share: f64) {
        self.fullest.set(share);
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
        for refusal in &applied.refused {
            let changes = &refusal.unit.changes;
            changes
                .iter()
                .for_each(|change| count(change.effect(), "refused"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_these_metrics() {
        let metrics = Metrics::new();
        let _own = DnsMetrics::register(&metrics);
        let own = metrics.table_without(&Metrics::new());
        isthmus_runtime::documents::hold("metrics.md", "isthmus-dns", &own);
    }
}
