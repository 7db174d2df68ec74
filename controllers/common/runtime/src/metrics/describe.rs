//! What a family of metrics is, also before it has a sample.

use prometheus::core::Collector;
use prometheus::proto::MetricType;

/// One family of metrics, as `# HELP` and `# TYPE` announce it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Family {
    /// Its name.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// What it measures.
    pub help: String,
}

/// The families of one collector.
pub(super) fn families(collector: &dyn Collector) -> Vec<Family> {
    let collected = collector.collect();
    let kind = |name: &str| {
        let family = collected.iter().find(|family| family.name() == name);
        match family.map(prometheus::proto::MetricFamily::get_field_type) {
            Some(MetricType::COUNTER) => "counter",
            Some(MetricType::GAUGE) => "gauge",
            Some(MetricType::HISTOGRAM) => "histogram",
            Some(MetricType::SUMMARY) => "summary",
            Some(MetricType::UNTYPED) | None => "untyped",
        }
    };
    let describe = |desc: &&prometheus::core::Desc| Family {
        name: desc.fq_name.clone(),
        kind: kind(&desc.fq_name),
        labels: desc.variable_labels.clone(),
        help: desc.help.clone(),
    };
    collector.desc().iter().map(describe).collect()
}

/// The families as rows of a table in Markdown, in the order of their names.
pub(super) fn table(mut families: Vec<Family>) -> String {
    families.sort();
    let mut text = "| metric | type | labels | what it says |\n|---|---|---|---|\n".to_owned();
    for family in families {
        let labels: Vec<_> = family.labels.iter().map(|l| format!("`{l}`")).collect();
        text += &format!(
            "| `{}` | {} | {} | {} |\n",
            family.name,
            family.kind,
            labels.join(", "),
            family.help
        );
    }
    text
}
