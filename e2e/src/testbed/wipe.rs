//! Emptying the API server between tests.

use anyhow::{Context, Result};
use futures::StreamExt as _;
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{
    ConfigMap, Event, Namespace, Node, Pod, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, PartialObjectMeta};
use kube::runtime::wait::{await_condition, conditions};
use serde_json::json;

/// How many deletions are under way at once.
const AT_ONCE: usize = 8;

/// What the API server itself keeps.
const SYSTEM_NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// The kinds that tests use, with their version of the API.
fn kinds() -> Vec<ApiResource> {
    vec![
        ApiResource::erase::<Ingress>(&()),
        ApiResource::erase::<IngressClass>(&()),
        ApiResource::erase::<Service>(&()),
        ApiResource::erase::<EndpointSlice>(&()),
        ApiResource::erase::<ConfigMap>(&()),
        ApiResource::erase::<Secret>(&()),
        ApiResource::erase::<Deployment>(&()),
        ApiResource::erase::<DaemonSet>(&()),
        ApiResource::erase::<PodDisruptionBudget>(&()),
        ApiResource::erase::<NetworkPolicy>(&()),
        ApiResource::erase::<Pod>(&()),
        ApiResource::erase::<Node>(&()),
        ApiResource::erase::<ServiceAccount>(&()),
        ApiResource::erase::<Lease>(&()),
        ApiResource::erase::<Event>(&()),
        ApiResource::erase::<Role>(&()),
        ApiResource::erase::<RoleBinding>(&()),
        ApiResource::erase::<ClusterRole>(&()),
        ApiResource::erase::<ClusterRoleBinding>(&()),
        ApiResource::erase::<ValidatingAdmissionPolicyBinding>(&()),
        ApiResource::erase::<ValidatingAdmissionPolicy>(&()),
    ]
}

/// Deletes every object of the kinds that tests use, but not what the API
/// server makes itself.
pub(super) async fn objects(client: &kube::Client) -> Result<()> {
    definitions(client).await?;
    let kinds = kinds();
    futures::future::try_join_all(kinds.iter().map(|kind| delete_all(client, kind))).await?;
    namespaces(client).await
}

async fn delete_all(client: &kube::Client, kind: &ApiResource) -> Result<()> {
    let all: Api<DynamicObject> = Api::all_with(client.clone(), kind);
    let listed = all
        .list_metadata(&ListParams::default())
        .await
        .with_context(|| format!("list {}", kind.plural))?;
    let doomed = listed.items.iter().filter(|object| !is_system(object));
    let deletions = doomed.map(|object| {
        let api: Api<DynamicObject> = match object.namespace() {
            Some(namespace) => Api::namespaced_with(client.clone(), &namespace, kind),
            None => all.clone(),
        };
        async move {
            delete(&api, object)
                .await
                .with_context(|| format!("delete {} {}", kind.kind, object.name_any()))
        }
    });
    let mut deletions = futures::stream::iter(deletions).buffer_unordered(AT_ONCE);
    while let Some(deleted) = deletions.next().await {
        deleted?;
    }
    Ok(())
}

/// Deletes at once: no grace (there is no kubelet) and no finalizers (their
/// owners are gone).
async fn delete(
    api: &Api<DynamicObject>,
    object: &PartialObjectMeta<DynamicObject>,
) -> Result<(), kube::Error> {
    let name = object.name_any();
    if !object.finalizers().is_empty() {
        let bare = json!({"metadata": {"finalizers": null}});
        api.patch_metadata(&name, &PatchParams::default(), &Patch::Merge(&bare))
            .await?;
    }
    let deleted = api
        .delete(&name, &DeleteParams::default().grace_period(0))
        .await;
    gone(deleted.map(drop))
}

/// Not there is as good as deleted.
fn gone(result: Result<(), kube::Error>) -> Result<(), kube::Error> {
    match result {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other,
    }
}

/// What the API server itself keeps.
fn is_system(object: &PartialObjectMeta<DynamicObject>) -> bool {
    let labels = object.labels();
    labels.contains_key("kubernetes.io/bootstrapping")
        || labels.contains_key("apiserver.kubernetes.io/identity")
        || object.name_any() == "kubernetes"
        || object.name_any() == "extension-apiserver-authentication"
        // Of the lease and role machinery in kube-system.
        || object.name_any().starts_with("system:")
}

/// Custom kinds and their objects: the API server deletes the objects and then
/// the definition, which must be over before one of the same name is made.
async fn definitions(client: &kube::Client) -> Result<()> {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    for crd in crds.list(&ListParams::default()).await? {
        let name = crd.name_any();
        gone(crds.delete(&name, &DeleteParams::default()).await.map(drop))?;
        let uid = crd.uid().unwrap_or_default();
        await_condition(crds.clone(), &name, conditions::is_deleted(&uid)).await?;
    }
    Ok(())
}

/// There is no controller manager to finalize a namespace, so it is done here.
async fn namespaces(client: &kube::Client) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    for namespace in namespaces.list(&ListParams::default()).await? {
        let name = namespace.name_any();
        if SYSTEM_NAMESPACES.contains(&name.as_str()) {
            continue;
        }
        gone(
            namespaces
                .delete(&name, &DeleteParams::default())
                .await
                .map(drop),
        )?;
        let bare = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name}, "spec": {"finalizers": []},
        });
        let finalized = namespaces
            .replace_subresource("finalize", &name, &PostParams::default(), &bare)
            .await;
        gone(finalized.map(drop)).with_context(|| format!("finalize {name}"))?;
    }
    Ok(())
}
