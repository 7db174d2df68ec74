//! RouteGroups and IngressClasses.

use anyhow::Result;
use isthmus_e2e::{ROUTE_GROUP_DEFINITION, Testbed, eventually};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind};
use kube::runtime::wait::{await_condition, conditions};

use crate::reading::{hostname, hostnames, load_balancers};
use crate::{BINARY, CLUSTER, NO_GRACE, ingress, shop, well, world};

const GROUP: &str = "
apiVersion: zalando.org/v1
kind: RouteGroup
metadata:
  namespace: default
  name: group
  annotations: {zalando.org/aws-load-balancer-shared: \"false\"}
spec:
  hosts: [group.example.org]
  backends: [{name: none, type: shunt}]
";

fn route_groups(testbed: &Testbed) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("zalando.org", "v1", "RouteGroup");
    let resource = ApiResource::from_gvk_with_plural(&kind, "routegroups");
    Api::namespaced_with(testbed.kube(), "default", &resource)
}

async fn told(testbed: &Testbed, name: &str) -> Result<Option<String>> {
    let group = route_groups(testbed).get(name).await?;
    let entry = &group.data["status"]["loadBalancer"]["routegroup"][0]["hostname"];
    Ok(entry.as_str().map(str::to_owned))
}

async fn delete_definition(testbed: &Testbed) -> Result<()> {
    let definitions: Api<CustomResourceDefinition> = Api::all(testbed.kube());
    let name = "routegroups.zalando.org";
    let uid = definitions
        .get(name)
        .await?
        .metadata
        .uid
        .unwrap_or_default();
    definitions.delete(name, &DeleteParams::default()).await?;
    await_condition(definitions, name, conditions::is_deleted(&uid)).await?;
    Ok(())
}

#[tokio::test]
async fn route_groups_come_and_go_with_and_without_their_definition() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    let mut process = testbed.spawn(BINARY, &[CLUSTER, NO_GRACE]).await?;
    process.wait_ready().await?;
    hostname(&testbed, "shop").await?;

    testbed.apply_yaml(ROUTE_GROUP_DEFINITION).await?;
    testbed.apply_yaml(GROUP).await?;
    let name = eventually("the RouteGroup", async || told(&testbed, "group").await).await?;
    assert_eq!(load_balancers(&testbed).await?.len(), 2);
    assert_eq!(name, name.to_lowercase());
    let (_, page) = process.admin_page("/").await?;
    assert!(page.contains("default/group"), "{page}");

    // The definition goes, its objects with it, and what they had stays.
    testbed.gate.clear();
    delete_definition(&testbed).await?;
    eventually("the absence", async || {
        let (_, page) = process.admin_page("/").await?;
        Ok(page.contains("not served by the API server").then_some(()))
    })
    .await?;
    testbed
        .apply_yaml(&ingress("later", &["later.example.org"], &[]))
        .await?;
    hostname(&testbed, "later").await?;
    assert_eq!(load_balancers(&testbed).await?.len(), 2);
    process.terminate().await?;
    let again = well(&testbed, &[NO_GRACE]).await?;
    assert!(again.stderr.contains("it served RouteGroups"), "{again}");
    assert_eq!(
        load_balancers(&testbed).await?.len(),
        2,
        "after a restart too"
    );

    // It is back, the RouteGroup is deleted by itself: now that is meant.
    testbed.apply_yaml(ROUTE_GROUP_DEFINITION).await?;
    testbed.apply_yaml(GROUP).await?;
    let mut process = testbed.spawn(BINARY, &[CLUSTER, NO_GRACE]).await?;
    process.wait_ready().await?;
    eventually("the same name", async || {
        Ok(told(&testbed, "group").await?.filter(|told| *told == name))
    })
    .await?;
    route_groups(&testbed)
        .delete("group", &DeleteParams::default())
        .await?;
    eventually("the end", async || {
        Ok((load_balancers(&testbed).await?.len() == 1).then_some(()))
    })
    .await?;
    assert_eq!(testbed.gate.throttled(), 0);
    Ok(())
}

#[tokio::test]
async fn the_default_class_is_that_of_ingresses_without_one() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    let args = [CLUSTER, "--ingress-class-filter=skipper"];
    let mut process = testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    let class = |name: &str, default: bool| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata:\n  name: {name}\n  annotations:\n    \
             ingressclass.kubernetes.io/is-default-class: \"{default}\"\nspec:\n  controller: example.org/any\n"
        )
    };
    let named = ingress("named", &["named.example.org"], &[])
        .replace("\"spec\":{", "\"spec\":{\"ingressClassName\":\"skipper\",");
    testbed.apply_yaml(&class("skipper", false)).await?;
    testbed.apply_yaml(&named).await?;
    hostname(&testbed, "named").await?;
    assert!(hostnames(&testbed, "shop").await?.is_empty());
    testbed.apply_yaml(&class("skipper", true)).await?;
    hostname(&testbed, "shop").await?;
    process.terminate().await?;
    let classes: Api<k8s_openapi::api::networking::v1::IngressClass> = Api::all(testbed.kube());
    classes.delete("skipper", &DeleteParams::default()).await?;
    Ok(())
}
