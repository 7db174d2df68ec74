//! The overlays for flags of isthmus-ingress that need more rights.

use std::collections::BTreeSet;

use anyhow::Result;
use isthmus_e2e::{Testbed, World, eventually};
use k8s_openapi::api::rbac::v1::Role;
use kube::Api;

use super::{Right, folder, kubectl, rights};

const BINARY: &str = "isthmus-ingress";

/// The arguments that the overlay's Deployment gives the program.
async fn args(testbed: &Testbed) -> Result<Vec<String>> {
    let jsonpath = "-o=jsonpath={.spec.template.spec.containers[0].args}";
    let get = ["get", "deployment", BINARY, "-n", "kube-system", jsonpath];
    let args: Vec<String> = serde_json::from_str(&kubectl(testbed, &get).await?)?;
    // One replica, and the log is for a human.
    let kept = |arg: &String| !arg.contains("leader") && !arg.contains("log");
    Ok(args.into_iter().filter(kept).collect())
}

/// With the overlay's flags and rights the program becomes ready, which it does only
/// after the first list of everything it watches; and no right is there for nothing.
async fn works(overlay: &str, role: &str, kind: &str) -> Result<()> {
    let testbed = Testbed::acquire().await?;
    World::create(&testbed).await?;
    let path = folder(overlay).display().to_string();
    kubectl(&testbed, &["apply", "-k", &path]).await?;
    let account = testbed.service_account("kube-system", BINARY).await?;
    let command = testbed.command(BINARY).await?;
    let command = command
        .args(&["--cluster-id=aws:123456789012:eu-central-1:kube-1"])
        .args(&args(&testbed).await?)
        .env("KUBECONFIG", &account.kubeconfig().display().to_string());
    let mut process = command.spawn()?;
    process.wait_ready().await?;
    let roles: Api<Role> = Api::namespaced(testbed.kube(), "kube-system");
    let granted = roles.get(role).await?.rules.unwrap_or_default();
    let granted: BTreeSet<Right> = granted.iter().flat_map(rights).collect();
    let asked = || {
        let mut asked = account.asked()?;
        asked.retain(|right| right.resource == kind);
        anyhow::Ok(asked)
    };
    // It is ready after the list, and watches a moment later.
    eventually("every right is used", async || {
        Ok(granted.is_subset(&asked()?).then_some(()))
    })
    .await?;
    process.terminate().await?;
    assert_eq!(granted, asked()?, "{overlay}");
    Ok(())
}

#[tokio::test]
async fn pods_of_the_aws_cni_may_be_watched() -> Result<()> {
    works("overlays/aws-cni", "isthmus-ingress-targets", "pods").await
}

#[tokio::test]
async fn the_config_map_with_alarms_may_be_watched() -> Result<()> {
    let overlay = "overlays/cloudwatch-alarms";
    works(overlay, "isthmus-ingress-alarms", "configmaps").await
}
