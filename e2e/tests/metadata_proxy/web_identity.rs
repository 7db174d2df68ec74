//! Each pod's own token in the place of the node's credentials.

use anyhow::Result;
use isthmus_e2e::{ACCOUNT, Fault, Testbed};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::json;

use crate::client::{
    A, B, LIST, PATIENT, PLAIN, PROXY, Proxy, ROLE, caller, listening, pod, until,
};
use crate::kubelet::{AUDIENCE, Kubelet, account, bound_token, uid, with_account, with_token};

const MODE: &str = "--credential-source=web-identity";

/// Pods `a` and `b` with projected tokens, `plain` with a role and none.
async fn pods(testbed: &Testbed, kubelet: &Kubelet) -> Result<()> {
    testbed.apply_yaml(&account("web", None)).await?;
    for (name, ip) in [("a", A), ("b", B)] {
        let yaml = pod(name, ip, &[(ROLE, &format!("role-{name}"))]);
        let yaml = with_token(&with_account(&yaml, "web")?)?;
        testbed.apply_yaml(&yaml).await?;
        let token = bound_token(testbed, "web", name, AUDIENCE).await?;
        kubelet.write(&uid(testbed, name).await?, "..1", &token)?;
    }
    let plain = pod("plain", PLAIN, &[(ROLE, "role-plain")]);
    testbed.apply_yaml(&with_account(&plain, "web")?).await
}

/// A proxy on a node whose role gives nothing: it has no AWS credentials at all.
async fn start(testbed: &Testbed, kubelet: &Kubelet, more: &[&str]) -> Result<Proxy> {
    let base = format!("--base-role-arn=arn:aws:iam::{ACCOUNT}:role/");
    let (root, mode) = (kubelet.flag(), MODE);
    testbed.imds.remove("meta-data/iam/security-credentials/");
    let command = testbed
        .command(PROXY)
        .await?
        .args(&["--app-port=0", "--node=node-1", PATIENT])
        .args(&[base.as_str(), &root, mode])
        .args(more)
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    let mut process = command.spawn()?;
    let address = listening(&mut process).await?;
    process.wait_ready().await?;
    Ok(Proxy { process, address })
}

async fn has_event(testbed: &Testbed, pod: &str, reason: &str, note: &str) -> Result<bool> {
    let events: Api<Event> = Api::namespaced(testbed.kube(), "shop");
    let list = events.list(&ListParams::default()).await?;
    Ok(list.iter().any(|event| {
        let about = event.regarding.as_ref().and_then(|of| of.name.as_deref());
        let said = event.note.as_deref().unwrap_or_default();
        about == Some(pod) && event.reason.as_deref() == Some(reason) && said.contains(note)
    }))
}

#[tokio::test]
async fn sts_is_given_each_pods_own_token() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let kubelet = Kubelet::new(&testbed)?;
    pods(&testbed, &kubelet).await?;
    let proxy = start(&testbed, &kubelet, &[]).await?;
    for (name, ip) in [("a", A), ("b", B)] {
        let given = proxy.credentials(ip).await?;
        assert_eq!(
            caller(&testbed, &given).await?,
            format!("arn:aws:sts::{ACCOUNT}:assumed-role/role-{name}/shop.{name}")
        );
    }
    let calls = testbed.gate.calls();
    assert_eq!(calls.len(), 2, "fetched ahead, once each: {calls:?}");
    for call in &calls {
        assert_eq!(call.action, "AssumeRoleWithWebIdentity");
        let name = call.params["RoleSessionName"].trim_start_matches("shop.");
        let token = std::fs::read_to_string(kubelet.path(&uid(&testbed, name).await?))?;
        assert_eq!(call.params["WebIdentityToken"], token, "{name}");
        assert_eq!(call.params["DurationSeconds"], "3600");
        assert!(call.params["RoleArn"].ends_with(&format!("role/role-{name}")));
        assert!(
            !call
                .params
                .keys()
                .any(|key| key.starts_with("Tags") || key == "ExternalId")
        );
    }

    // The kubelet replaces the token; the next session is asked for with the new one.
    let of_a = uid(&testbed, "a").await?;
    kubelet.write(&of_a, "..2", "fresh.to.ken")?;
    let api: Api<Pod> = Api::namespaced(testbed.kube(), "shop");
    let patch = json!({"metadata": {"annotations": {ROLE: "role-new"}}});
    api.patch("a", &PatchParams::default(), &Patch::Merge(&patch))
        .await?;
    until("the new role is listed", async || {
        Ok(proxy.get(A, LIST).await?.body == "role-new")
    })
    .await?;
    proxy.credentials(A).await?;
    let last = testbed.gate.calls().pop();
    assert_eq!(
        last.map(|call| call.params["WebIdentityToken"].clone()),
        Some("fresh.to.ken".into())
    );

    let lines = [
        r#"isthmus_proxy_credential_source{source="web-identity"} 1"#,
        r#"isthmus_proxy_pod_tokens_total{from="volume"} 3"#,
        r#"isthmus_proxy_pods_by_role_origin{origin="pod"} 3"#,
        r#"isthmus_rejections{reason="NoPodToken"} 1"#,
    ];
    proxy.counts(&lines).await?;
    let page = async || Ok::<_, anyhow::Error>(proxy.process.admin_page("/").await?.1);
    for text in [
        r#"<td data-h="Source">web-identity</td>"#,
        "NoPodToken",
        "once it presents a token",
    ] {
        until(text, async || Ok(page().await?.contains(text))).await?;
    }
    let page = page().await?;
    for text in ["reconcile", "Last plan"] {
        assert!(!page.contains(text), "{text} in\n{page}");
    }
    let (_, plan) = proxy.process.admin_page("/plan").await?;
    assert_eq!(plan, "there are no plans: this program changes nothing\n");
    Ok(())
}

