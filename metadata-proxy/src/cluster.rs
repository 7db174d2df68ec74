//! The Kubernetes client: by kubeconfig as everywhere, or by `--api-server`.

use isthmus_runtime::{CommonArgs, StartError, connect, connect_to};

use crate::config::Cluster;

/// A client of a server that has answered.
pub(crate) async fn client(
    cluster: &Cluster,
    common: &CommonArgs,
) -> Result<kube::Client, StartError> {
    let Some(server) = &cluster.server else {
        return connect(common, true).await;
    };
    let mut config = kube::Config::new(server.url.clone());
    config.accept_invalid_certs = server.insecure;
    config.auth_info.token = server
        .token
        .as_ref()
        .map(|token| token.expose().to_owned().into());
    connect_to(config, "--api-server", true).await
}
