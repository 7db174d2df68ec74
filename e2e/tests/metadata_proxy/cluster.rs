//! What changes in the cluster changes the next answer.

use anyhow::Result;
use isthmus_e2e::{ACCOUNT, Testbed};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;

use crate::client::{A, B, LIST, PROXY, Proxy, ROLE, caller, pod, pods, until};

#[tokio::test]
async fn changes_in_the_cluster_change_the_next_answer() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    let proxy = Proxy::start(&testbed, &[]).await?;
    let api: Api<Pod> = Api::namespaced(testbed.kube(), "shop");
    let first = proxy.credentials(A).await?;

    // Another role for a running pod (N24).
    let patch = json!({"metadata": {"annotations": {ROLE: "role-new"}}});
    api.patch("a", &PatchParams::default(), &Patch::Merge(&patch))
        .await?;
    until("the new role is listed", async || {
        Ok(proxy.get(A, LIST).await?.body == "role-new")
    })
    .await?;
    assert_eq!(proxy.status(A, &format!("{LIST}role-a")).await?, 403);
    let second = proxy.credentials(A).await?;
    assert_ne!(second["AccessKeyId"], first["AccessKeyId"]);
    assert!(
        caller(&testbed, &second)
            .await?
            .ends_with("assumed-role/role-new/shop.a")
    );

    // A second pod of the same address: neither is served (N17), and both hear of it.
    testbed
        .apply_yaml(&pod("twin", A, &[(ROLE, "role-twin")]))
        .await?;
    until("the address is ambiguous", async || {
        Ok(proxy.status(A, LIST).await? == 503)
    })
    .await?;
    let events: Api<Event> = Api::namespaced(testbed.kube(), "shop");
    until("both pods have an Event", async || {
        let list = events.list(&ListParams::default()).await?;
        let said = |name: &str| {
            list.iter().any(|event| {
                let about = event
                    .regarding
                    .as_ref()
                    .and_then(|object| object.name.as_deref());
                event.reason.as_deref() == Some("AmbiguousAddress") && about == Some(name)
            })
        };
        Ok(said("a") && said("twin"))
    })
    .await?;

    // A finished pod is nobody; a deleted one is nobody; a pod of the same name is another.
    let status = json!({"status": {"phase": "Succeeded"}});
    api.patch_status("twin", &PatchParams::default(), &Patch::Merge(&status))
        .await?;
    until("the first pod is served again", async || {
        Ok(proxy.get(A, LIST).await?.body == "role-new")
    })
    .await?;
    api.delete("a", &DeleteParams::default().grace_period(0))
        .await?;
    until("the deleted pod is not", async || {
        Ok(proxy.status(A, LIST).await? == 503)
    })
    .await?;
    testbed
        .apply_yaml(&pod("a", A, &[(ROLE, "role-again")]))
        .await?;
    until("its successor is", async || {
        Ok(proxy.get(A, LIST).await?.body == "role-again")
    })
    .await?;

    // The host network (N16).
    let host = pod("host", "127.0.2.1", &[(ROLE, "role-a")])
        .replace("\"nodeName\"", "\"hostNetwork\":true,\"nodeName\"");
    testbed.apply_yaml(&host).await?;
    until("the host is refused", async || {
        Ok(proxy.status("127.0.2.1", LIST).await? == 403)
    })
    .await?;

    // Another node's pods are not watched: a later pod of this node is known, and they are not.
    let elsewhere = pod("elsewhere", "127.0.1.8", &[(ROLE, "role-a")]).replace("node-1", "node-2");
    testbed.apply_yaml(&elsewhere).await?;
    let here = pod("here", "127.0.1.7", &[(ROLE, "role-a")]);
    testbed.apply_yaml(&here).await?;
    until("a later pod is known", async || {
        Ok(proxy.status("127.0.1.7", LIST).await? == 200)
    })
    .await?;
    assert_eq!(proxy.status("127.0.1.8", LIST).await?, 503);
    Ok(())
}

