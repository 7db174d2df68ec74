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

#[test]
fn what_is_registered_is_announced_before_its_first_sample() {
    let metrics = Metrics::new();
    let options = prometheus::Opts::new("isthmus_things_total", "Things.");
    let things = IntCounterVec::new(options, &["kind"]).unwrap();
    metrics.register(Box::new(things));
    let text = metrics.render();
    assert!(
        text.contains("# HELP isthmus_things_total Things.\n# TYPE isthmus_things_total counter\n"),
        "{text}"
    );
    let table = metrics.table_without(&Metrics::new());
    assert!(
        table.ends_with("| `isthmus_things_total` | counter | `kind` | Things. |\n"),
        "{table}"
    );
}

#[test]
fn the_page_has_the_metrics_of_all_programs() {
    let all = Metrics::new();
    let none = Metrics {
        families: Arc::default(),
        ..Metrics::new()
    };
    crate::documents::hold("metrics.md", "All programs", &all.table_without(&none));
}
