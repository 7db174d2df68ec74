//! A plan in the log: a line for people, and its step in fields for machines.

use isthmus_core::PlanReport;
use serde_json::Value;

/// One step, or the word that there is none.
pub(crate) struct PlanLine<'a> {
    text: &'a str,
    step: Option<&'a Value>,
}

/// Says it at a level; the fields are left away where they are not wanted.
macro_rules! say {
    ($level:ident, $line:expr) => {{
        let line = $line;
        tracing::$level!(
            effect = line.field("effect"),
            kind = line.field("kind"),
            name = line.field("name"),
            withheld = line.withheld(),
            objects = line.objects().as_deref(),
            "plan: {}",
            line.text
        );
    }};
}

impl<'a> PlanLine<'a> {
    /// The lines of a plan in their order.
    pub(crate) fn all(plan: &'a PlanReport) -> impl Iterator<Item = Self> {
        let steps = plan.json["steps"].as_array().map_or(&[][..], Vec::as_slice);
        let steps = steps.iter().map(Some).chain(std::iter::repeat(None));
        let fields = super::is_json();
        let lines = plan.text.lines().zip(steps);
        lines.map(move |(text, step)| Self {
            text,
            step: step.filter(|_| fields),
        })
    }

    /// Logs it; without `news` for those who look closely.
    pub(crate) fn log(&self, news: bool) {
        if !news {
            say!(debug, self);
        } else if self.text.starts_with('!') {
            say!(warn, self);
        } else {
            say!(info, self);
        }
    }

    fn field(&self, name: &str) -> Option<&'a str> {
        self.step?[name].as_str()
    }

    fn withheld(&self) -> Option<&'a str> {
        self.step?["withheld"]["reason"].as_str()
    }

    /// For whom it is done.
    fn objects(&self) -> Option<String> {
        let objects = self.step?["objects"].as_array()?;
        let text = |object: &Value| {
            let part = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
            match part("namespace") {
                namespace if namespace.is_empty() => format!("{} {}", part("kind"), part("name")),
                namespace => format!("{} {namespace}/{}", part("kind"), part("name")),
            }
        };
        let objects: Vec<_> = objects.iter().map(text).collect();
        (!objects.is_empty()).then(|| objects.join(", "))
    }
}
