//! A span, and its form in OTLP.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tracing::field::{Field, Visit};

/// Something that took time.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) trace: u128,
    pub(super) id: u64,
    pub(super) parent: Option<u64>,
    pub(super) name: String,
    /// Whether it is a call to somebody else.
    pub(super) is_call: bool,
    pub(super) start: SystemTime,
    pub(super) end: SystemTime,
    pub(super) attributes: Attributes,
}

/// Attributes by name, with values as OTLP has them.
#[derive(Clone, Debug, Default)]
pub(super) struct Attributes(pub(super) Vec<(&'static str, Value)>);

impl Attributes {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| *known == name)?;
        value["stringValue"].as_str()
    }

    pub(super) fn number(&self, name: &str) -> Option<f64> {
        let (_, value) = self.0.iter().find(|(known, _)| *known == name)?;
        value["doubleValue"].as_f64()
    }
}

impl Visit for Attributes {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), json!({ "stringValue": value })));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.push((field.name(), json!({ "boolValue": value })));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.push((field.name(), json!({ "doubleValue": value })));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // The sentence is for the log.
        if field.name() != "message" {
            self.record_str(field, &format!("{value:?}"));
        }
    }
}

impl Span {
    /// Its [form](https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto)
    /// in JSON: ids in hexadecimal digits, times as texts.
    pub(super) fn json(&self) -> Value {
        let attributes = self.attributes.0.iter();
        let attributes: Vec<_> = attributes
            .map(|(name, value)| json!({"key": attribute(name), "value": value}))
            .collect();
        let failed = self
            .attributes
            .text("outcome")
            .is_some_and(|outcome| outcome != "ok");
        json!({
            "traceId": format!("{:032x}", self.trace),
            "spanId": format!("{:016x}", self.id),
            "parentSpanId": self.parent.map_or_else(String::new, |id| format!("{id:016x}")),
            "name": self.name,
            // SPAN_KIND_CLIENT, SPAN_KIND_INTERNAL
            "kind": if self.is_call { 3 } else { 1 },
            "startTimeUnixNano": nanos(self.start),
            "endTimeUnixNano": nanos(self.end),
            "attributes": attributes,
            // STATUS_CODE_ERROR, STATUS_CODE_UNSET
            "status": if failed { json!({"code": 2}) } else { json!({}) },
        })
    }
}

/// The name that the [conventions](https://opentelemetry.io/docs/specs/semconv/cloud-providers/aws-sdk/) have for it.
fn attribute(name: &str) -> String {
    match name {
        "service" => "rpc.service".to_owned(),
        "operation" => "rpc.method".to_owned(),
        "request_id" => "aws.request_id".to_owned(),
        own => format!("isthmus.{own}"),
    }
}

fn nanos(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_nanos().to_string()
}
