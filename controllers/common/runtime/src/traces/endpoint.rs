//! Where a collector is.

use std::fmt;
use std::str::FromStr;

/// The value of `--otlp-endpoint`: `http://HOST:PORT`, with a path in front of
/// `/v1/traces` where the collector has one. A collector is in the cluster or on
/// the node, so there is no TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpEndpoint {
    /// `HOST:PORT`.
    pub(super) authority: String,
    /// `/v1/traces`, or what leads there.
    pub(super) path: String,
}

/// A text that is not such an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "http://HOST:PORT of a collector that takes OTLP over HTTP, such as http://otel-collector.monitoring:4318"
)]
pub struct OtlpEndpointError;

impl FromStr for OtlpEndpoint {
    type Err = OtlpEndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("http://").ok_or(OtlpEndpointError)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = authority.rsplit_once(':').ok_or(OtlpEndpointError)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        let is_host = !host.is_empty() && host.chars().all(plain);
        let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
        let is_path = path
            .chars()
            .all(|c| c.is_ascii_graphic() && !"?#".contains(c));
        if !(is_host && is_port && is_path) {
            return Err(OtlpEndpointError);
        }
        let base = path.trim_matches('/').trim_end_matches("v1/traces");
        let base = base.trim_end_matches('/');
        let path = match base {
            "" => "/v1/traces".to_owned(),
            base => format!("/{base}/v1/traces"),
        };
        Ok(Self {
            authority: authority.to_owned(),
            path,
        })
    }
}

impl fmt::Display for OtlpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path)
    }
}
