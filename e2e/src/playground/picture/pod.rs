//! Pod → role → credentials that an SDK fetched as that pod.

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::{named, said};
use crate::playground::tree::Tree;
use crate::{REGION, Testbed, testbed};

pub(super) async fn draw(testbed: &Testbed, proxy: &str, pod: &Pod) -> Tree {
    let role = &pod.annotations()["iam.amazonaws.com/role"];
    let ip = pod
        .status
        .as_ref()
        .and_then(|status| status.pod_ip.as_deref())
        .unwrap_or_default();
    let mut tree = Tree::new(format!("Pod {} {ip}", named(pod)));
    let mut below = Tree::new(format!("role {role}"));
    let read = credentials(testbed, proxy, ip).await;
    below.add(Tree::from(
        read.map_err(said(&format!("credentials of role {role}"))),
    ));
    tree.add(below);
    tree
}

/// boto3 with its sockets bound to the pod's address, so that it is the pod.
async fn credentials(testbed: &Testbed, proxy: &str, ip: &str) -> Result<Tree> {
    let python = tokio::task::spawn_blocking(testbed::python_interpreter).await??;
    let output = tokio::process::Command::new(python)
        .arg(testbed::emulators_folder().join("as_pod.py"))
        .arg(ip)
        .env_clear()
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", proxy)
        .env("AWS_ENDPOINT_URL", testbed.gate.bypass_url())
        .env("AWS_REGION", REGION)
        .env("AWS_DEFAULT_REGION", REGION)
        .env("AWS_CONFIG_FILE", "/nonexistent")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        .output()
        .await?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("{}", stderr.lines().last().unwrap_or("boto3 failed"));
    }
    let found: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("read what boto3 says")?;
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    let mut tree = Tree::new(format!(
        "credentials {} fetched by boto3 ({})",
        text("access_key_id"),
        text("method")
    ));
    tree.add(Tree::new(format!(
        "sts:GetCallerIdentity says {}",
        text("arn")
    )));
    Ok(tree)
}
