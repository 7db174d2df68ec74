//! One JSON object a line.

use std::fmt;

use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// `timestamp`, `level`, `message` and the fields, all at the top. The object of
/// Kubernetes that a line is about is `{"kind", "namespace", "name"}` in `object`;
/// several are a list in `objects`.
pub(super) struct OneObjectALine;

impl<S, N> FormatEvent<S, N> for OneObjectALine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Line::default();
        line.0.insert(
            "timestamp".into(),
            jiff::Timestamp::now().to_string().into(),
        );
        line.0
            .insert("level".into(), event.metadata().level().as_str().into());
        line.0.insert("message".into(), "".into());
        event.record(&mut line);
        writeln!(writer, "{}", Value::Object(line.0))
    }
}

/// The fields of one line.
#[derive(Default)]
pub(super) struct Line(pub(super) Map<String, Value>);

impl Line {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        let value = match field.name() {
            "object" => object(value),
            "objects" => value.split(", ").map(object).collect(),
            _ => value.into(),
        };
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// The parts of an [`isthmus_core::ObjectRef`] as it is displayed.
fn object(text: &str) -> Value {
    let Some((kind, name)) = text.split_once(' ') else {
        return text.into();
    };
    match name.split_once('/') {
        Some((namespace, name)) => json!({"kind": kind, "namespace": namespace, "name": name}),
        None => json!({"kind": kind, "name": name}),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use isthmus_core::ObjectRef;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(say: impl FnOnce()) -> Vec<Value> {
        let sink = Sink::default();
        let writer = sink.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone())
            .event_format(OneObjectALine);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), say);
        let bytes = sink.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn objects_have_parts_and_numbers_stay_numbers() {
        let web = ObjectRef::new("networking.k8s.io/v1", "Ingress", "shop", "web");
        let node = ObjectRef::new("v1", "Node", "", "a");
        let lines = logged(|| {
            tracing::warn!(object = %web, reason = "Bad", count = 3, "a \"b\"\nc");
            tracing::info!(
                objects = format!("{web}, {node}"),
                ready = true,
                request_id = None::<&str>,
                "x"
            );
        });
        assert_eq!(lines[0]["level"], "WARN");
        assert_eq!(lines[0]["message"], "a \"b\"\nc");
        let object = json!({"kind": "Ingress", "namespace": "shop", "name": "web"});
        assert_eq!(lines[0]["object"], object);
        assert_eq!(lines[0]["count"], 3);
        assert!(lines[0]["timestamp"].as_str().unwrap().ends_with('Z'));
        assert_eq!(
            lines[1]["objects"],
            json!([object, {"kind": "Node", "name": "a"}])
        );
        assert_eq!(lines[1]["ready"], true);
        assert_eq!(lines[1].get("request_id"), None);
    }
}