#[tokio::test]
async fn what_is_missing_is_said_to_the_pods_author() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let kubelet = Kubelet::new(&testbed)?;
    pods(&testbed, &kubelet).await?;
    let with_id = [(ROLE, "role-c"), ("iam.amazonaws.com/external-id", "id-c")];
    let with_id = with_account(&pod("c", "127.0.1.4", &with_id), "web")?;
    let with_id = with_token(&with_id)?;
    testbed.apply_yaml(&with_id).await?;
    std::fs::remove_file(kubelet.path(&uid(&testbed, "b").await?))?;
    testbed.gate.fault(
        Fault::error(
            "AssumeRoleWithWebIdentity",
            400,
            "InvalidIdentityToken",
            "No OpenIDConnect provider found in your account for https://example.org",
        )
        .always(),
    );
    let proxy = start(&testbed, &kubelet, &["--iam-role-error-ttl=1h"]).await?;

    // No token in the spec.
    let refused = proxy.get(PLAIN, LIST).await?;
    let said = "the pod has no projected token for STS\n";
    assert_eq!((refused.status, refused.body.as_str()), (404, said));
    let advice = "serviceAccountToken {audience: sts.amazonaws.com, path: token}";
    until("its author is told what to add", async || {
        has_event(&testbed, "plain", "NoPodToken", advice).await
    })
    .await?;

    // A token in the spec and none in the volume: soon, or never.
    let path = format!("{LIST}role-b");
    let late = proxy.get(B, &path).await?;
    let said = "the pod's own token cannot be read at the moment\n";
    assert_eq!((late.status, late.body.as_str()), (503, said));
    until("its author is told where it is looked for", async || {
        has_event(
            &testbed,
            "b",
            "RoleNotAssumed",
            "kubernetes.io~projected/aws/token",
        )
        .await
    })
    .await?;

    // An external id, which this call does not take.
    assert_eq!(proxy.status("127.0.1.4", LIST).await?, 404);
    until("its author is told to remove it", async || {
        has_event(
            &testbed,
            "c",
            "InvalidRole",
            "AssumeRoleWithWebIdentity takes none",
        )
        .await
    })
    .await?;

    // STS denies.
    let path = format!("{LIST}role-a");
    assert_eq!(proxy.status(A, &path).await?, 500);
    assert_eq!(proxy.status(A, &path).await?, 500);
    assert_eq!(testbed.gate.calls().len(), 1, "remembered");
    until(
        "its author is told whom the role has to trust",
        async || {
            let trust = "has to allow system:serviceaccount:shop:web";
            has_event(&testbed, "a", "RoleNotAssumed", trust).await
        },
    )
    .await?;
    let denied = r#"isthmus_aws_requests_total{operation="AssumeRoleWithWebIdentity",outcome="denied",service="sts"} 1"#;
    proxy.counts(&[denied]).await?;

    // The token comes after all.
    testbed.gate.clear_faults();
    kubelet.write(&uid(&testbed, "b").await?, "..3", "a.b.c")?;
    let given = proxy.credentials(B).await?;
    assert!(caller(&testbed, &given).await?.ends_with("role-b/shop.b"));
    Ok(())
}

