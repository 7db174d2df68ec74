//! The ConfigMap's lists of alarms, in the words of CloudFormation.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use isthmus_core::Rejection;
use serde::Deserialize;

use super::{Alarm, AlarmSource, DesiredAlarms, Dimension, Threshold};
use crate::rejection::{INVALID_ALARM, rejection};

const COMPARISONS: [&str; 4] = [
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
];
const STATISTICS: [&str; 5] = ["Average", "Maximum", "Minimum", "SampleCount", "Sum"];
const MISSING_DATA: [&str; 4] = ["breaching", "notBreaching", "ignore", "missing"];
const LOW_SAMPLES: [&str; 2] = ["evaluate", "ignore"];
/// The units of the metrics of load balancers.
const UNITS: [&str; 9] = [
    "Count",
    "Count/Second",
    "Seconds",
    "Milliseconds",
    "Microseconds",
    "Bytes",
    "Bytes/Second",
    "Percent",
    "None",
];
/// Actions of one kind on one alarm.
const MAX_ACTIONS: usize = 5;
/// Names have 255 characters, of which the load balancer takes its part.
const MAX_NAME: usize = 190;

/// One alarm as written.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Written {
    actions_enabled: Option<bool>,
    #[serde(default)]
    alarm_actions: BTreeSet<String>,
    alarm_description: Option<String>,
    alarm_name: Option<String>,
    comparison_operator: String,
    datapoints_to_alarm: Option<u32>,
    #[serde(default)]
    dimensions: Vec<WrittenDimension>,
    evaluate_low_sample_count_percentile: Option<String>,
    evaluation_periods: u32,
    extended_statistic: Option<String>,
    #[serde(default)]
    insufficient_data_actions: BTreeSet<String>,
    metric_name: String,
    namespace: Option<String>,
    #[serde(default, rename = "OKActions")]
    ok_actions: BTreeSet<String>,
    period: u32,
    statistic: Option<String>,
    threshold: f64,
    treat_missing_data: Option<String>,
    unit: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenDimension {
    name: String,
    value: Option<String>,
}

/// Reads every key of the ConfigMap. One that is wrong is told, and the others count.
pub(crate) fn parse(source: &AlarmSource, rejections: &mut Vec<Rejection>) -> DesiredAlarms {
    let mut desired = DesiredAlarms {
        object: Some(source.object.clone()),
        complete: true,
        ..DesiredAlarms::default()
    };
    let mut wrong = Vec::new();
    match &source.data {
        None => wrong.push("it does not exist, and alarms stay as they are".to_owned()),
        Some(data) => {
            for (key, text) in data {
                match list(key, text) {
                    Ok(found) => wrong.extend(add(&mut desired.alarms, key, found)),
                    Err(why) => wrong.push(format!("{key}: {why}")),
                }
            }
        }
    }
    if !wrong.is_empty() {
        desired.complete = false;
        let message = format!("alarms are not understood: {}", wrong.join("; "));
        rejections.push(rejection(&source.object, INVALID_ALARM, message));
    }
    desired
}

fn add(
    alarms: &mut BTreeMap<String, Alarm>,
    key: &str,
    found: Vec<(String, Alarm)>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, alarm) in found {
        match alarms.entry(name) {
            Entry::Vacant(free) => {
                free.insert(alarm);
            }
            Entry::Occupied(taken) => {
                let name = taken.key();
                wrong.push(format!("{key}: a second alarm has the name {name:?}"));
            }
        }
    }
    wrong
}

fn list(key: &str, text: &str) -> Result<Vec<(String, Alarm)>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let written: Vec<Written> = serde_yaml_ng::from_str(text).map_err(|e| e.to_string())?;
    let named = written.into_iter().enumerate().map(|(index, written)| {
        let name = written.alarm_name.clone();
        let name = name.unwrap_or_else(|| format!("{key}-{}", index + 1));
        let alarm = alarm(written).and_then(|alarm| match name.len() {
            1..=MAX_NAME => Ok(alarm),
            _ => Err(format!("AlarmName: 1 to {MAX_NAME} characters")),
        });
        alarm
            .map(|alarm| (name.clone(), alarm))
            .map_err(|why| format!("{name}: {why}"))
    });
    named.collect()
}

