//! CloudWatch alarms of load balancers: `--cloudwatch-alarms-config-map`.

mod parse;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use isthmus_core::{ObjectRef, Ownership, short_hash};

use crate::{Arn, LoadBalancerType};

pub(crate) use parse::parse;

/// What operators want to be alarmed of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmSource {
    /// The ConfigMap.
    pub object: ObjectRef,
    /// Its data, lists in YAML under any keys; `None` if there is no such ConfigMap.
    pub data: Option<BTreeMap<String, String>>,
}

/// The alarms that load balancers should have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DesiredAlarms {
    /// By the last part of their name.
    pub alarms: BTreeMap<String, Alarm>,
    /// Whether all of it was understood: otherwise none is taken away.
    pub complete: bool,
    /// Whom the steps are for.
    pub object: Option<ObjectRef>,
}

/// A [metric alarm]. The words in it are those of CloudWatch.
///
/// [metric alarm]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Whether the actions are carried out.
    pub actions_enabled: bool,
    /// What to do when it begins, at most 5 ARNs.
    pub alarm_actions: BTreeSet<String>,
    /// What to do when it ends.
    pub ok_actions: BTreeSet<String>,
    /// What to do when there is not enough data.
    pub insufficient_data_actions: BTreeSet<String>,
    /// A text for humans.
    pub description: Option<String>,
    /// How the metric compares to the threshold.
    pub comparison: String,
    /// What is measured of what.
    pub dimensions: BTreeMap<String, Dimension>,
    /// Periods that are looked at.
    pub evaluation_periods: u32,
    /// Of these, how many must be over the threshold.
    pub datapoints: Option<u32>,
    /// `evaluate` or `ignore`.
    pub low_samples: Option<String>,
    /// The metric.
    pub metric: String,
    /// Its namespace.
    pub namespace: String,
    /// Seconds.
    pub period: u32,
    /// `Average` and the like, or a percentile such as `p99`.
    pub statistic: String,
    /// The threshold.
    pub threshold: Threshold,
    /// What missing data means.
    pub missing_data: Option<String>,
    /// The unit.
    pub unit: Option<String>,
}

/// A finite number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold(pub f64);

impl Eq for Threshold {}

/// The value of a dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// The load balancer, as CloudWatch names it.
    LoadBalancer,
    /// Its target group, as CloudWatch names it.
    TargetGroup,
    /// As written.
    Text(String),
}

/// The namespaces of the metrics of load balancers.
const NAMESPACES: [(&str, LoadBalancerType); 2] = [
    ("AWS/ApplicationELB", LoadBalancerType::Application),
    ("AWS/NetworkELB", LoadBalancerType::Network),
];

impl Alarm {
    /// Whether load balancers of this type have such a metric.
    #[must_use]
    pub fn is_for(&self, kind: LoadBalancerType) -> bool {
        let of = NAMESPACES.iter().find(|(name, _)| *name == self.namespace);
        of.is_none_or(|(_, of)| *of == kind)
    }

    /// The same alarm on this load balancer and this target group.
    #[must_use]
    pub fn of(&self, load_balancer: &Arn, target_group: &Arn) -> Self {
        let mut alarm = self.clone();
        for value in alarm.dimensions.values_mut() {
            let name = match value {
                Dimension::LoadBalancer => after(load_balancer, ":loadbalancer/"),
                Dimension::TargetGroup => after(target_group, ":"),
                Dimension::Text(_) => continue,
            };
            *value = Dimension::Text(name);
        }
        alarm
    }

    /// Whether the alarm that there is needs no change. What was not asked for
    /// may have its default.
    #[must_use]
    pub fn is_met_by(&self, have: &Self) -> bool {
        let or_default = |want: &Option<String>, have: &Option<String>, default: &str| {
            want.as_deref().unwrap_or(default) == have.as_deref().unwrap_or(default)
        };
        let datapoints = |alarm: &Self| alarm.datapoints.unwrap_or(alarm.evaluation_periods);
        let optional = or_default(&self.missing_data, &have.missing_data, "missing")
            && or_default(&self.low_samples, &have.low_samples, "evaluate")
            && datapoints(self) == datapoints(have);
        let plain = |alarm: &Self| Self {
            missing_data: None,
            low_samples: None,
            datapoints: None,
            ..alarm.clone()
        };
        optional && plain(self) == plain(have)
    }
}

/// `app/<name>/<id>` of a load balancer's ARN, `targetgroup/<name>/<id>` of a target group's.
fn after(arn: &Arn, mark: &str) -> String {
    let text = arn.as_str();
    text.rsplit_once(mark)
        .map_or(text, |(_, name)| name)
        .to_owned()
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            statistic,
            metric,
            comparison,
            threshold,
            evaluation_periods,
            period,
            ..
        } = self;
        write!(
            f,
            "{statistic} of {metric} {comparison} {} in {evaluation_periods} x {period}s",
            threshold.0
        )
    }
}

/// What the names of the alarms of every cluster begin with.
pub const ALARM_MARK: &str = "isthmus-";

/// What the names of all our alarms begin with. It is the mark by which they are
/// known: `DescribeAlarms` tells names and no tags.
#[must_use]
pub fn alarm_prefix(ownership: &Ownership) -> String {
    let identity = [ownership.cluster_tag(), ownership.controller_id()];
    format!("{ALARM_MARK}{}-", short_hash(&identity, 10))
}

/// The name of an alarm of a load balancer.
pub(crate) fn alarm_name(ownership: &Ownership, load_balancer: &str, alarm: &str) -> String {
    format!("{}{load_balancer}-{alarm}", alarm_prefix(ownership))
}

/// The chain of the steps for the alarms of a load balancer: after its own, and not
/// instead of them.
pub(crate) fn alarm_chain(load_balancer: &str) -> String {
    format!("{load_balancer}/alarms")
}
