//! `--startup-taint`: the proxy takes it off its own node once it serves.

use anyhow::{Context, Result};
use isthmus_e2e::{ACCOUNT, Testbed};
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Node, Pod, ServiceAccount};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

use crate::client::{A, LIST, PROXY, Proxy, listening, pods, until};

const KEY: &str = "isthmus.dev/metadata-proxy";
/// What operators apply.
const RBAC: &str = include_str!("../../../manifests/metadata-proxy/rbac.yaml");
const TAINT: &str = include_str!("../../../manifests/overlays/startup-taint/rights.yaml");

const FLAG: &str = "--startup-taint=isthmus.dev/metadata-proxy";

/// A Node as a kubelet registers it with `--register-with-taints`.
fn node(name: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
        "spec": {"taints": [
            {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"},
            {"key": KEY, "value": "starting", "effect": "NoSchedule"},
            {"key": "team", "value": "a", "effect": "NoSchedule"},
            {"key": KEY, "effect": "NoExecute"},
        ]},
    })
    .to_string()
}

async fn taints(testbed: &Testbed, name: &str) -> Result<Vec<String>> {
    let node = Api::<Node>::all(testbed.kube()).get(name).await?;
    let taints = node.spec.and_then(|spec| spec.taints).unwrap_or_default();
    Ok(taints.into_iter().map(|taint| taint.key).collect())
}

async fn patch(testbed: &Testbed, name: &str, spec: Value) -> Result<()> {
    let patch = Patch::Merge(json!({"spec": spec}));
    let api: Api<Node> = Api::all(testbed.kube());
    api.patch(name, &PatchParams::default(), &patch).await?;
    Ok(())
}

#[tokio::test]
async fn the_taint_goes_once_pods_are_served_and_goes_again() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    for name in ["node-1", "node-2"] {
        testbed.apply_yaml(&node(name)).await?;
    }
    let left = ["node.kubernetes.io/not-ready", "team"];
    let untainted = async || Ok(taints(&testbed, "node-1").await? == left);

    let proxy = Proxy::spawn(&testbed, &[FLAG]).await?;
    until("the taint is gone", untainted).await?;
    assert_eq!(proxy.get(A, LIST).await?.body, "role-a", "pods are served");
    assert_eq!(taints(&testbed, "node-2").await?.len(), 4, "another's node");

    // It comes back, and so does the whole node.
    let again = json!({"taints": [{"key": KEY, "effect": "NoSchedule"}, {"key": "team", "value": "b", "effect": "NoSchedule"}]});
    patch(&testbed, "node-1", again).await?;
    until("it is gone again", async || {
        Ok(taints(&testbed, "node-1").await? == ["team"])
    })
    .await?;
    let api: Api<Node> = Api::all(testbed.kube());
    api.delete("node-1", &DeleteParams::default()).await?;
    testbed.apply_yaml(&node("node-1")).await?;
    until("it is gone from the new node", untainted).await?;

    until("the metrics say so", async || {
        let (_, metrics) = proxy.process.admin_page("/metrics").await?;
        let says = |line: &str| metrics.lines().any(|found| found == line);
        Ok(says("isthmus_proxy_startup_taint 0")
            && says("isthmus_proxy_startup_taint_removals_total 3"))
    })
    .await?;
    let events: Api<Event> = Api::namespaced(testbed.kube(), "default");
    until("the node has an Event", async || {
        let list = events.list(&ListParams::default()).await?;
        let said = |event: &Event| {
            let node = event
                .regarding
                .as_ref()
                .and_then(|node| node.name.as_deref());
            event.reason.as_deref() == Some("StartupTaintRemoved") && node == Some("node-1")
        };
        Ok(list.iter().any(said))
    })
    .await?;
    Ok(())
}

/// Others change the node's taints all the time: nothing of theirs is lost.
#[tokio::test]
async fn others_taints_survive_a_race() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    testbed.apply_yaml(&node("node-1")).await?;
    let proxy = Proxy::start(&testbed, &[FLAG]).await?;
    let effect = "NoSchedule";
    for n in 0..20 {
        let marker = format!("round-{n}");
        let before = json!([{"key": KEY, "effect": effect}, {"key": "a", "effect": effect}]);
        patch(&testbed, "node-1", json!({"taints": before})).await?;
        // In the midst of it, perhaps: another list, in another order.
        let after = json!([
            {"key": "b", "effect": effect}, {"key": KEY, "effect": effect}, {"key": marker, "effect": effect},
        ]);
        patch(&testbed, "node-1", json!({"taints": after})).await?;
        until("it alone is gone", async || {
            Ok(taints(&testbed, "node-1").await? == ["b", &marker])
        })
        .await?;
    }
    drop(proxy);
    Ok(())
}

