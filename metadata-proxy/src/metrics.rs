//! The proxy's own metrics. Every label has a closed set of values.

use std::collections::BTreeMap;
use std::time::Duration;

use isthmus_runtime::Metrics;
use jiff::Timestamp;
use metadata_proxy_core::{Refusal, RoleOrigin, SourceMode};
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
};

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

/// What the API server said of a token that a pod presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reviewed {
    Genuine,
    Refused,
    /// It could not be asked.
    Failed,
}

/// Where a pod's own token was had from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenFrom {
    /// The kubelet's volume.
    Volume,
    /// The pod, at the container endpoint.
    Presented,
    /// Nowhere.
    None,
}

/// A handle. Clones share the metrics.
#[derive(Clone, Debug)]
pub(crate) struct ProxyMetrics {
    reviews: [IntCounter; 3],
    pod_tokens: [IntCounter; 3],
    origins: IntGaugeVec,
    source: IntGaugeVec,
    /// By status.
    answers: [(u16, IntCounter); STATUSES.len()],
    /// In the order of [`Refusal::ALL`].
    refusals: Vec<IntCounter>,
    supplied: [IntCounter; 5],
    duration: Histogram,
    connections: IntGauge,
    turned_away: IntCounter,
    tainted: IntGauge,
    taint_removals: IntCounter,
    redirect_repairs: IntCounter,
    realtime: IntGauge,
    watch_failing: IntGauge,
    last_change: IntGauge,
    common: Metrics,
}

