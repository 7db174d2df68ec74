//! Killed after every call of a life, and started again.

use anyhow::Result;
use isthmus_e2e::{Scenario, Testbed, World, kill_after_every_call};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use super::reading::{end_state, ingresses};
use super::{BINARY, CLUSTER, NO_GRACE, ingress, shop, well};

#[tokio::test]
async fn killed_after_every_call_of_a_creation() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let report = kill_after_every_call(
        &testbed,
        Scenario {
            binary: BINARY,
            prepare: async |testbed: &Testbed| {
                World::create(testbed).await?;
                let two = ingress("both", &["shop.example.org", "blog.example.org"], &[]);
                testbed.apply_yaml(&two).await?;
                Ok(vec![CLUSTER.to_owned(), NO_GRACE.to_owned()])
            },
            end_state,
        },
    )
    .await?;
    assert!(
        report.end_state.contains("used by 1 targets 2"),
        "{}",
        report.end_state
    );
    assert!(
        report.end_state.contains("ingress both [\"kube-public-"),
        "{}",
        report.end_state
    );
    let writes = report.calls.iter().filter(|call| call.is_write()).count();
    assert_eq!(writes, 7, "{:?}", report.calls);
    Ok(())
}

#[tokio::test]
async fn killed_after_every_call_of_a_deletion() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let report = kill_after_every_call(
        &testbed,
        Scenario {
            binary: BINARY,
            prepare: async |testbed: &Testbed| {
                World::create(testbed).await?;
                testbed.apply_yaml(&shop()).await?;
                well(testbed, &[]).await?;
                ingresses(testbed)
                    .delete("shop", &DeleteParams::default())
                    .await?;
                Ok(vec![CLUSTER.to_owned(), NO_GRACE.to_owned()])
            },
            end_state,
        },
    )
    .await?;
    assert_eq!(report.end_state, "");
    Ok(())
}

#[tokio::test]
async fn killed_after_every_call_of_an_update() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let update = Scenario {
        binary: BINARY,
        prepare: async |testbed: &Testbed| {
            let world = World::create(testbed).await?;
            testbed.apply_yaml(&shop()).await?;
            well(testbed, &[NO_GRACE]).await?;
            // Another host with another certificate, instead of the old one; other
            // flags; and one Node less.
            testbed
                .apply_yaml(&ingress("shop", &["blog.example.org"], &[]))
                .await?;
            let nodes: kube::Api<k8s_openapi::api::core::v1::Node> = kube::Api::all(testbed.kube());
            let leaving = json!({"metadata": {"labels": {"node.kubernetes.io/exclude-from-external-load-balancers": ""}}});
            nodes
                .patch(
                    &world.instances[0].node,
                    &PatchParams::default(),
                    &Patch::Merge(&leaving),
                )
                .await?;
            Ok(vec![
                CLUSTER.to_owned(),
                NO_GRACE.to_owned(),
                "--redirect-http-to-https".to_owned(),
                "--idle-connection-timeout=2m".to_owned(),
                "--deregistration-delay-timeout=30s".to_owned(),
                "--additional-stack-tags=team=web".to_owned(),
            ])
        },
        end_state,
    };
    let report = kill_after_every_call(&testbed, update).await?;
    let state = &report.end_state;
    for part in [
        "[\"*.example.org\"]",
        "Some(Redirect)",
        "targets 1",
        "\"team\": \"web\"",
    ] {
        assert!(state.contains(part), "{part} is not in\n{state}");
    }
    Ok(())
}

#[tokio::test]
async fn killed_after_every_call_of_a_move() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let to_internal = Scenario {
        binary: BINARY,
        prepare: async |testbed: &Testbed| {
            World::create(testbed).await?;
            testbed.apply_yaml(&shop()).await?;
            well(testbed, &[NO_GRACE]).await?;
            let scheme = [("scheme", "internal")];
            testbed
                .apply_yaml(&ingress("shop", &["shop.example.org"], &scheme))
                .await?;
            Ok(vec![CLUSTER.to_owned(), NO_GRACE.to_owned()])
        },
        end_state,
    };
    let report = kill_after_every_call(&testbed, to_internal).await?;
    let state = &report.end_state;
    assert!(
        state.contains("ingress shop [\"internal-kube-internal-"),
        "{state}"
    );
    assert_eq!(state.matches("load balancer kube-").count(), 1, "{state}");
    assert_eq!(state.matches("target group kube-").count(), 1, "{state}");
    assert!(ingresses(&testbed).get_opt("shop").await?.is_some());
    Ok(())
}