/// A kubeconfig of the proxy's ServiceAccount, with a token of a pod on `node`
/// and the rights that the documentation gives it.
async fn kubeconfig_of_a_pod(testbed: &Testbed, node: &str) -> Result<String> {
    let name = format!("isthmus-metadata-proxy-{node}");
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {"nodeName": node, "serviceAccountName": "isthmus-metadata-proxy",
                 "containers": [{"name": "proxy", "image": "proxy"}]},
    });
    testbed.apply_yaml(&pod.to_string()).await?;
    let pod = Api::<Pod>::namespaced(testbed.kube(), "kube-system")
        .get(&name)
        .await?;
    let request: TokenRequest = serde_json::from_value(json!({
        "metadata": {}, "spec": {"audiences": [], "boundObjectRef": {
            "apiVersion": "v1", "kind": "Pod", "name": name, "uid": pod.metadata.uid,
        }},
    }))?;
    let accounts: Api<ServiceAccount> = Api::namespaced(testbed.kube(), "kube-system");
    let given = accounts
        .create_token_request("isthmus-metadata-proxy", &PostParams::default(), &request)
        .await?;
    let token = given.status.context("a token")?.token;
    let text = std::fs::read_to_string(testbed.kubeconfig())?;
    let user = "{client-certificate: admin.crt, client-key: admin.key}";
    // Beside the real one, since that names the certificate relative to itself.
    let path = testbed
        .kubeconfig()
        .with_file_name(format!("kubeconfig-{node}"));
    let own = text.replace(user, &format!("{{token: '{token}'}}"));
    anyhow::ensure!(own != text, "{text}");
    std::fs::write(&path, own)?;
    Ok(path.display().to_string())
}

/// The documented rights are enough, and they are good for one node.
#[tokio::test]
async fn the_documented_rights_are_enough_and_not_more() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    for name in ["node-1", "node-2"] {
        testbed.apply_yaml(&node(name)).await?;
    }
    testbed.apply_yaml(RBAC).await?;
    testbed.apply_yaml(TAINT).await?;
    let own = kubeconfig_of_a_pod(&testbed, "node-1").await?;

    // Another node's proxy gets nowhere with this one's taint. A policy takes
    // the API server a moment.
    let elsewhere = kubeconfig_of_a_pod(&testbed, "node-2").await?;
    let options = KubeConfigOptions::default();
    let config = Kubeconfig::read_from(&elsewhere)?;
    let config = kube::Config::from_custom_kubeconfig(config, &options).await?;
    let other = Api::<Node>::all(kube::Client::try_from(config)?);
    let refused = async |name: &str, spec: Value| {
        let patch = Patch::Merge(json!({"spec": spec}));
        let params = PatchParams {
            dry_run: true,
            ..PatchParams::default()
        };
        match other.patch(name, &params, &patch).await {
            Ok(_) => Ok(String::new()),
            Err(kube::Error::Api(status)) => Ok(status.message.clone()),
            Err(error) => Err(error),
        }
    };
    let others = json!([
        {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"},
        {"key": "team", "value": "a", "effect": "NoSchedule"},
    ]);
    until("the policy is in force", async || {
        let said = refused("node-1", json!({"taints": others})).await?;
        Ok(said.contains("its own node alone"))
    })
    .await?;
    assert_eq!(
        refused("node-2", json!({"taints": others})).await?,
        "",
        "its own taint"
    );
    for (spec, said) in [
        (json!({"taints": []}), "takes off the taint"),
        (json!({"unschedulable": true}), "changes taints alone"),
    ] {
        let message = refused("node-2", spec).await?;
        assert!(message.contains(said), "{message}");
    }

    let base = format!("--base-role-arn=arn:aws:iam::{ACCOUNT}:role/");
    let args = [
        "--app-port=0",
        "--node=node-1",
        &base,
        FLAG,
        "--namespace-restrictions",
    ];
    let command = testbed
        .command(PROXY)
        .await?
        .args(&args)
        .env("KUBECONFIG", &own);
    let mut process = command.spawn()?;
    process.wait_ready().await?;
    until("the taint is gone", async || {
        Ok(taints(&testbed, "node-1").await?.len() == 2)
    })
    .await?;
    let finished = process.terminate().await?;
    assert!(!finished.stderr.contains("forbidden"), "{finished}");
    Ok(())
}

/// What cannot be watched is not served, and the taint stays.
#[tokio::test]
async fn the_taint_stays_while_pods_are_not_known() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    testbed.apply_yaml(&node("node-1")).await?;
    // Without the right to see pods.
    let rbac = RBAC.replace("[pods, namespaces, ", "[namespaces, ");
    assert_ne!(rbac, RBAC);
    testbed.apply_yaml(&rbac).await?;
    testbed.apply_yaml(TAINT).await?;
    let own = kubeconfig_of_a_pod(&testbed, "node-1").await?;
    let command = testbed.command(PROXY).await?;
    let args = ["--app-port=0", "--node=node-1", FLAG];
    let mut process = command.args(&args).env("KUBECONFIG", &own).spawn()?;
    let address = listening(&mut process).await?;
    let proxy = Proxy { process, address };
    proxy.says("watch fails").await?;
    // The taint is seen; and then it is looked twice, a second apart, whether the watches work.
    proxy.counts(&["isthmus_proxy_startup_taint 1"]).await?;
    until("it has been seen for a while", async || {
        let (_, metrics) = proxy.process.admin_page("/metrics").await?;
        let failing = "isthmus_proxy_watch_failing_seconds ";
        let failing = metrics.lines().find_map(|line| line.strip_prefix(failing));
        Ok(failing.context("the metric")?.parse::<u64>()? >= 2)
    })
    .await?;
    proxy
        .counts(&["isthmus_proxy_startup_taint_removals_total 0"])
        .await?;
    assert_eq!(taints(&testbed, "node-1").await?.len(), 4);
    assert_eq!(proxy.process.admin_page("/readyz").await?.0, 503);
    Ok(())
}
