//! Logs, on stderr; and traces, where they are wanted.

mod json;
mod plan;

use std::io::IsTerminal;
use std::sync::OnceLock;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

pub(crate) use plan::PlanLine;

use crate::traces::{self, TRACE, Traces};
use crate::{CommonArgs, LogFormat, LogLevel};

static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Whether logs are for machines: what people read in the sentence is a field then.
pub(crate) fn is_json() -> bool {
    FORMAT.get() == Some(&LogFormat::Json)
}

/// What is said as long as this lives is logged; at its end, traces that still
/// wait are sent.
#[must_use = "traces end with it"]
#[derive(Debug, Default)]
pub struct Logging {
    _traces: Option<Traces>,
}

/// Starts logging as `--log-level` and `--log-format` say, and tracing to
/// `--otlp-endpoint` as the service `name`. A second call in one process changes
/// nothing.
pub fn start_logging(name: &'static str, common: &CommonArgs) -> Logging {
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    let lines = match common.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.event_format(json::OneObjectALine).boxed(),
    };
    let lines = lines.with_filter(filter(common.log_level));
    let started = common
        .otlp_endpoint
        .as_ref()
        .map(|endpoint| traces::start(name, endpoint));
    let (layer, traces) = started.unzip();
    let all = tracing_subscriber::registry().with(lines).with(layer);
    // An error means that a logger is there already, which is as good.
    if all.try_init().is_ok() {
        let _ = FORMAT.set(common.log_format);
    }
    Logging { _traces: traces }
}

/// The level for our own words. Libraries are kept quieter: below `debug` the
/// Kubernetes client says what the watches and the callers say again, and the
/// AWS SDK's own words below `info` contain requests and answers, which may
/// hold credentials, so no level lets them through.
fn filter(level: LogLevel) -> EnvFilter {
    let (ours, kube) = match level {
        LogLevel::Off => ("off", "off"),
        LogLevel::Error => ("error", "off"),
        LogLevel::Warn => ("warn", "off"),
        LogLevel::Info => ("info", "off"),
        LogLevel::Debug => ("debug", "info"),
        LogLevel::Trace => ("trace", "debug"),
    };
    let aws = match level {
        LogLevel::Debug | LogLevel::Trace => "info",
        LogLevel::Info => "error",
        _ => "off",
    };
    let mut directives = vec![ours.to_owned(), format!("{TRACE}=off")];
    for target in [
        "kube",
        "kube_client",
        "kube_runtime",
        "tower",
        "hyper",
        "hyper_util",
        "rustls",
        "h2",
    ] {
        directives.push(format!("{target}={kube}"));
    }
    for target in [
        "aws_config",
        "aws_runtime",
        "aws_smithy_runtime",
        "aws_smithy_runtime_api",
        "aws_smithy_http_client",
        "aws_sigv4",
        "aws_credential_types",
        // All services: what they say of a request is said by `CallMetrics`.
        "aws_sdk",
    ] {
        directives.push(format!("{target}={aws}"));
    }
    EnvFilter::new(directives.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_level_lets_the_sdk_print_credentials() {
        let text = filter(LogLevel::Trace).to_string();
        assert!(text.contains("aws_smithy_runtime=info"), "{text}");
        assert!(text.contains("trace"), "{text}");
    }
}