fn alarm(written: Written) -> Result<Alarm, String> {
    let statistic = match (&written.statistic, &written.extended_statistic) {
        (Some(name), None) => one_of("Statistic", name, &STATISTICS)?,
        (None, Some(name)) if is_extended(name) => name.clone(),
        (None, Some(name)) => return Err(format!("ExtendedStatistic: {name:?} is none")),
        _ => return Err("either Statistic or ExtendedStatistic is needed".to_owned()),
    };
    check_times(&written)?;
    for (field, actions) in [
        ("AlarmActions", &written.alarm_actions),
        ("OKActions", &written.ok_actions),
        (
            "InsufficientDataActions",
            &written.insufficient_data_actions,
        ),
    ] {
        if actions.len() > MAX_ACTIONS || actions.iter().any(|a| !a.starts_with("arn:")) {
            return Err(format!("{field}: at most {MAX_ACTIONS} ARNs are allowed"));
        }
    }
    if !written.threshold.is_finite() || written.metric_name.is_empty() {
        return Err("MetricName and a finite Threshold are needed".to_owned());
    }
    let optional = |field: &str, value: &Option<String>, allowed: &[&str]| {
        let value = value.as_deref();
        value.map(|value| one_of(field, value, allowed)).transpose()
    };
    Ok(Alarm {
        actions_enabled: written.actions_enabled.unwrap_or(true),
        comparison: one_of(
            "ComparisonOperator",
            &written.comparison_operator,
            &COMPARISONS,
        )?,
        low_samples: optional(
            "EvaluateLowSampleCountPercentile",
            &written.evaluate_low_sample_count_percentile,
            &LOW_SAMPLES,
        )?,
        missing_data: optional(
            "TreatMissingData",
            &written.treat_missing_data,
            &MISSING_DATA,
        )?,
        unit: optional("Unit", &written.unit, &UNITS)?,
        dimensions: dimensions(written.dimensions)?,
        alarm_actions: written.alarm_actions,
        ok_actions: written.ok_actions,
        insufficient_data_actions: written.insufficient_data_actions,
        description: written.alarm_description,
        evaluation_periods: written.evaluation_periods,
        datapoints: written.datapoints_to_alarm,
        metric: written.metric_name,
        namespace: written
            .namespace
            .unwrap_or_else(|| "AWS/ApplicationELB".to_owned()),
        period: written.period,
        statistic,
        threshold: Threshold(written.threshold),
    })
}

/// Periods are 10, 20, 30 or a multiple of 60 seconds, and all that are looked at
/// make a day at most, or a week where they are hours.
fn check_times(written: &Written) -> Result<(), String> {
    let (period, periods) = (written.period, written.evaluation_periods);
    if period == 0 || !(matches!(period, 10 | 20 | 30) || period.is_multiple_of(60)) {
        return Err("Period: 10, 20, 30 or a multiple of 60 is allowed".to_owned());
    }
    let most: u64 = if period < 3600 { 86_400 } else { 604_800 };
    if periods == 0 || u64::from(period) * u64::from(periods) > most {
        return Err(format!(
            "EvaluationPeriods: at least 1, and at most {} of {period}s",
            most / u64::from(period)
        ));
    }
    match written.datapoints_to_alarm {
        Some(points) if points == 0 || points > periods => {
            Err("DatapointsToAlarm: 1 to EvaluationPeriods".to_owned())
        }
        _ => Ok(()),
    }
}

/// The load balancer and its target group are filled in, whatever is written.
fn dimensions(written: Vec<WrittenDimension>) -> Result<BTreeMap<String, Dimension>, String> {
    let mut found = BTreeMap::new();
    for WrittenDimension { name, value } in written {
        let value = match (name.as_str(), value) {
            ("LoadBalancer", _) => Dimension::LoadBalancer,
            ("TargetGroup", _) => Dimension::TargetGroup,
            (_, Some(value)) => Dimension::Text(value),
            (_, None) => return Err(format!("Dimensions: {name} has no Value")),
        };
        found.insert(name, value);
    }
    if found.is_empty() {
        found.insert("LoadBalancer".to_owned(), Dimension::LoadBalancer);
    }
    Ok(found)
}

/// A percentile (`p99.9`) or another [statistic] such as `tm99` or `PR(:0.1)`.
///
/// [statistic]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
fn is_extended(name: &str) -> bool {
    let percent = |text: &str| {
        text.parse::<f64>()
            .is_ok_and(|n| (0.0..=100.0).contains(&n))
    };
    let plain = ["p", "tm", "wm", "tc", "ts"];
    let ranges = ["TM", "WM", "TC", "TS", "PR"];
    name == "IQM"
        || plain
            .iter()
            .any(|p| name.strip_prefix(p).is_some_and(percent))
        || ranges.iter().any(|p| {
            let range = name.strip_prefix(p).and_then(|rest| rest.strip_prefix('('));
            range.is_some_and(|rest| rest.ends_with(')') && rest.contains(':'))
        })
}

