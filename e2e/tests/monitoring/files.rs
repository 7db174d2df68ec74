//! `manifests/monitoring` as it lies there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn folder() -> PathBuf {
    root().join("manifests/monitoring")
}

pub(crate) fn yaml(path: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_yaml_ng::from_str(&text).with_context(|| path.display().to_string())
}

pub(crate) fn rules() -> Result<Value> {
    yaml(&folder().join("rules/isthmus.yaml"))
}

/// Every alert of the rules.
pub(crate) fn alerts() -> Result<Vec<Value>> {
    let rules = rules()?;
    let groups = rules["groups"].as_array().context("groups")?.iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default());
    Ok(rules.collect())
}

/// The expressions of each dashboard's panels, by program.
pub(crate) fn dashboards() -> Result<BTreeMap<String, Vec<String>>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder().join("dashboards"))? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
        let panels = dashboard["panels"].as_array().context("panels")?.iter();
        let targets = panels.flat_map(|p| p["targets"].as_array().cloned().unwrap_or_default());
        let expressions = targets.filter_map(|t| t["expr"].as_str().map(str::to_owned));
        found.insert(name.into_owned(), expressions.collect());
    }
    Ok(found)
}

/// The metrics that an expression names.
pub(crate) fn metrics_in(expression: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    expression
        .split(|c| !is_part(c))
        .filter(|word| word.starts_with("isthmus_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

/// The metrics that Prometheus makes of an answer of `/metrics`, those without a
/// sample yet among them.
pub(crate) fn served(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in text.lines() {
        let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|rest| rest.split_once(' '))
        else {
            continue;
        };
        if kind == "histogram" {
            names.extend(["bucket", "sum", "count"].map(|part| format!("{name}_{part}")));
        } else {
            names.insert(name.to_owned());
        }
    }
    names
}

#[test]
fn metrics_are_found() {
    let named = metrics_in("sum by (x) (rate(isthmus_a_total{b=\"c\"}[5m])) / process_d or up");
    assert_eq!(
        named.into_iter().collect::<Vec<_>>(),
        ["isthmus_a_total", "process_d"]
    );
    let text = "# TYPE a counter\na 1\n# TYPE b histogram\nb_count 1\n";
    assert_eq!(
        served(text).into_iter().collect::<Vec<_>>(),
        ["a", "b_bucket", "b_count", "b_sum"]
    );
}
