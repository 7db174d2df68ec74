//! What an SRE sees: alerts with their unit tests and runbooks, dashboards whose
//! metrics are there, logs in JSON, traces.

mod collector;
mod files;
mod live;

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use files::{alerts, dashboards, folder, root, rules, yaml};

fn promtool(args: &[&str]) -> Result<String> {
    let ended = Command::new(isthmus_e2e::promtool()?).args(args).output()?;
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&ended.stderr).into_owned();
    ensure!(ended.status.success(), "promtool {args:?}\n{said}\n{wrong}");
    Ok(said)
}

#[test]
fn the_alerts_hold_their_unit_tests() -> Result<()> {
    let file = |name: &str| folder().join(name).display().to_string();
    promtool(&[
        "check",
        "rules",
        "--lint-fatal",
        &file("rules/isthmus.yaml"),
    ])?;
    promtool(&["test", "rules", &file("tests/alerts.yaml")])?;
    Ok(())
}

#[test]
fn every_alert_fires_in_a_unit_test() -> Result<()> {
    let tests = yaml(&folder().join("tests/alerts.yaml"))?;
    let tests = tests["tests"].as_array().context("tests")?.iter();
    let cases = tests.flat_map(|test| test["alert_rule_test"].as_array().cloned());
    let firing = cases.flatten().filter(|case| {
        let expected = case["exp_alerts"].as_array();
        expected.is_some_and(|alerts| !alerts.is_empty())
    });
    let firing: BTreeSet<_> = firing.map(|case| case["alertname"].to_string()).collect();
    let known = alerts()?;
    let known: BTreeSet<_> = known.iter().map(|rule| rule["alert"].to_string()).collect();
    assert_eq!(firing, known);
    Ok(())
}

#[test]
fn every_alert_has_a_runbook_and_says_what_it_means() -> Result<()> {
    let runbooks = std::fs::read_to_string(root().join("docs/runbooks.md"))?;
    let headings = runbooks.lines().filter_map(|line| line.strip_prefix("## "));
    let headings: Vec<&str> = headings.collect();
    let mut names = Vec::new();
    for rule in alerts()? {
        let name = rule["alert"].as_str().context("a name")?;
        let notes = &rule["annotations"];
        for annotation in ["summary", "description"] {
            let text = notes[annotation].as_str().unwrap_or_default();
            assert!(text.ends_with('.'), "{name} has no {annotation}");
        }
        let severity = rule["labels"]["severity"].as_str().unwrap_or_default();
        assert!(
            ["critical", "warning"].contains(&severity),
            "{name}: {severity}"
        );
        let link = format!("docs/runbooks.md#{}", name.to_lowercase());
        assert_eq!(notes["runbook_url"], link, "{name}");
        names.push(name.to_owned());
    }
    assert_eq!(
        headings, names,
        "docs/runbooks.md has one for each alert, in order"
    );
    Ok(())
}

/// One source: the operator's form is made of the rule file.
#[test]
fn the_operator_gets_the_same_rules() -> Result<()> {
    let object = json!({
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "isthmus", "labels": {"application": "isthmus"}},
        "spec": rules()?,
    });
    let text = format!(
        "# Made of ../rules/isthmus.yaml: UPDATE_DOCS=1 cargo test --workspace --test monitoring operator\n{}",
        serde_yaml_ng::to_string(&object)?
    );
    let file = folder().join("operator/prometheus-rule.yaml");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &text)?;
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == text,
        "{} is not what rules/isthmus.yaml says",
        file.display()
    );
    Ok(())
}

/// As recording rules, whose syntax promtool knows.
#[test]
fn prometheus_understands_the_dashboards() -> Result<()> {
    let expressions = dashboards()?.into_values().flatten();
    let rules: Vec<Value> = expressions
        .enumerate()
        .map(|(n, expression)| {
            let expression = expression.replace("$__rate_interval", "5m");
            json!({"record": format!("panel:{n}"), "expr": expression})
        })
        .collect();
    assert!(rules.len() > 40, "{}", rules.len());
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("panels.yaml");
    let groups = json!({"groups": [{"name": "panels", "rules": rules}]});
    std::fs::write(&file, serde_yaml_ng::to_string(&groups)?)?;
    promtool(&["check", "rules", &file.display().to_string()])?;
    Ok(())
}
