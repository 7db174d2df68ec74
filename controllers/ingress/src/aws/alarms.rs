//! Alarms through the SDK of CloudWatch.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types as cw;
use ingress_core::{Alarm, Dimension, Threshold};
use isthmus_runtime::Aws;

use super::limits::AlarmLimits;
use super::{Alarms, Result, Tags};
use crate::error::AwsError;

/// The client and its rates.
pub(crate) struct CloudWatch {
    client: Client,
    limits: AlarmLimits,
}

impl CloudWatch {
    pub(crate) fn new(aws: &Aws) -> Self {
        let config = aws_sdk_cloudwatch::config::Builder::from(&aws.sdk)
            .interceptor(aws.interceptor())
            .build();
        Self {
            client: Client::from_conf(config),
            limits: AlarmLimits::new(),
        }
    }
}

impl Alarms for CloudWatch {
    async fn alarms(&self, prefix: &str) -> Result<BTreeMap<String, Alarm>> {
        let mut found = BTreeMap::new();
        let mut token = None;
        loop {
            self.limits.read.turn().await;
            let page = self
                .client
                .describe_alarms()
                .alarm_name_prefix(prefix)
                .alarm_types(cw::AlarmType::MetricAlarm)
                .max_records(100)
                .set_next_token(token)
                .send()
                .await
                .map_err(AwsError::of("DescribeAlarms"))?;
            for alarm in page.metric_alarms() {
                let name = alarm.alarm_name().unwrap_or_default();
                if name.starts_with(prefix) {
                    found.insert(name.to_owned(), from(alarm));
                }
            }
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    async fn put_alarm(&self, name: &str, alarm: &Alarm, tags: Option<&Tags>) -> Result<()> {
        let (plain, extended) = match cw::Statistic::try_parse(&alarm.statistic) {
            Ok(statistic) => (Some(statistic), None),
            Err(_) => (None, Some(alarm.statistic.clone())),
        };
        let number = |n: u32| i32::try_from(n).ok();
        self.limits.change.turn().await;
        self.client
            .put_metric_alarm()
            .alarm_name(name)
            .set_alarm_description(alarm.description.clone())
            .actions_enabled(alarm.actions_enabled)
            .set_alarm_actions(Some(list(&alarm.alarm_actions)))
            .set_ok_actions(Some(list(&alarm.ok_actions)))
            .set_insufficient_data_actions(Some(list(&alarm.insufficient_data_actions)))
            .metric_name(&alarm.metric)
            .namespace(&alarm.namespace)
            .set_statistic(plain)
            .set_extended_statistic(extended)
            .set_dimensions(Some(dimensions(alarm)))
            .set_period(number(alarm.period))
            .set_unit(alarm.unit.as_deref().map(cw::StandardUnit::from))
            .set_evaluation_periods(number(alarm.evaluation_periods))
            .set_datapoints_to_alarm(alarm.datapoints.and_then(number))
            .threshold(alarm.threshold.0)
            .comparison_operator(cw::ComparisonOperator::from(alarm.comparison.as_str()))
            .set_treat_missing_data(alarm.missing_data.clone())
            .set_evaluate_low_sample_count_percentile(alarm.low_samples.clone())
            .set_tags(tags.map(to_tags))
            .send()
            .await
            .map_err(AwsError::of("PutMetricAlarm"))?;
        Ok(())
    }

    async fn delete_alarm(&self, name: &str) -> Result<()> {
        self.limits.change.turn().await;
        let deleted = self
            .client
            .delete_alarms()
            .alarm_names(name)
            .send()
            .await
            .map_err(AwsError::of("DeleteAlarms"));
        match deleted {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}

fn list(set: &BTreeSet<String>) -> Vec<String> {
    set.iter().cloned().collect()
}

fn dimensions(alarm: &Alarm) -> Vec<cw::Dimension> {
    let of = |(name, value): (&String, &Dimension)| match value {
        Dimension::Text(value) => Some(cw::Dimension::builder().name(name).value(value).build()),
        Dimension::LoadBalancer | Dimension::TargetGroup => None,
    };
    alarm.dimensions.iter().filter_map(of).collect()
}

fn to_tags(tags: &Tags) -> Vec<cw::Tag> {
    let tag = |(key, value): (&String, &String)| cw::Tag::builder().key(key).value(value).build();
    tags.iter().map(tag).collect()
}

fn from(alarm: &cw::MetricAlarm) -> Alarm {
    let text = |field: Option<&str>| field.unwrap_or_default().to_owned();
    let some = |field: Option<&str>| field.filter(|f| !f.is_empty()).map(str::to_owned);
    let number = |field: Option<i32>| field.and_then(|n| u32::try_from(n).ok());
    let dimension = |d: &cw::Dimension| {
        let value = Dimension::Text(text(d.value()));
        (text(d.name()), value)
    };
    Alarm {
        actions_enabled: alarm.actions_enabled().unwrap_or(true),
        alarm_actions: alarm.alarm_actions().iter().cloned().collect(),
        ok_actions: alarm.ok_actions().iter().cloned().collect(),
        insufficient_data_actions: alarm.insufficient_data_actions().iter().cloned().collect(),
        description: some(alarm.alarm_description()),
        comparison: text(
            alarm
                .comparison_operator()
                .map(cw::ComparisonOperator::as_str),
        ),
        dimensions: alarm.dimensions().iter().map(dimension).collect(),
        evaluation_periods: number(alarm.evaluation_periods()).unwrap_or_default(),
        datapoints: number(alarm.datapoints_to_alarm()),
        low_samples: some(alarm.evaluate_low_sample_count_percentile()),
        metric: text(alarm.metric_name()),
        namespace: text(alarm.namespace()),
        period: number(alarm.period()).unwrap_or_default(),
        statistic: match alarm.statistic() {
            Some(statistic) => statistic.as_str().to_owned(),
            None => text(alarm.extended_statistic()),
        },
        threshold: Threshold(alarm.threshold().unwrap_or_default()),
        missing_data: some(alarm.treat_missing_data()),
        unit: some(alarm.unit().map(cw::StandardUnit::as_str)),
    }
}
