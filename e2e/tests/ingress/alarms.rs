//! Alarms of CloudWatch from a ConfigMap.

use anyhow::Result;
use aws_sdk_cloudwatch::Client as CloudWatch;
use aws_sdk_cloudwatch::types as cw;
use isthmus_e2e::Testbed;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use serde_json::json;

use super::reading::{hostnames, ingresses, load_balancers};
use super::{NO_GRACE, idle, shop, well, world};

pub(crate) const FLAG: &str = "--cloudwatch-alarms-config-map=kube-system/alarms";
pub(crate) const HEALTH: &str = "
- AlarmName: no-healthy-backends
  AlarmActions: ['arn:aws:sns:eu-central-1:123456789012:topic']
  ComparisonOperator: LessThanThreshold
  Dimensions: [{Name: LoadBalancer}, {Name: TargetGroup}]
  EvaluationPeriods: 1
  MetricName: HealthyHostCount
  Period: 60
  Statistic: Average
  Threshold: 1
";
pub(crate) const ERRORS: &str = "
- ComparisonOperator: GreaterThanOrEqualToThreshold
  EvaluationPeriods: 2
  MetricName: HTTPCode_ELB_5XX_Count
  Period: 60
  Statistic: Sum
  Threshold: 100.5
  TreatMissingData: notBreaching
";

pub(crate) async fn config(testbed: &Testbed, data: &[(&str, &str)]) -> Result<()> {
    let data: std::collections::BTreeMap<_, _> = data.iter().copied().collect();
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"namespace": "kube-system", "name": "alarms"}, "data": data,
    });
    let _ = Api::<ConfigMap>::namespaced(testbed.kube(), "kube-system")
        .delete("alarms", &DeleteParams::default())
        .await;
    testbed.apply_yaml(&object.to_string()).await
}

pub(crate) async fn alarms(testbed: &Testbed) -> Result<Vec<cw::MetricAlarm>> {
    let answer = CloudWatch::new(testbed.sdk())
        .describe_alarms()
        .send()
        .await?;
    let mut found = answer.metric_alarms().to_vec();
    found.sort_by(|a, b| a.alarm_name().cmp(&b.alarm_name()));
    Ok(found)
}

fn of_alarms(testbed: &Testbed) -> Vec<String> {
    let writes = testbed.gate.writes().into_iter();
    let of_cloudwatch = writes.filter(|call| call.service == "monitoring");
    of_cloudwatch.map(|call| call.action).collect()
}

#[tokio::test]
async fn alarms_come_change_and_go_with_the_load_balancer() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    config(&testbed, &[("health", HEALTH), ("errors", ERRORS)]).await?;
    well(&testbed, &[FLAG, NO_GRACE]).await?;
    let found = alarms(&testbed).await?;
    assert_eq!(found.len(), 2, "{found:?}");
    let balancer = load_balancers(&testbed).await?.remove(0);
    let arn = balancer.load_balancer_arn().unwrap_or_default();
    let full = arn
        .rsplit_once(":loadbalancer/")
        .map_or("", |(_, name)| name);
    for alarm in &found {
        let name = alarm.alarm_name().unwrap_or_default();
        let of = balancer.load_balancer_name().unwrap_or_default();
        assert!(name.starts_with("isthmus-") && name.contains(of), "{name}");
        let on = alarm
            .dimensions()
            .iter()
            .find(|d| d.name() == Some("LoadBalancer"));
        assert_eq!(on.and_then(cw::Dimension::value), Some(full), "{alarm:?}");
        assert_eq!(alarm.namespace(), Some("AWS/ApplicationELB"));
    }
    assert_eq!(found[0].threshold(), Some(100.5));
    assert_eq!(found[1].alarm_actions().len(), 1);
    assert_eq!(found[1].dimensions().len(), 2);
    idle(&testbed, &[FLAG, NO_GRACE]).await?;

    // Someone else's alarm, and one of ours changed by hand.
    let by_hand = CloudWatch::new(testbed.sdk());
    let put = |name: &str, threshold: f64| {
        by_hand
            .put_metric_alarm()
            .alarm_name(name)
            .namespace("AWS/ApplicationELB")
            .metric_name("HTTPCode_ELB_5XX_Count")
            .statistic(cw::Statistic::Sum)
            .comparison_operator(cw::ComparisonOperator::GreaterThanThreshold)
            .evaluation_periods(1)
            .period(60)
            .threshold(threshold)
            .send()
    };
    put("isthmus-of-someone-else", 1.0).await?;
    put(found[0].alarm_name().unwrap_or_default(), 7.0).await?;
    testbed.gate.clear();
    well(&testbed, &[FLAG, NO_GRACE]).await?;
    assert_eq!(of_alarms(&testbed), ["PutMetricAlarm"]);
    assert_eq!(alarms(&testbed).await?[0].threshold(), Some(100.5));

    config(&testbed, &[("health", HEALTH)]).await?;
    testbed.gate.clear();
    well(&testbed, &[FLAG, NO_GRACE]).await?;
    assert_eq!(of_alarms(&testbed), ["DeleteAlarms"]);
    let all = DeleteParams::default();
    ingresses(&testbed).delete("shop", &all).await?;
    well(&testbed, &[FLAG, NO_GRACE]).await?;
    let left = alarms(&testbed).await?;
    let left: Vec<_> = left
        .iter()
        .filter_map(cw::MetricAlarm::alarm_name)
        .collect();
    assert_eq!(left, ["isthmus-of-someone-else"]);
    Ok(())
}

#[tokio::test]
async fn alarms_that_are_wrong_or_refused_harm_nobody() -> Result<()> {
    let (testbed, _) = world("").await?;
    config(&testbed, &[("health", HEALTH), ("errors", ERRORS)]).await?;
    testbed.apply_yaml(&shop()).await?;
    well(&testbed, &[FLAG]).await?;
    assert_eq!(alarms(&testbed).await?.len(), 2);
    let wrong = ERRORS.replace("Threshold: 100.5", "Treshold: 1");
    config(&testbed, &[("health", HEALTH), ("errors", &wrong)]).await?;
    testbed.gate.clear();
    well(&testbed, &[FLAG]).await?;
    assert_eq!(
        of_alarms(&testbed),
        Vec::<String>::new(),
        "none is taken away"
    );
    let events: Api<Event> = Api::namespaced(testbed.kube(), "kube-system");
    let said = events.list(&ListParams::default()).await?;
    let named = said.iter().any(|event| {
        let on = event.regarding.as_ref().and_then(|r| r.kind.as_deref());
        let note = event.note.as_deref().unwrap_or_default();
        on == Some("ConfigMap") && note.contains("unknown field `Treshold`")
    });
    assert!(named, "{said:?}");

    // Without the right to read alarms everything else goes on, and it is said.
    ingresses(&testbed)
        .delete("shop", &DeleteParams::default())
        .await?;
    testbed
        .apply_yaml(&super::ingress("blog", &["blog.example.org"], &[]))
        .await?;
    let denied = isthmus_e2e::Fault::denied("DescribeAlarms").always();
    testbed.gate.fault(denied);
    let finished = super::once(&testbed, &[FLAG]).await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(finished.stderr.contains("DescribeAlarms"), "{finished}");
    assert_eq!(hostnames(&testbed, "blog").await?.len(), 1);
    testbed.gate.clear_faults();

    // Without the flag, what was made for it goes.
    well(&testbed, &[]).await?;
    assert!(alarms(&testbed).await?.is_empty());
    idle(&testbed, &[]).await?;
    Ok(())
}
