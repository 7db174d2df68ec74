//! What isthmus-ingress asks of AWS, and how soon it acts:
//! `cargo bench -p isthmus-e2e --bench ingress`, about ten minutes, most of which
//! it watches a controller at rest.
//!
//! 500 Ingresses over 20 load balancers with rules, a web ACL, alarms and two target
//! groups each: the calls of the first sync, of a restart
//! and of a resync. Then one Ingress after the other: from its creation to the
//! first write to Elastic Load Balancing, and from when AWS calls the load balancer
//! active to the status.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_wafv2::types as waf;
use isthmus_e2e::{Call, Certificate, EmulatorSettings, Process, Testbed, World};
use k8s_openapi::api::networking::v1::Ingress;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;

const BINARY: &str = "isthmus-ingress";
const CLUSTER: &str = "--cluster-id=aws:123456789012:eu-central-1:kube-1";
const INGRESSES: usize = 500;
const BALANCERS: usize = 20;
/// How long AWS sets a load balancer up, in the emulator.
const PROVISIONING: Duration = Duration::from_secs(2);
const ROUNDS: usize = 30;
/// Between two of them.
const REST: Duration = Duration::from_secs(2);

fn main() -> Result<()> {
    if !std::env::args().any(|arg| arg == "--bench") {
        println!("ingress: a benchmark; run it with cargo bench -p isthmus-e2e --bench ingress");
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        latencies().await?;
        at_rest().await
    })
}

fn ingress(name: &str, host: &str, shared: bool) -> String {
    let object = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "namespace": "default",
            "name": name,
            "annotations": {"zalando.org/aws-load-balancer-shared": shared.to_string()},
        },
        "spec": {"rules": [{"host": host}]},
    });
    format!("{object}\n---\n")
}

/// How many Ingresses have a hostname in their status.
async fn told(testbed: &Testbed) -> Result<usize> {
    let all: Api<Ingress> = Api::all(testbed.kube());
    let listed = all.list(&ListParams::default()).await?;
    let told = |ingress: &&Ingress| {
        let status = ingress.status.as_ref();
        let balancer = status.and_then(|status| status.load_balancer.as_ref());
        balancer.is_some_and(|balancer| balancer.ingress.is_some())
    };
    Ok(listed.items.iter().filter(told).count())
}

async fn until_told(testbed: &Testbed, process: &Process, count: usize) -> Result<()> {
    const LIMIT: Duration = Duration::from_secs(600);
    let start = Instant::now();
    while told(testbed).await? < count {
        if start.elapsed() > LIMIT {
            bail!("not all are served\n{}", process.stderr());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// A web ACL, whose ARN it gives, and a ConfigMap with two alarms.
async fn everything(testbed: &Testbed) -> Result<String> {
    let alarm = |name: &str| {
        json!({
            "AlarmName": name, "MetricName": name, "Statistic": "Sum", "Period": 60,
            "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 1,
        })
    };
    let alarms = json!([alarm("HTTPCode_ELB_5XX_Count"), alarm("UnHealthyHostCount")]);
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"namespace": "default", "name": "alarms"},
        "data": {"alarms": alarms.to_string()},
    });
    testbed.apply_yaml(&object.to_string()).await?;
    let visible = waf::VisibilityConfig::builder()
        .sampled_requests_enabled(false)
        .cloud_watch_metrics_enabled(false)
        .metric_name("web");
    let allow = waf::AllowAction::builder().build();
    let made = aws_sdk_wafv2::Client::new(testbed.sdk())
        .create_web_acl()
        .name("web")
        .scope(waf::Scope::Regional)
        .default_action(waf::DefaultAction::builder().allow(allow).build())
        .visibility_config(visible.build()?)
        .send()
        .await?;
    let arn = made.summary().and_then(waf::WebAclSummary::arn);
    Ok(arn.context("a web ACL")?.to_owned())
}

