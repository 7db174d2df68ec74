//! Roles of service accounts, and policies that narrow a session.

use anyhow::Result;
use isthmus_e2e::{ACCOUNT, Testbed};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::json;

use crate::client::{A, B, LIST, PLAIN, PROXY, Proxy, ROLE, caller, listening, pod, until};
use crate::kubelet::{account, with_account};

#[tokio::test]
async fn a_service_accounts_role_comes_after_the_pods_own() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    testbed
        .apply_yaml(&account("web", Some("of-account")))
        .await?;
    testbed.apply_yaml(&account("silent", None)).await?;
    for (name, ip, annotations, account) in [
        ("a", A, vec![], "web"),
        ("b", B, vec![(ROLE, "own")], "web"),
        ("plain", PLAIN, vec![], "silent"),
        ("none", "127.0.1.4", vec![(ROLE, "")], "web"),
    ] {
        let yaml = pod(name, ip, &annotations);
        testbed.apply_yaml(&with_account(&yaml, account)?).await?;
    }
    let flags = ["--default-role=fallback", "--namespace-restrictions"];
    let proxy = Proxy::start(&testbed, &flags).await?;
    assert_eq!(
        proxy.status(A, LIST).await?,
        404,
        "the namespace's list counts"
    );
    let namespaces: Api<Namespace> = Api::all(testbed.kube());
    let list = json!({"metadata": {"annotations": {"iam.amazonaws.com/allowed-roles": r#"["own", "of-*"]"#}}});
    namespaces
        .patch("shop", &PatchParams::default(), &Patch::Merge(&list))
        .await?;
    until("the namespace allows it", async || {
        Ok(proxy.get(A, LIST).await?.body == "of-account")
    })
    .await?;
    assert_eq!(proxy.get(B, LIST).await?.body, "own");
    assert_eq!(proxy.get(PLAIN, LIST).await?.body, "fallback");
    assert_eq!(proxy.status("127.0.1.4", LIST).await?, 404, "it wants none");
    let given = proxy.credentials(A).await?;
    assert_eq!(
        caller(&testbed, &given).await?,
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/of-account/shop.a")
    );
    let (_, page) = proxy.process.admin_page("/").await?;
    for (column, cell) in [
        ("Written at", "service-account"),
        ("Written at", "pod"),
        ("Written at", "default"),
        ("Source", "assume-role"),
    ] {
        let cell = format!(r#"<td data-h="{column}">{cell}</td>"#);
        assert!(page.contains(&cell), "{cell} in\n{page}");
    }
    let accounts: Api<ServiceAccount> = Api::namespaced(testbed.kube(), "shop");
    let other = json!({"metadata": {"annotations": {ROLE: "of-another"}}});
    accounts
        .patch("web", &PatchParams::default(), &Patch::Merge(&other))
        .await?;
    until("a change is seen", async || {
        Ok(proxy.get(A, LIST).await?.body == "of-another")
    })
    .await?;

    let base = format!("--base-role-arn=arn:aws:iam::{ACCOUNT}:role/");
    let told = testbed.run(PROXY, &["explain", "shop/a", &base]).await?;
    assert_eq!(told.code, Some(0), "{told}");
    let line = "it has no role annotation; that of its service account shop/web is \"of-another\"";
    assert!(told.stdout.lines().any(|found| found == line), "{told}");
    Ok(())
}

/// With kube2iam's permissions and no others the proxy comes up and serves.
#[tokio::test]
async fn kube2iams_permissions_are_enough() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    testbed
        .apply_yaml(&account("web", Some("of-account")))
        .await?;
    testbed
        .apply_yaml(&with_account(&pod("a", A, &[]), "web")?)
        .await?;
    testbed
        .apply_yaml(&with_account(&pod("b", B, &[(ROLE, "own")]), "web")?)
        .await?;
    let rules = json!([{"apiGroups": [""], "resources": ["namespaces", "pods"], "verbs": ["get", "list", "watch"]}]);
    let name = "kube2iam";
    for yaml in [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "shop"}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "shop"}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}}),
    ] {
        testbed.apply_yaml(&yaml.to_string()).await?;
    }
    let client = testbed.service_account("shop", name).await?;
    let base = format!("--base-role-arn=arn:aws:iam::{ACCOUNT}:role/");
    let kubeconfig = client.kubeconfig().display().to_string();
    let command = testbed
        .command(PROXY)
        .await?
        .args(&["--app-port=0", "--node=node-1", &base])
        .env("KUBECONFIG", &kubeconfig);
    let mut process = command.spawn()?;
    let address = listening(&mut process).await?;
    process.wait_ready().await?;
    let proxy = Proxy { process, address };
    assert_eq!(proxy.get(B, LIST).await?.body, "own");
    assert_eq!(proxy.status(A, LIST).await?, 404);
    proxy
        .says("RBAC does not let the proxy list serviceaccounts")
        .await
}

#[tokio::test]
async fn session_policies_narrow_a_session_or_there_is_none() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let key = "isthmus.dev/session-policy-arns";
    let arns = "arn:aws:iam::aws:policy/ReadOnlyAccess, arn:aws:iam::123456789012:policy/team/x";
    testbed
        .apply_yaml(&pod("a", A, &[(ROLE, "role-a"), (key, arns)]))
        .await?;
    testbed
        .apply_yaml(&pod("b", B, &[(ROLE, "role-b"), (key, "ReadOnlyAccess")]))
        .await?;
    let proxy = Proxy::start(&testbed, &[]).await?;
    proxy.credentials(A).await?;
    let calls = testbed.gate.calls_of("AssumeRole");
    assert_eq!(calls.len(), 1, "{calls:?}");
    let sent: Vec<_> = calls[0]
        .params
        .iter()
        .filter(|(name, _)| name.starts_with("PolicyArns"))
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(
        sent,
        [
            "arn:aws:iam::aws:policy/ReadOnlyAccess",
            "arn:aws:iam::123456789012:policy/team/x"
        ]
    );
    assert_eq!(proxy.status(B, LIST).await?, 404, "never without them");
    let events: Api<Event> = Api::namespaced(testbed.kube(), "shop");
    until("its author is told", async || {
        let list = events.list(&ListParams::default()).await?;
        Ok(list.iter().any(|event| {
            let said = event.note.as_deref().unwrap_or_default();
            said.contains("\"ReadOnlyAccess\" is not the ARN of a managed policy")
        }))
    })
    .await?;
    Ok(())
}
