//! Server-side apply of YAML.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{Scope, pinned_kind};
use kube::runtime::wait::{await_condition, conditions};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::PATIENCE;

const MANAGER: &str = "testbed";

/// Applies every document.
pub(super) async fn yaml(client: &kube::Client, yaml: &str) -> Result<()> {
    for document in serde_yaml_ng::Deserializer::from_str(yaml) {
        let object = Value::deserialize(document).context("parse the YAML")?;
        if object.is_null() {
            continue;
        }
        let name = format!("{} {}", object["kind"], object["metadata"]["name"]);
        let start = Instant::now();
        while let Err(error) = apply(client, &object).await {
            if !may_pass(&error) || start.elapsed() > PATIENCE {
                return Err(error.context(format!("apply {name}")));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

/// Whether the API server may take it a moment later: the parts of it that serve
/// and announce a custom kind hear of its definition one after the other, and a
/// controller may have written to the object meanwhile.
fn may_pass(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<kube::Error>() {
        Some(kube::Error::Api(status)) => {
            matches!(status.code, 404 | 405 | 409 | 429 | 500 | 503 | 504)
        }
        Some(kube::Error::Discovery(_)) => true,
        _ => false,
    }
}

async fn apply(client: &kube::Client, object: &Value) -> Result<()> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (api_version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let (resource, capabilities) =
        pinned_kind(client, &GroupVersionKind::gvk(group, version, &kind)).await?;
    let name = text(&object["metadata"]["name"]);
    let api: Api<DynamicObject> = if capabilities.scope == Scope::Namespaced {
        let namespace = object["metadata"]["namespace"]
            .as_str()
            .unwrap_or("default");
        make_namespace(client, namespace).await?;
        Api::namespaced_with(client.clone(), namespace, &resource)
    } else {
        Api::all_with(client.clone(), &resource)
    };
    let params = PatchParams::apply(MANAGER).force();
    let applied = api.patch(&name, &params, &Patch::Apply(object)).await?;
    if let Some(status) = object.get("status") {
        let status = json!({
            "apiVersion": api_version, "kind": kind, "status": status,
            "metadata": {"name": name, "namespace": applied.metadata.namespace},
        });
        api.patch_status(&name, &params, &Patch::Apply(&status))
            .await
            .context("apply its status")?;
    }
    if kind == "CustomResourceDefinition" {
        let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
        await_condition(crds, &name, conditions::is_crd_established()).await?;
        let spec = &object["spec"];
        for version in spec["versions"].as_array().into_iter().flatten() {
            let (group, kind) = (text(&spec["group"]), text(&spec["names"]["kind"]));
            let served = GroupVersionKind::gvk(&group, &text(&version["name"]), &kind);
            if version["served"] == true {
                pinned_kind(client, &served).await?;
            }
        }
    }
    Ok(())
}

async fn make_namespace(client: &kube::Client, name: &str) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    if namespaces.get_opt(name).await?.is_none() {
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name},
        });
        namespaces
            .patch(
                name,
                &PatchParams::apply(MANAGER).force(),
                &Patch::Apply(&namespace),
            )
            .await?;
    }
    Ok(())
}
