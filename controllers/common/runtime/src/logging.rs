//! Logs, on stderr.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::{CommonArgs, LogFormat, LogLevel};

/// Starts logging as `--log-level` and `--log-format` say. A second call in one
/// process changes nothing.
pub fn start_logging(common: &CommonArgs) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(common.log_level))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    // An error means that a logger is there already, which is as good.
    let _ = match common.log_format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
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
    let mut directives = vec![ours.to_owned()];
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
