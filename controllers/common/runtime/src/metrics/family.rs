//! Families of metrics: names, help, buckets.

use std::collections::BTreeMap;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts};

/// Seconds, from a quick answer to a provisioning that takes its time.
const SECONDS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0,
];

/// Names and help of the vectors.
const HELP: [(&str, &str); 11] = [
    (
        "isthmus_reconcile_duration_seconds",
        "How long each step of a reconcile took.",
    ),
    (
        "isthmus_reconcile_errors_total",
        "Failures of a reconcile by step and class.",
    ),
    (
        "isthmus_plan_steps_total",
        "Planned steps by effect and kind.",
    ),
    (
        "isthmus_plan_withheld",
        "Steps of the last plan that were withheld, by reason.",
    ),
    (
        "isthmus_rejections",
        "Objects that ask for something they cannot have, by reason.",
    ),
    ("isthmus_managed", "Things under management by kind."),
    (
        "isthmus_aws_requests_total",
        "Requests sent to AWS, retries included, by outcome: ok or the class of the error.",
    ),
    (
        "isthmus_aws_request_duration_seconds",
        "How long each request to AWS took, retries apart.",
    ),
    (
        "isthmus_aws_throttles_total",
        "Requests that AWS throttled.",
    ),
    (
        "isthmus_watch_in_sync",
        "1 while a watch of the API server has delivered its first list and does not fail.",
    ),
    (
        "isthmus_input_read_timestamp_seconds",
        "When something was last read of AWS, as Unix time.",
    ),
];

fn help(name: &str) -> &'static str {
    let found = HELP.iter().find(|(known, _)| *known == name);
    found.map_or("", |(_, help)| help)
}

pub(super) fn counter(name: &str, labels: &[&str]) -> IntCounterVec {
    IntCounterVec::new(Opts::new(name, help(name)), labels).expect("a constant name")
}

pub(super) fn gauge(name: &str, labels: &[&str]) -> IntGaugeVec {
    IntGaugeVec::new(Opts::new(name, help(name)), labels).expect("a constant name")
}

pub(super) fn seconds(name: &str, labels: &[&str]) -> HistogramVec {
    let options = HistogramOpts::new(name, help(name)).buckets(SECONDS.to_vec());
    HistogramVec::new(options, labels).expect("a constant name")
}

/// Sets a gauge for every value of its label, and drops the values that are gone.
pub(super) fn set_all(gauge: &IntGaugeVec, values: &BTreeMap<&'static str, usize>) {
    gauge.reset();
    for (label, count) in values {
        gauge
            .with_label_values(&[label])
            .set(i64::try_from(*count).unwrap_or(i64::MAX));
    }
}
