//! The Kubernetes client: by kubeconfig as everywhere, or by `--api-server`.

use isthmus_runtime::{CommonArgs, StartError, connect, connect_to};
use kube::Api;
use kube::api::ListParams;
use serde::de::DeserializeOwned;

use crate::config::Cluster;
use crate::slim::ServiceAccount;

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

/// Whether service accounts may be listed. Where only kube2iam's permissions are
/// there, pods have their own annotations and nothing else.
pub(crate) async fn may_list_service_accounts(client: &kube::Client) -> bool {
    let accounts = Api::<ServiceAccount>::all(client.clone());
    let denied = match accounts.list(&ListParams::default().limit(1)).await {
        Err(kube::Error::Api(status)) => status.code == 403,
        // Whoever cannot be asked is not believed to forbid it: the watch goes on asking.
        Ok(_) | Err(_) => false,
    };
    if denied {
        tracing::warn!(
            "role annotations of service accounts do not count: RBAC does not let the proxy list serviceaccounts"
        );
    }
    !denied
}

/// The object of this name, if there is one: by a list, which is a right that the
/// proxy has in any case.
pub(crate) async fn find<K>(api: &Api<K>, name: &str) -> Result<Option<K>, kube::Error>
where
    K: Clone + std::fmt::Debug + DeserializeOwned,
{
    let named = ListParams::default().fields(&format!("metadata.name={name}"));
    Ok(api.list(&named).await?.items.pop())
}
