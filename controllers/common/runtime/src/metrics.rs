//! The metrics that all binaries have, and a place for their own.

mod describe;
mod family;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use isthmus_core::{ErrorClass, PlanReport};
use prometheus::core::Collector;
use prometheus::{
    Gauge, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

pub use describe::Family;
use family::{counter, gauge, seconds, set_all};

use crate::aws::Rights;

/// A handle on the metrics of this process. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    families: Arc<Mutex<Vec<Family>>>,
    reconcile_duration: HistogramVec,
    reconcile_errors: IntCounterVec,
    last_success: Gauge,
    plan_steps: IntCounterVec,
    plan_withheld: IntGaugeVec,
    rejections: IntGaugeVec,
    managed: IntGaugeVec,
    aws_requests: IntCounterVec,
    aws_request_duration: HistogramVec,
    aws_throttles: IntCounterVec,
    leader: IntGauge,
    rights: Rights,
    watches: IntGaugeVec,
    reads: IntGaugeVec,
}

impl Metrics {
    /// The metrics of one process: the common ones, those of the process itself
    /// (memory, CPU, file descriptors) and `isthmus_build_info`.
    ///
    /// # Panics
    ///
    /// Never in practice: the names are constant and distinct.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        let metrics = Self {
            reconcile_duration: seconds("isthmus_reconcile_duration_seconds", &["step"]),
            reconcile_errors: counter("isthmus_reconcile_errors_total", &["step", "class"]),
            last_success: Gauge::new(
                "isthmus_last_success_timestamp_seconds",
                "When a reconcile last ended without a failure, as Unix time; 0 before the first.",
            )
            .expect("a constant name"),
            plan_steps: counter("isthmus_plan_steps_total", &["effect", "kind"]),
            plan_withheld: gauge("isthmus_plan_withheld", &["reason"]),
            rejections: gauge("isthmus_rejections", &["reason"]),
            managed: gauge("isthmus_managed", &["kind"]),
            aws_requests: counter(
                "isthmus_aws_requests_total",
                &["service", "operation", "outcome"],
            ),
            aws_request_duration: seconds(
                "isthmus_aws_request_duration_seconds",
                &["service", "operation"],
            ),
            aws_throttles: counter("isthmus_aws_throttles_total", &["service"]),
            leader: IntGauge::new(
                "isthmus_leader",
                "1 while this replica acts: it holds the lease, or none is needed.",
            )
            .expect("a constant name"),
            rights: Rights::default(),
            watches: gauge("isthmus_watch_in_sync", &["watch"]),
            reads: gauge("isthmus_input_read_timestamp_seconds", &["input"]),
            registry,
            families: Arc::default(),
        };
        metrics.register_all();
        metrics
    }

    fn register_all(&self) {
        let build = IntGaugeVec::new(
            Opts::new("isthmus_build_info", "1, with the version as a label."),
            &["version"],
        )
        .expect("a constant name");
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let collectors: [Box<dyn Collector>; 15] = [
            Box::new(build),
            Box::new(self.reconcile_duration.clone()),
            Box::new(self.reconcile_errors.clone()),
            Box::new(self.last_success.clone()),
            Box::new(self.plan_steps.clone()),
            Box::new(self.plan_withheld.clone()),
            Box::new(self.rejections.clone()),
            Box::new(self.managed.clone()),
            Box::new(self.aws_requests.clone()),
            Box::new(self.aws_request_duration.clone()),
            Box::new(self.aws_throttles.clone()),
            Box::new(self.leader.clone()),
            Box::new(self.watches.clone()),
            Box::new(self.reads.clone()),
            Box::new(prometheus::process_collector::ProcessCollector::for_self()),
        ];
        for collector in collectors {
            self.register(collector);
        }
    }

    /// Registers a component's own collector. Names start with `isthmus_`, and
    /// labels are closed sets. It is announced from now on, also without a sample.
    ///
    /// # Panics
    ///
    /// If one of its names is taken.
    pub fn register(&self, collector: Box<dyn Collector>) {
        let new = describe::families(collector.as_ref());
        self.registry.register(collector).expect("distinct names");
        let mut families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        families.extend(new);
    }

    /// Every family that is registered, with or without samples.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        let families = self.families.lock();
        families.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A table in Markdown of the families that these have and `other` has not.
    #[doc(hidden)]
    #[must_use]
    pub fn table_without(&self, other: &Self) -> String {
        let others = other.families();
        let mut own = self.families();
        own.retain(|family| !others.contains(family));
        describe::table(own)
    }

    /// Notes how long a step of a reconcile took.
    pub fn step_took(&self, step: &'static str, duration: Duration) {
        self.reconcile_duration
            .with_label_values(&[step])
            .observe(duration.as_secs_f64());
    }

    /// Counts a failure of a step.
    pub fn failed(&self, step: &'static str, class: ErrorClass) {
        self.reconcile_errors
            .with_label_values(&[step, class.as_str()])
            .inc();
    }

    /// Notes that a reconcile ended now without a failure.
    pub fn succeeded(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        self.last_success
            .set(now.map_or(0.0, |since| since.as_secs_f64()));
    }

    /// Counts the steps of a plan and says how many are withheld now.
    pub fn planned(&self, plan: &PlanReport) {
        for ((effect, kind), count) in &plan.steps {
            self.plan_steps
                .with_label_values(&[effect.as_str(), kind])
                .inc_by(*count as u64);
        }
        set_all(&self.plan_withheld, &plan.withheld);
    }

    /// How many objects are rejected now, by reason. Reasons that are not named become 0.
    pub fn rejected(&self, by_reason: &BTreeMap<&'static str, usize>) {
        set_all(&self.rejections, by_reason);
    }

    /// How many things of a kind are managed now.
    pub fn managed(&self, kind: &'static str, count: usize) {
        self.managed
            .with_label_values(&[kind])
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Counts one request to AWS. `failure` is `None` if it went well.
    pub fn aws_request(
        &self,
        service: &str,
        operation: &str,
        failure: Option<ErrorClass>,
        duration: Duration,
    ) {
        let outcome = failure.map_or("ok", ErrorClass::as_str);
        self.aws_requests
            .with_label_values(&[service, operation, outcome])
            .inc();
        self.aws_request_duration
            .with_label_values(&[service, operation])
            .observe(duration.as_secs_f64());
        if failure == Some(ErrorClass::Throttled) {
            self.aws_throttles.with_label_values(&[service]).inc();
        }
    }

    /// What AWS has said of the rights of the process.
    pub(crate) fn rights(&self) -> &Rights {
        &self.rights
    }

    /// Says whether this replica acts.
    pub fn leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// Says whether a watch has delivered its first list and does not fail.
    pub fn watch(&self, watch: &'static str, in_sync: bool) {
        self.watches
            .with_label_values(&[watch])
            .set(i64::from(in_sync));
    }

    /// Says when something was last read of AWS.
    pub fn read(&self, input: &'static str, at: SystemTime) {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.reads
            .with_label_values(&[input])
            .set(i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
    }

    /// Everything in the [text format] of Prometheus.
    ///
    /// [text format]: https://prometheus.io/docs/instrumenting/exposition_formats/
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .unwrap_or_default();
        for Family {
            name, kind, help, ..
        } in self.families()
        {
            if !text.contains(&format!("# TYPE {name} ")) {
                let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            }
        }
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
