//! The same scenario for all of it: what the four programs serve, log and send
//! while the playground's examples are carried out.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use isthmus_e2e::playground::Programs;
use isthmus_e2e::{Command, PATIENCE, Testbed, eventually, http, playground};
use serde_json::{Value, json};

use crate::collector::Collector;
use crate::files::{alerts, dashboards, folder, metrics_in, served};

#[tokio::test]
async fn what_is_looked_at_is_there() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let collector = Collector::start()?;
    let changed = |_: &'static str, command: Command| {
        let endpoint = format!("--otlp-endpoint={}", collector.url);
        command.args(&["--log-format=json", "--log-level=debug", &endpoint])
    };
    let then = async |programs: &Programs| {
        metrics_exist(programs).await?;
        for program in isthmus_e2e::binaries::ALL {
            logs_are_objects(programs, program).await?;
        }
        traces_arrive(&collector).await?;
        kustomize(&testbed).await
    };
    playground::perform(&testbed, changed, then).await
}

/// Every metric of an alert is served by some program, every metric of a
/// dashboard by the dashboard's own.
async fn metrics_exist(programs: &Programs) -> Result<()> {
    let dashboards = dashboards()?;
    let mut all = BTreeSet::new();
    for (program, admin) in programs.admin_pages() {
        let (_, text) = http::get(&format!("{admin}/metrics")).await?;
        let names = served(&text);
        let expressions = dashboards.get(program).context("a dashboard")?;
        ensure!(!expressions.is_empty(), "{program} has no panels");
        for expression in expressions {
            let named = metrics_in(expression);
            ensure!(!named.is_empty(), "{program}: {expression}");
            let missing: Vec<_> = named.difference(&names).collect();
            ensure!(missing.is_empty(), "{program} does not serve {missing:?}");
        }
        all.extend(names);
    }
    for rule in alerts()? {
        let named = metrics_in(rule["expr"].as_str().unwrap_or_default());
        let missing: Vec<_> = named.difference(&all).collect();
        ensure!(
            !named.is_empty() && missing.is_empty(),
            "{rule}: {missing:?}"
        );
    }
    Ok(())
}

/// One object a line; objects of Kubernetes, steps of the plan and requests to
/// AWS are in fields of their own. What is logged is read a little later.
async fn logs_are_objects(programs: &Programs, program: &str) -> Result<()> {
    eventually("the calls and the steps in the log", async || {
        let mut logs = programs.logs();
        let (_, log) = logs.find(|(of, _)| *of == program).context("its log")?;
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        let read = lines(whole).with_context(|| format!("{program}\n{whole}"))?;
        Ok(has_calls_and_steps(program, &read).then_some(()))
    })
    .await
    .context(program.to_owned())
}

fn lines(log: &str) -> Result<Vec<Value>> {
    let mut lines = Vec::new();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        for field in ["timestamp", "level", "message"] {
            ensure!(line[field].is_string(), "no {field} in {line}");
        }
        lines.push(line);
    }
    Ok(lines)
}

fn has_calls_and_steps(program: &str, lines: &[Value]) -> bool {
    let has = |fits: &dyn Fn(&Value) -> bool| lines.iter().any(fits);
    if !has(&|line| line["message"] == "AWS call" && line["request_id"].is_string()) {
        return false;
    }
    let step = match program {
        "isthmus-ingress" => ("add", "load-balancer", "Ingress", "web"),
        "isthmus-dns" => ("add", "record-set", "Ingress", "web"),
        "isthmus-egress" => ("add", "route", "ConfigMap", "partner-bank"),
        _ => return true,
    };
    let (effect, kind, object, name) = step;
    let object = json!({"kind": object, "namespace": "shop", "name": name});
    let is_step = |line: &Value| {
        let objects = line["objects"].as_array();
        line["effect"] == effect
            && line["kind"] == kind
            && objects.is_some_and(|objects| objects.contains(&object))
    };
    has(&is_step)
}

/// AWS calls are below steps, steps below reconciles; the proxy has calls alone.
async fn traces_arrive(collector: &Collector) -> Result<()> {
    let start = Instant::now();
    for program in isthmus_e2e::binaries::ALL {
        loop {
            let spans = collector.spans(program);
            if is_traced(program, &spans) {
                break;
            }
            ensure!(start.elapsed() < PATIENCE, "{program}: {spans:#?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    Ok(())
}

fn is_traced(program: &str, spans: &[Value]) -> bool {
    // SPAN_KIND_CLIENT
    let mut calls = spans.iter().filter(|span| span["kind"] == 3);
    if program == "isthmus-metadata-proxy" {
        return calls.any(|call| call["name"] == "sts.AssumeRole");
    }
    let parent = |span: &Value| {
        let id = span["parentSpanId"].clone();
        spans.iter().find(move |other| other["spanId"] == id)
    };
    calls.any(|call| {
        let step = parent(call);
        let reconcile = step.and_then(parent);
        reconcile.is_some_and(|r| r["name"] == "reconcile" && r["traceId"] == call["traceId"])
    })
}

/// The kustomization makes one rule object and one ConfigMap with all dashboards.
async fn kustomize(testbed: &Testbed) -> Result<()> {
    let ended = tokio::process::Command::new(testbed.kubectl().await?)
        .arg("kustomize")
        .arg(folder())
        .output()
        .await?;
    let said = String::from_utf8(ended.stdout)?;
    ensure!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    ensure!(said.contains("kind: PrometheusRule"), "{said}");
    ensure!(said.contains("grafana_dashboard: \"1\""), "{said}");
    for program in isthmus_e2e::binaries::ALL {
        ensure!(
            said.contains(&format!("{program}.json: |")),
            "{program} is not in it"
        );
    }
    Ok(())
}
