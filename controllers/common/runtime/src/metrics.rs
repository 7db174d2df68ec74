//! The metrics that all binaries have, and a place for their own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use isthmus_core::{ErrorClass, PlanReport};
use prometheus::{
    Gauge, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

/// A handle on the metrics of this process. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
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
}

/// Seconds, from a quick answer to a provisioning that takes its time.
const SECONDS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0,
];

/// Names and help of the vectors, which have no sample before their first use
/// but are announced from the start.
const ANNOUNCED: [(&str, &str, &str); 9] = [
    (
        "isthmus_reconcile_duration_seconds",
        "histogram",
        "How long each step of a reconcile took.",
    ),
    (
        "isthmus_reconcile_errors_total",
        "counter",
        "Failures of a reconcile by step and class.",
    ),
    (
        "isthmus_plan_steps_total",
        "counter",
        "Planned steps by effect and kind.",
    ),
    (
        "isthmus_plan_withheld",
        "gauge",
        "Steps of the last plan that were withheld, by reason.",
    ),
    (
        "isthmus_rejections",
        "gauge",
        "Objects that ask for something they cannot have, by reason.",
    ),
    (
        "isthmus_managed",
        "gauge",
        "Things under management by kind.",
    ),
    (
        "isthmus_aws_requests_total",
        "counter",
        "Requests sent to AWS, retries included, by outcome: ok or the class of the error.",
    ),
    (
        "isthmus_aws_request_duration_seconds",
        "histogram",
        "How long each request to AWS took, retries apart.",
    ),
    (
        "isthmus_aws_throttles_total",
        "counter",
        "Requests that AWS throttled.",
    ),
];

fn help(name: &str) -> &'static str {
    let found = ANNOUNCED.iter().find(|(known, _, _)| *known == name);
    found.map_or("", |(_, _, help)| help)
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
            registry,
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
        let collectors: [Box<dyn prometheus::core::Collector>; 13] = [
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
            Box::new(prometheus::process_collector::ProcessCollector::for_self()),
        ];
        for collector in collectors {
            self.registry.register(collector).expect("distinct names");
        }
    }

    /// Where a component registers its own collectors. Their names start with
    /// `isthmus_` and their labels are closed sets.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
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

    /// Says whether this replica acts.
    pub fn leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// Everything in the [text format] of Prometheus.
    ///
    /// [text format]: https://prometheus.io/docs/instrumenting/exposition_formats/
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .unwrap_or_default();
        for (name, kind, help) in ANNOUNCED {
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

fn counter(name: &str, labels: &[&str]) -> IntCounterVec {
    IntCounterVec::new(Opts::new(name, help(name)), labels).expect("a constant name")
}

fn gauge(name: &str, labels: &[&str]) -> IntGaugeVec {
    IntGaugeVec::new(Opts::new(name, help(name)), labels).expect("a constant name")
}

fn seconds(name: &str, labels: &[&str]) -> HistogramVec {
    let options = HistogramOpts::new(name, help(name)).buckets(SECONDS.to_vec());
    HistogramVec::new(options, labels).expect("a constant name")
}

/// Sets a gauge for every value of its label, and drops the values that are gone.
fn set_all(gauge: &IntGaugeVec, values: &BTreeMap<&'static str, usize>) {
    gauge.reset();
    for (label, count) in values {
        gauge
            .with_label_values(&[label])
            .set(i64::try_from(*count).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isthmus_core::Effect;

    const CONTRACT: [&str; 12] = [
        "isthmus_build_info",
        "isthmus_reconcile_duration_seconds",
        "isthmus_reconcile_errors_total",
        "isthmus_last_success_timestamp_seconds",
        "isthmus_plan_steps_total",
        "isthmus_plan_withheld",
        "isthmus_rejections",
        "isthmus_managed",
        "isthmus_aws_requests_total",
        "isthmus_aws_request_duration_seconds",
        "isthmus_aws_throttles_total",
        "isthmus_leader",
    ];

    fn announced_once(text: &str) {
        for name in CONTRACT {
            let count = text.matches(&format!("# TYPE {name} ")).count();
            assert_eq!(count, 1, "{name} in\n{text}");
        }
    }

    #[test]
    fn every_name_is_there_from_the_start() {
        let text = Metrics::new().render();
        announced_once(&text);
        assert!(text.contains("process_resident_memory_bytes"), "{text}");
    }

    #[test]
    fn samples_have_their_labels() {
        let metrics = Metrics::new();
        metrics.step_took("observe", Duration::from_millis(20));
        metrics.failed("apply", ErrorClass::Denied);
        metrics.succeeded();
        metrics.planned(&PlanReport {
            text: String::new(),
            json: serde_json::Value::Null,
            steps: BTreeMap::from([((Effect::Add, "route"), 2)]),
            withheld: BTreeMap::from([("mass-removal", 3)]),
        });
        metrics.managed("route", 4);
        metrics.leader(true);
        let took = Duration::from_secs(1);
        metrics.aws_request("Route 53", "ListHostedZones", None, took);
        metrics.aws_request(
            "Route 53",
            "ListHostedZones",
            Some(ErrorClass::Throttled),
            took,
        );
        let text = metrics.render();
        announced_once(&text);
        for line in [
            r#"isthmus_reconcile_duration_seconds_count{step="observe"} 1"#,
            r#"isthmus_reconcile_errors_total{class="denied",step="apply"} 1"#,
            r#"isthmus_plan_steps_total{effect="add",kind="route"} 2"#,
            r#"isthmus_plan_withheld{reason="mass-removal"} 3"#,
            r#"isthmus_managed{kind="route"} 4"#,
            "isthmus_leader 1",
            r#"isthmus_aws_requests_total{operation="ListHostedZones",outcome="ok",service="Route 53"} 1"#,
            r#"isthmus_aws_requests_total{operation="ListHostedZones",outcome="throttled",service="Route 53"} 1"#,
            r#"isthmus_aws_throttles_total{service="Route 53"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn a_reason_that_is_gone_is_gone() {
        let metrics = Metrics::new();
        metrics.rejected(&BTreeMap::from([("NoZone", 2), ("Conflict", 1)]));
        metrics.rejected(&BTreeMap::from([("Conflict", 1)]));
        let text = metrics.render();
        assert!(!text.contains("NoZone"), "{text}");
        assert!(
            text.contains(r#"isthmus_rejections{reason="Conflict"} 1"#),
            "{text}"
        );
    }
}