fn one_of(field: &str, value: &str, allowed: &[&str]) -> Result<String, String> {
    if allowed.contains(&value) {
        return Ok(value.to_owned());
    }
    let allowed = allowed.join(", ");
    Err(format!(
        "{field}: {value:?} is not allowed; allowed: {allowed}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use isthmus_core::ObjectRef;

    fn read(pairs: &[(&str, &str)]) -> (DesiredAlarms, Vec<String>) {
        let source = AlarmSource {
            object: ObjectRef::new("v1", "ConfigMap", "kube-system", "alarms"),
            data: Some(
                pairs
                    .iter()
                    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                    .collect(),
            ),
        };
        let mut rejections = Vec::new();
        let desired = parse(&source, &mut rejections);
        (desired, rejections.into_iter().map(|r| r.message).collect())
    }

    /// The example of kube-ingress-aws-controller.
    const EXAMPLE: &str = r#"
- ActionsEnabled: true
  AlarmActions: ["arn:aws:sns:eu-central-1:123456789012:topic"]
  AlarmDescription: "There are no healthy backends"
  AlarmName: "no-healthy-backends"
  ComparisonOperator: LessThanThreshold
  Dimensions:
  - Name: LoadBalancer
  - Name: TargetGroup
  EvaluationPeriods: 1
  MetricName: HealthyHostCount
  OKActions: ["arn:aws:sns:eu-central-1:123456789012:topic"]
  Period: 60
  Statistic: Average
  Threshold: 1
  TreatMissingData: notBreaching
  Unit: Count
"#;
    const SHORT: &str = "- {ComparisonOperator: GreaterThanThreshold, EvaluationPeriods: 2, MetricName: M, Period: 60, ExtendedStatistic: p99, Threshold: 0.5}";

    #[test]
    fn the_example_of_the_other_system_is_understood() {
        let (desired, wrong) = read(&[("alarms", EXAMPLE), ("more", SHORT), ("none", " ")]);
        assert_eq!(wrong, Vec::<String>::new());
        let names: Vec<_> = desired.alarms.keys().map(String::as_str).collect();
        assert_eq!(names, ["more-1", "no-healthy-backends"]);
        assert!(desired.complete);
        let short = &desired.alarms["more-1"];
        assert_eq!(short.namespace, "AWS/ApplicationELB");
        assert_eq!(short.dimensions["LoadBalancer"], Dimension::LoadBalancer);
        assert_eq!(short.statistic, "p99");
        let alb = Arn::new("arn:aws:elasticloadbalancing:e:1:loadbalancer/app/kube/0a");
        let group = Arn::new("arn:aws:elasticloadbalancing:e:1:targetgroup/kube-t/0b");
        let alarm = desired.alarms["no-healthy-backends"].of(&alb, &group);
        let text = |name: &str| alarm.dimensions[name].clone();
        assert_eq!(text("LoadBalancer"), Dimension::Text("app/kube/0a".into()));
        assert_eq!(
            text("TargetGroup"),
            Dimension::Text("targetgroup/kube-t/0b".into())
        );
    }

    use crate::Arn;

    #[test]
    fn a_wrong_key_harms_no_other_and_is_named() {
        for (text, part) in [
            ("x: y", "bad: invalid type"),
            ("- {Statistic: Average}", "missing field"),
            (
                &SHORT.replace("MetricName: M", "MetricNam: M"),
                "unknown field `MetricNam`",
            ),
            (
                &SHORT.replace("GreaterThanThreshold", "Greater"),
                "\"Greater\" is not allowed",
            ),
            (&SHORT.replace("Period: 60", "Period: 61"), "Period: "),
            (
                &SHORT.replace("Periods: 2", "Periods: 1441"),
                "at most 1440 of 60s",
            ),
            (&SHORT.replace("p99", "q99"), "\"q99\" is none"),
            (
                &SHORT.replace("Threshold: 0.5", "Threshold: 0.5, AlarmActions: [topic]"),
                "ARNs are allowed",
            ),
        ] {
            let (desired, wrong) = read(&[("bad", text), ("good", SHORT)]);
            assert_eq!(desired.alarms.len(), 1, "{text}");
            assert!(!desired.complete);
            assert!(wrong[0].contains(part), "{part} is not in {wrong:?}");
        }
        let (_, wrong) = read(&[("a", EXAMPLE), ("b", EXAMPLE)]);
        assert!(
            wrong[0].contains("b: a second alarm has the name"),
            "{wrong:?}"
        );
    }

    #[test]
    fn defaults_that_cloudwatch_fills_in_are_no_change() {
        let (desired, _) = read(&[("a", SHORT)]);
        let want = desired.alarms["a-1"].clone();
        let have = Alarm {
            missing_data: Some("missing".into()),
            datapoints: Some(2),
            ..want.clone()
        };
        assert!(want.is_met_by(&have));
        let ignoring = Alarm {
            missing_data: Some("ignore".into()),
            ..have.clone()
        };
        assert!(!want.is_met_by(&ignoring));
        let other = Alarm {
            threshold: Threshold(1.0),
            ..have
        };
        assert!(!want.is_met_by(&other));
    }
}
