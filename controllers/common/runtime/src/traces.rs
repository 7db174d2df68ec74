//! OpenTelemetry traces by [OTLP over HTTP] in its JSON form, for `--otlp-endpoint`.
//!
//! A reconcile is a trace: below it its steps, and below these the calls to AWS.
//! It is small enough to be written here: the crates of OpenTelemetry bring a
//! second HTTP client and protobuf with them. Without the flag nothing of it
//! exists in the process.
//!
//! [OTLP over HTTP]: https://opentelemetry.io/docs/specs/otlp/#otlphttp

mod endpoint;
mod layer;
mod sender;
mod span;

use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

pub use endpoint::OtlpEndpoint;
pub(crate) use sender::Traces;

/// The target of spans that are traced and never logged.
pub(crate) const TRACE: &str = "isthmus::trace";
/// The target of the events that tell of an AWS call; each is a span of its own.
pub(crate) const CALL: &str = "isthmus::call";

/// The layer that turns spans into traces, and what sends them.
pub(crate) fn start<S>(
    service: &'static str,
    endpoint: &OtlpEndpoint,
) -> (impl Layer<S> + use<S>, Traces)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let (traces, queue) = Traces::start(service, endpoint.clone());
    let ours = filter_fn(|metadata| [TRACE, CALL].contains(&metadata.target()));
    (layer::SpanLayer::new(queue).with_filter(ours), traces)
}

#[cfg(test)]
mod tests;