async fn at_rest() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    World::create(&testbed).await?;
    for n in 0..BALANCERS {
        Certificate::import(&testbed, &[&format!("*.d{n}.example.org")]).await?;
    }
    let one = |n: usize| {
        let host = format!("h{n}.d{}.example.org", n % BALANCERS);
        ingress(&format!("app-{n:03}"), &host, true)
    };
    testbed
        .apply_yaml(&(0..INGRESSES).map(one).collect::<String>())
        .await?;
    println!("\n{INGRESSES} Ingresses over {BALANCERS} load balancers, with every feature");

    let acl = everything(&testbed).await?;
    let acl = format!("--aws-waf-web-acl-id={acl}");
    let args = [
        CLUSTER,
        "--max-certs-alb=1",
        "--deny-internal-domains",
        "--alb-http-target-port=9998",
        "--cloudwatch-alarms-config-map=default/alarms",
        &acl,
    ];
    testbed.gate.clear();
    let start = Instant::now();
    let process = testbed.spawn(BINARY, &args).await?;
    until_told(&testbed, &process, INGRESSES).await?;
    let took = start.elapsed().as_secs();
    print_calls(&format!("first sync, {took} s"), &testbed.gate.calls());
    process.terminate().await?;

    testbed.gate.clear();
    let mut process = testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    let rest = Instant::now();
    let calls = testbed.gate.calls();
    print_calls("a restart", &calls);
    ensure!(writes(&calls) == 0, "a restart writes");

    testbed.gate.clear();
    let looked = |calls: &[Call]| {
        calls
            .iter()
            .any(|call| call.action == "DescribeRouteTables")
    };
    testbed
        .gate
        .wait_for(Duration::from_secs(400), looked)
        .await?;
    let mut before = 0;
    while testbed.gate.calls().len() > before {
        before = testbed.gate.calls().len();
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    let minutes = rest.elapsed().as_secs_f64() / 60.0;
    let calls = testbed.gate.calls();
    print_calls(&format!("at rest for {minutes:.1} minutes"), &calls);
    println!(
        "  {:.1} calls a minute at rest (target: at most 10; kube-ingress-aws-controller: about 130)",
        calls.len() as f64 / minutes
    );
    ensure!(writes(&calls) == 0, "it writes at rest");
    Ok(())
}

fn writes(calls: &[Call]) -> usize {
    calls.iter().filter(|call| call.is_write()).count()
}

fn print_calls(what: &str, calls: &[Call]) {
    let mut by_action = BTreeMap::new();
    for call in calls {
        *by_action.entry(call.action.as_str()).or_insert(0) += 1;
    }
    let writes = writes(calls);
    println!("{what}: {} reads, {writes} writes", calls.len() - writes);
    for (action, count) in by_action {
        println!("  {count:>4} {action}");
    }
}

async fn latencies() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    World::create(&testbed).await?;
    let settings = EmulatorSettings {
        load_balancer_provisioning: PROVISIONING,
        ..EmulatorSettings::default()
    };
    testbed.emulators().configure(&settings).await?;
    let mut process = testbed.spawn(BINARY, &[CLUSTER]).await?;
    process.wait_ready().await?;
    let (mut to_write, mut to_status) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // A controller at rest: otherwise the last round's runs see the next one early.
        tokio::time::sleep(REST).await;
        testbed.gate.clear();
        let host = format!("app-{round}.example.org");
        let applied = Instant::now();
        let yaml = ingress(&format!("app-{round}"), &host, false);
        testbed.apply_yaml(&yaml).await?;
        until_told(&testbed, &process, round + 1).await?;
        let told = Instant::now();
        let writes = testbed.gate.writes();
        let first = writes.first().context("a write")?;
        to_write.push(first.at.saturating_duration_since(applied));
        let made = writes
            .iter()
            .find(|call| call.action == "CreateLoadBalancer");
        let active = made.context("a load balancer")?.at + PROVISIONING;
        to_status.push(told.saturating_duration_since(active));
    }
    println!("{ROUNDS} Ingresses one after the other     p50       p99");
    print_times("to the first write to ELBv2     ", to_write);
    print_times("from active at AWS to the status", to_status);
    Ok(())
}

fn print_times(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: f64| {
        let index = ((times.len() as f64 * part).ceil() as usize).saturating_sub(1);
        times[index.min(times.len() - 1)].as_millis()
    };
    println!(
        "{what}  {:>5} ms  {:>5} ms  (target: 2000 ms)",
        at(0.5),
        at(0.99)
    );
}
