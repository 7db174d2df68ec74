//! The client itself: kube's own parts on connections that the kernel looks after.

use std::time::Duration;

use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::ConfigExt as _;
use kube::client::retry::RetryPolicy;
use tower::ServiceBuilder;
use tower::retry::RetryLayer;

use super::limits::Limits;

/// A connection on which nothing came for so long is asked for a sign of life,
const KEEPALIVE: Duration = Duration::from_secs(20);
/// again after this,
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// and closed when there is none, as is one whose data nobody acknowledges.
const UNACKNOWLEDGED: Duration = Duration::from_secs(45);
/// A server that cannot be connected to within this is not there.
const CONNECT: Duration = Duration::from_secs(15);
/// How often a request is made again that the server refuses for now.
const RETRIES: u32 = 3;

/// A client of `config` with limits to what it waits for.
///
/// kube's own default waits for answers without end, asks the kernel for no
/// signs of life, and makes a request again that is refused with 429, 503 or
/// 504 up to 15 times with pauses of up to minutes, in which nobody else hears
/// of it; here the watches and the run loop do that, and say so.
pub(super) fn client(config: &kube::Config, limits: Limits) -> kube::Result<kube::Client> {
    if config.proxy_url.is_some() {
        // Says what it can do about it.
        return kube::Client::try_from(config.clone());
    }
    let retries = RetryPolicy::new(limits.pause, limits.pause * 20, RETRIES, false)
        .map_err(|error| kube::Error::Service(error.into()))?;
    let connector = config.rustls_https_connector_with_connector(tcp())?;
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(RetryLayer::new(retries))
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .layer(limits)
        .service(HttpClient::builder(TokioExecutor::new()).build(connector));
    Ok(kube::Client::new(service, config.default_namespace.clone()))
}

fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    // TLS comes on top.
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    tcp.set_keepalive(Some(KEEPALIVE));
    tcp.set_keepalive_interval(Some(KEEPALIVE_INTERVAL));
    #[cfg(target_os = "linux")]
    tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
    tcp
}

#[cfg(test)]
mod tests;