/// N1. It waits for as long as its flag says: here a minute, which no machine is too busy for.
#[tokio::test]
async fn a_pod_that_appears_while_its_request_waits_is_served() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    let proxy = Proxy::start(&testbed, &["--backoff-max-elapsed-time=1m"]).await?;
    let yaml = pod("late", "127.0.1.9", &[(ROLE, "role-late")]);
    let (late, applied) = tokio::join!(proxy.get("127.0.1.9", LIST), async {
        proxy.counts(&["isthmus_proxy_connections 1"]).await?;
        testbed.apply_yaml(&yaml).await
    });
    applied?;
    assert_eq!(late?.body, "role-late");
    Ok(())
}

/// N23.
#[tokio::test]
async fn namespaces_restrict_roles() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    let namespaces: Api<Namespace> = Api::all(testbed.kube());
    let allow = async |list: &str| {
        let patch = json!({"metadata": {"annotations": {"iam.amazonaws.com/allowed-roles": list}}});
        namespaces
            .patch("shop", &PatchParams::default(), &Patch::Merge(&patch))
            .await
    };
    let flags = [
        "--namespace-restrictions",
        "--namespace-restriction-format=regexp",
    ];
    let proxy = Proxy::start(&testbed, &flags).await?;
    assert_eq!(
        proxy.status(A, LIST).await?,
        404,
        "a namespace without a list allows nothing"
    );
    allow(r#"["role-a|x"]"#).await?;
    until("role-a is allowed", async || {
        Ok(proxy.get(A, LIST).await?.body == "role-a")
    })
    .await?;
    assert_eq!(proxy.status(B, LIST).await?, 404);
    allow(r#"["role"]"#).await?;
    until("the expression has to match the whole", async || {
        Ok(proxy.status(A, LIST).await? == 404)
    })
    .await?;
    allow("role-a").await?;
    let events: Api<Event> = Api::namespaced(testbed.kube(), "default");
    until("the namespace has an Event", async || {
        let list = events.list(&ListParams::default()).await?;
        Ok(list
            .iter()
            .any(|event| event.reason.as_deref() == Some("InvalidAllowedRoles")))
    })
    .await?;
    assert_eq!(proxy.status(A, LIST).await?, 404);
    Ok(())
}

#[tokio::test]
async fn an_operator_asks_why() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    testbed
        .apply_yaml(&pod("twin", B, &[(ROLE, "role-twin")]))
        .await?;
    let base = format!("--base-role-arn=arn:aws:iam::{ACCOUNT}:role/");
    let explain = async |pod: &str, more: &[&str]| {
        let words = [&["explain", pod, base.as_str()], more].concat();
        testbed.run(PROXY, &words).await
    };
    let served = explain("shop/a", &[]).await?;
    assert_eq!(served.code, Some(0), "{served}");
    for line in [
        "address 127.0.1.1 is its own",
        "its role annotation is \"role-a\"",
        "it is given the credentials of that role",
    ] {
        assert!(
            served.stdout.lines().any(|found| found == line),
            "{line} in\n{served}"
        );
    }
    let twin = explain("shop/b", &[]).await?;
    assert_eq!(twin.code, Some(1), "{twin}");
    assert!(
        twin.stdout
            .contains("address 127.0.1.2 is that of Pod shop/"),
        "{twin}"
    );
    let restricted = explain("shop/a", &["--namespace-restrictions"]).await?;
    let last = restricted.stdout.lines().last().unwrap_or_default();
    assert_eq!(
        last,
        "it is refused with 404: the pod's namespace does not allow its role"
    );
    let nobody = explain("shop/nobody", &[]).await?;
    assert_eq!(nobody.code, Some(1), "{nobody}");
    assert!(nobody.stderr.contains("Pod shop/nobody"), "{nobody}");
    assert!(testbed.gate.calls().is_empty(), "AWS is not asked");
    Ok(())
}
