//! The picture of the result, read back from the API server and from AWS.

mod egress;
mod ingress;
mod pod;

use anyhow::Result;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{Api, ListParams};
use kube::{Resource, ResourceExt};

use super::tree::Tree;
use crate::{Testbed, World};

/// Reads everything and draws it. What should be there and is not, is in it as missing.
pub(super) async fn draw(testbed: &Testbed, world: &World, proxy: &str) -> Result<Tree> {
    let mut root = Tree::default();
    let all = ListParams::default();
    for ingress in Api::<Ingress>::all(testbed.kube()).list(&all).await? {
        root.add(ingress::draw(testbed, world, &ingress).await);
    }
    let egress = ListParams::default().labels("egress=static");
    for config_map in Api::<ConfigMap>::all(testbed.kube()).list(&egress).await? {
        root.add(egress::draw(testbed, world, &config_map).await);
    }
    for pod in Api::<Pod>::all(testbed.kube()).list(&all).await? {
        if pod.annotations().contains_key("iam.amazonaws.com/role") {
            root.add(pod::draw(testbed, proxy, &pod).await);
        }
    }
    Ok(root)
}

/// `namespace/name`.
fn named(object: &impl Resource) -> String {
    format!(
        "{}/{}",
        object.meta().namespace.as_deref().unwrap_or_default(),
        object.meta().name.as_deref().unwrap_or_default()
    )
}

/// An error as the text of something missing.
fn said(what: &str) -> impl Fn(anyhow::Error) -> String {
    move |error| format!("{what}: {error:#}")
}
