//! Pods with service accounts, and the kubelet's part: their projected tokens.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use isthmus_e2e::Testbed;
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::ResourceExt;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

pub(crate) const AUDIENCE: &str = "sts.amazonaws.com";

/// A kubelet's folder for volumes.
pub(crate) struct Kubelet(PathBuf);

impl Kubelet {
    pub(crate) fn new(testbed: &Testbed) -> Result<Self> {
        let root = testbed.scratch()?.join("kubelet");
        std::fs::create_dir_all(root.join("pods"))?;
        Ok(Self(root))
    }

    /// The flag that leads to it.
    pub(crate) fn flag(&self) -> String {
        format!("--kubelet-root={}", self.0.display())
    }

    /// Where the token of a pod is.
    pub(crate) fn path(&self, uid: &str) -> PathBuf {
        self.0.join(format!(
            "pods/{uid}/volumes/kubernetes.io~projected/aws/token"
        ))
    }

    /// Writes a token as the kubelet does: a new folder, and one link switched to it.
    pub(crate) fn write(&self, uid: &str, version: &str, token: &str) -> Result<()> {
        let path = self.path(uid);
        let volume = path.parent().context("a volume")?;
        std::fs::create_dir_all(volume.join(version))?;
        std::fs::write(volume.join(version).join("token"), token)?;
        symlink(version, volume.join("..data_tmp"))?;
        std::fs::rename(volume.join("..data_tmp"), volume.join("..data"))?;
        if !path.is_symlink() {
            symlink("..data/token", &path)?;
        }
        Ok(())
    }
}

/// A ServiceAccount in `shop`, with a role or without.
pub(crate) fn account(name: &str, role: Option<&str>) -> String {
    let annotations = role.map(|role| json!({crate::client::ROLE: role}));
    json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": "shop", "annotations": annotations.unwrap_or_else(|| json!({}))},
    })
    .to_string()
}

/// The pod with a service account.
pub(crate) fn with_account(pod: &str, account: &str) -> Result<String> {
    let mut pod: Value = serde_json::from_str(pod)?;
    pod["spec"]["serviceAccountName"] = account.into();
    Ok(pod.to_string())
}

/// The pod with a projected token for STS in a volume `aws`.
pub(crate) fn with_token(pod: &str) -> Result<String> {
    let mut pod: Value = serde_json::from_str(pod)?;
    pod["spec"]["volumes"] = json!([{"name": "aws", "projected": {"sources": [
        {"serviceAccountToken": {"audience": AUDIENCE, "path": "token", "expirationSeconds": 3600}},
    ]}}]);
    Ok(pod.to_string())
}

pub(crate) async fn uid(testbed: &Testbed, pod: &str) -> Result<String> {
    let api: Api<Pod> = Api::namespaced(testbed.kube(), "shop");
    api.get(pod).await?.uid().context("a UID")
}

/// A token of the service account that the API server binds to the pod, as it does for the kubelet.
pub(crate) async fn bound_token(
    testbed: &Testbed,
    account: &str,
    pod: &str,
    audience: &str,
) -> Result<String> {
    let api: Api<ServiceAccount> = Api::namespaced(testbed.kube(), "shop");
    let request = TokenRequest {
        spec: TokenRequestSpec {
            audiences: vec![audience.to_owned()],
            expiration_seconds: Some(3600),
            bound_object_ref: Some(BoundObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Pod".to_owned()),
                name: Some(pod.to_owned()),
                uid: Some(uid(testbed, pod).await?),
            }),
        },
        ..TokenRequest::default()
    };
    let made = api
        .create_token_request(account, &PostParams::default(), &request)
        .await?;
    Ok(made.status.context("a token")?.token)
}
