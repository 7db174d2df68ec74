//! The proxy's own metrics. Every label has a closed set of values.

use std::time::Duration;

use isthmus_runtime::Metrics;
use jiff::Timestamp;
use metadata_proxy_core::Refusal;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts};

/// What became of a question for credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Supplied {
    /// Served from memory.
    Hit,
    /// Waited for STS.
    Fetched,
    /// STS took too long; older ones were served.
    Stale,
    /// STS took too long and there was nothing else.
    Late,
    /// STS had refused.
    Refused,
}

/// A handle. Clones share the metrics.
#[derive(Clone, Debug)]
pub(crate) struct ProxyMetrics {
    answers: IntCounterVec,
    refusals: IntCounterVec,
    supplied: [IntCounter; 5],
    duration: Histogram,
    connections: IntGauge,
    turned_away: IntCounter,
    last_change: IntGauge,
    common: Metrics,
}

/// Seconds: from memory, after STS, at the end of patience.
const BUCKETS: [f64; 10] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.05, 0.25, 0.5, 1.0,
];

impl ProxyMetrics {
    /// Registers them with the common ones.
    pub(crate) fn new(common: &Metrics) -> Self {
        let counters = |name: &str, help: &str, label: &str| {
            IntCounterVec::new(Opts::new(name, help), &[label]).expect("a constant name")
        };
        let supplied = counters(
            "isthmus_proxy_credentials_total",
            "Questions for credentials, by where the answer came from.",
            "outcome",
        );
        let metrics = Self {
            answers: counters("isthmus_proxy_answers_total", "Requests by the status of their answer.", "status"),
            refusals: counters("isthmus_proxy_refusals_total", "Requests that were refused, by reason.", "reason"),
            supplied: ["hit", "fetched", "stale", "late", "refused"].map(|name| supplied.with_label_values(&[name])),
            duration: Histogram::with_opts(
                HistogramOpts::new("isthmus_proxy_request_duration_seconds", "How long a request took.")
                    .buckets(BUCKETS.to_vec()),
            )
            .expect("a constant name"),
            connections: IntGauge::new("isthmus_proxy_connections", "Open connections.").expect("a constant name"),
            turned_away: IntCounter::new(
                "isthmus_proxy_connections_turned_away_total",
                "Connections closed at once, because there were too many of one address or in all.",
            )
            .expect("a constant name"),
            last_change: IntGauge::new(
                "isthmus_proxy_pods_last_change_timestamp_seconds",
                "When the watch last showed a pod or the end of a list, as Unix time; 0 before the first.",
            )
            .expect("a constant name"),
            common: common.clone(),
        };
        let collectors: [Box<dyn prometheus::core::Collector>; 7] = [
            Box::new(metrics.answers.clone()),
            Box::new(metrics.refusals.clone()),
            Box::new(supplied),
            Box::new(metrics.duration.clone()),
            Box::new(metrics.connections.clone()),
            Box::new(metrics.turned_away.clone()),
            Box::new(metrics.last_change.clone()),
        ];
        for collector in collectors {
            common
                .registry()
                .register(collector)
                .expect("distinct names");
        }
        metrics
    }

    /// A request was answered.
    pub(crate) fn answered(&self, status: u16, took: Duration) {
        let mut digits = [0; 3];
        for (place, digit) in
            digits
                .iter_mut()
                .zip([status / 100 % 10, status / 10 % 10, status % 10])
        {
            *place = b'0' + u8::try_from(digit).unwrap_or_default();
        }
        let label = std::str::from_utf8(&digits).unwrap_or_default();
        self.answers.with_label_values(&[label]).inc();
        self.duration.observe(took.as_secs_f64());
    }

    /// A request was refused.
    pub(crate) fn refused(&self, refusal: Refusal) {
        self.refusals.with_label_values(&[refusal.as_str()]).inc();
    }

    /// A question for credentials was answered.
    pub(crate) fn supplied(&self, how: Supplied) {
        self.supplied[how as usize].inc();
    }

    /// How many grants have living credentials.
    pub(crate) fn held(&self, count: usize) {
        self.common.managed("credentials", count);
    }

    /// No role of a living pod is refused or out of reach at STS.
    pub(crate) fn all_well(&self) {
        self.common.succeeded();
    }

    /// How many pods are known.
    pub(crate) fn pods(&self, count: usize) {
        self.common.managed("pod", count);
    }

    /// The watch has shown something of a pod.
    pub(crate) fn pods_changed(&self, now: Timestamp) {
        self.last_change.set(now.as_second());
    }

    /// A connection was opened; the guard counts its end.
    pub(crate) fn connected(&self) -> Connected {
        self.connections.inc();
        Connected(self.connections.clone())
    }

    /// A connection was closed before its first byte was read.
    pub(crate) fn turned_away(&self) {
        self.turned_away.inc();
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connected(IntGauge);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
    }
}