/// Every status that an answer can have.
const STATUSES: [u16; 8] = [200, 400, 401, 403, 404, 405, 500, 503];

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
        let reviews = counters(
            "isthmus_proxy_token_reviews_total",
            "Tokens that pods presented, by what the API server said of them.",
            "outcome",
        );
        let pod_tokens = counters(
            "isthmus_proxy_pod_tokens_total",
            "Pods' own tokens that STS was to be given, by where they were had from.",
            "from",
        );
        let gauges = |name: &str, help: &str, label: &str| {
            IntGaugeVec::new(Opts::new(name, help), &[label]).expect("a constant name")
        };
        let answers = counters(
            "isthmus_proxy_answers_total",
            "Requests by the status of their answer.",
            "status",
        );
        let refusals = counters(
            "isthmus_proxy_refusals_total",
            "Requests that were refused, by reason.",
            "reason",
        );
        let of_reason = |refusal: &Refusal| refusals.with_label_values(&[refusal.as_str()]);
        let metrics = Self {
            reviews: ["genuine", "refused", "failed"].map(|name| reviews.with_label_values(&[name])),
            pod_tokens: ["volume", "presented", "none"].map(|name| pod_tokens.with_label_values(&[name])),
            origins: gauges(
                "isthmus_proxy_pods_by_role_origin",
                "Living pods by where their role is written.",
                "origin",
            ),
            source: gauges(
                "isthmus_proxy_credential_source",
                "1 for whose word STS is given: the node's or each pod's own.",
                "source",
            ),
            answers: STATUSES.map(|status| (status, answers.with_label_values(&[&status.to_string()]))),
            refusals: Refusal::ALL.iter().map(of_reason).collect(),
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
            tainted: IntGauge::new(
                "isthmus_proxy_startup_taint",
                "Whether the node has the taint of --startup-taint: 1 or 0.",
            )
            .expect("a constant name"),
            taint_removals: IntCounter::new(
                "isthmus_proxy_startup_taint_removals_total",
                "How often the taint of --startup-taint was taken off the node.",
            )
            .expect("a constant name"),
            redirect_repairs: IntCounter::new(
                "isthmus_proxy_redirect_repairs_total",
                "How often the redirection's rules had to be put right after they were in place.",
            )
            .expect("a constant name"),
            last_change: IntGauge::new(
                "isthmus_proxy_pods_last_change_timestamp_seconds",
                "When the watch last showed a pod or the end of a list, as Unix time; 0 before the first.",
            )
            .expect("a constant name"),
            realtime: IntGauge::new(
                "isthmus_proxy_realtime",
                "Whether pods are answered at a real-time priority now: 1 or 0.",
            )
            .expect("a constant name"),
            watch_failing: IntGauge::new(
                "isthmus_proxy_watch_failing_seconds",
                "For how long the API server could not be watched: what is known of pods is that old. 0 while it can.",
            )
            .expect("a constant name"),
            common: common.clone(),
        };
        let collectors: [Box<dyn prometheus::core::Collector>; 16] = [
            Box::new(reviews),
            Box::new(pod_tokens),
            Box::new(metrics.origins.clone()),
            Box::new(metrics.source.clone()),
            Box::new(answers),
            Box::new(refusals),
            Box::new(supplied),
            Box::new(metrics.duration.clone()),
            Box::new(metrics.connections.clone()),
            Box::new(metrics.turned_away.clone()),
            Box::new(metrics.tainted.clone()),
            Box::new(metrics.taint_removals.clone()),
            Box::new(metrics.redirect_repairs.clone()),
            Box::new(metrics.last_change.clone()),
            Box::new(metrics.realtime.clone()),
            Box::new(metrics.watch_failing.clone()),
        ];
        for collector in collectors {
            common.register(collector);
        }
        metrics
    }

    /// A request was answered.
    pub(crate) fn answered(&self, status: u16, took: Duration) {
        let mut counters = self.answers.iter();
        if let Some((_, counter)) = counters.find(|(known, _)| *known == status) {
            counter.inc();
        }
        self.duration.observe(took.as_secs_f64());
    }

    /// A request was refused.
    pub(crate) fn refused(&self, refusal: Refusal) {
        if let Some(counter) = self.refusals.get(refusal as usize) {
            counter.inc();
        }
    }

    /// A question for credentials was answered.
    pub(crate) fn supplied(&self, how: Supplied) {
        self.supplied[how as usize].inc();
    }

    /// A token that a pod presented was reviewed.
    pub(crate) fn reviewed(&self, what: Reviewed) {
        self.reviews[what as usize].inc();
    }

    /// A pod's own token was looked for.
    pub(crate) fn pod_token(&self, from: TokenFrom) {
        self.pod_tokens[from as usize].inc();
    }

    /// Whose word STS is given.
    pub(crate) fn source(&self, source: SourceMode) {
        self.source.with_label_values(&[source.as_str()]).set(1);
    }

    /// How many living pods have their role from where; `None`: they have none.
    pub(crate) fn origins(&self, pods: &BTreeMap<Option<RoleOrigin>, usize>) {
        for origin in RoleOrigin::ALL.map(Some).into_iter().chain([None]) {
            let count = pods.get(&origin).copied().unwrap_or_default();
            let label = origin.map_or("none", RoleOrigin::as_str);
            self.origins
                .with_label_values(&[label])
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        }
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

    /// The node has the start-up taint, or has not.
    pub(crate) fn tainted(&self, is: bool) {
        self.tainted.set(is.into());
    }

    /// The start-up taint was taken off the node.
    pub(crate) fn taint_removed(&self) {
        self.taint_removals.inc();
    }

    /// Somebody had changed the redirection's rules.
    pub(crate) fn redirect_repaired(&self) {
        self.redirect_repairs.inc();
    }

    /// For how long a watch has failed.
    pub(crate) fn watch_failing(&self, time: Option<Duration>) {
        let seconds = time.map_or(0, |time| time.as_secs().max(1));
        self.watch_failing
            .set(i64::try_from(seconds).unwrap_or(i64::MAX));
    }

    /// The thread that answers pods goes first, or does not.
    pub(crate) fn realtime(&self, is: bool) {
        self.realtime.set(is.into());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_counters() {
        for refusal in Refusal::ALL {
            assert!(STATUSES.contains(&refusal.status()), "{refusal:?}");
            assert_eq!(Refusal::ALL[refusal as usize], refusal);
        }
    }

    #[test]
    fn the_page_has_these_metrics() {
        let metrics = Metrics::new();
        let _own = ProxyMetrics::new(&metrics);
        let own = metrics.table_without(&Metrics::new());
        isthmus_runtime::documents::hold("metrics.md", "isthmus-metadata-proxy", &own);
    }
}