#[tokio::test]
async fn an_operator_asks_where_a_token_is_looked_for() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let kubelet = Kubelet::new(&testbed)?;
    pods(&testbed, &kubelet).await?;
    let base = format!("--base-role-arn=arn:aws:iam::{ACCOUNT}:role/");
    let explain = async |pod: &str, root: &str| {
        testbed
            .run(PROXY, &["explain", pod, &base, MODE, root])
            .await
    };
    let of_a = uid(&testbed, "a").await?;
    let place = kubelet.path(&of_a).display().to_string();
    let here = explain("shop/a", &kubelet.flag()).await?;
    assert_eq!(here.code, Some(0), "{here}");
    for line in [
        "its role annotation is \"role-a\"",
        "the pod's own token assumes it (AssumeRoleWithWebIdentity), as system:serviceaccount:shop:web",
        &format!("its token is at {place}"),
        "it is given the credentials of that role",
    ] {
        assert!(
            here.stdout.lines().any(|found| found == line),
            "{line} in\n{here}"
        );
    }
    let elsewhere = explain("shop/a", "--kubelet-root=/nonexistent").await?;
    assert!(
        elsewhere.stdout.contains("on its node: this is not it"),
        "{elsewhere}"
    );
    std::fs::remove_file(kubelet.path(&of_a))?;
    let missing = explain("shop/a", &kubelet.flag()).await?;
    assert_eq!(missing.code, Some(1), "{missing}");
    assert!(
        missing
            .stdout
            .contains(&format!("its token {place} cannot be read: No such file")),
        "{missing}"
    );
    let without = explain("shop/plain", &kubelet.flag()).await?;
    assert_eq!(without.code, Some(1), "{without}");
    assert!(
        without
            .stdout
            .contains("add to spec.volumes a projected volume"),
        "{without}"
    );
    assert!(testbed.gate.calls().is_empty(), "AWS is not asked");
    Ok(())
}

#[tokio::test]
async fn no_token_is_ever_printed() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let kubelet = Kubelet::new(&testbed)?;
    pods(&testbed, &kubelet).await?;
    let presented = bound_token(&testbed, "web", "plain", AUDIENCE).await?;
    let proxy = start(&testbed, &kubelet, &["--log-level=trace"]).await?;
    let given = proxy.credentials(A).await?;
    let header = format!("Authorization: {presented}\r\n");
    let reply = proxy.ask(PLAIN, "GET", "/v1/credentials", &header).await?;
    assert_eq!(reply.status, 200, "{reply:?}");
    let calls = testbed.gate.calls_of("AssumeRoleWithWebIdentity");
    let of_plain = calls
        .iter()
        .find(|call| call.params["RoleSessionName"] == "shop.plain")
        .map(|call| call.params["WebIdentityToken"].as_str());
    assert_eq!(of_plain, Some(presented.as_str()), "as it was presented");
    testbed
        .gate
        .fault(Fault::denied("AssumeRoleWithWebIdentity").always());
    let role = pod("a", A, &[(ROLE, "role-denied")]);
    testbed
        .apply_yaml(&with_token(&with_account(&role, "web")?)?)
        .await?;
    proxy.says("AccessDenied").await?;
    let mut told = Vec::new();
    for path in ["/", "/metrics", "/plan"] {
        told.push(proxy.process.admin_page(path).await?.1);
    }
    told.push(proxy.printed().await?);
    let kept = std::fs::read_to_string(kubelet.path(&uid(&testbed, "a").await?))?;
    let signature = |token: &str| token.rsplit('.').next().unwrap_or_default().to_owned();
    for secret in [
        signature(&presented),
        signature(&kept),
        given["SecretAccessKey"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        given["Token"].as_str().unwrap_or_default().to_owned(),
    ] {
        assert!(secret.len() > 8);
        assert!(
            told.iter().all(|text| !text.contains(&secret)),
            "{secret:?} is told"
        );
    }
    Ok(())
}
