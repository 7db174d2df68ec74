//! The container endpoint: a pod's own token, verified by the API server.

use anyhow::{Result, ensure};
use isthmus_e2e::{ACCOUNT, Testbed};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams};

use crate::client::{A, B, Proxy, ROLE, Reply, caller, pod, until};
use crate::kubelet::{AUDIENCE, account, bound_token, with_account};

const PATH: &str = "/v1/credentials";

/// Pods `a`, `b` and `sdk` (at the address that a client on loopback has by itself).
async fn pods(testbed: &Testbed) -> Result<()> {
    testbed.apply_yaml(&account("web", None)).await?;
    testbed.apply_yaml(&account("other", None)).await?;
    for (name, ip) in [("a", A), ("b", B), ("sdk", "127.0.0.1")] {
        let yaml = pod(name, ip, &[(ROLE, &format!("role-{name}"))]);
        testbed.apply_yaml(&with_account(&yaml, "web")?).await?;
    }
    Ok(())
}

async fn present(proxy: &Proxy, from: &str, token: &str) -> Result<Reply> {
    let header = format!("Authorization: {token}\r\n");
    proxy.ask(from, "GET", PATH, &header).await
}

#[tokio::test]
async fn a_token_is_good_for_the_pod_that_it_is_bound_to() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    let proxy = Proxy::start(&testbed, &[]).await?;
    let token = async |account: &str, pod: &str, audience: &str| {
        bound_token(&testbed, account, pod, audience).await
    };
    let own = token("web", "a", AUDIENCE).await?;
    let replies = (0..20).map(|_| present(&proxy, A, &own));
    let replies = futures::future::try_join_all(replies).await?;
    // The API server is asked again after a minute, so this is looked at first.
    let genuine = r#"isthmus_proxy_token_reviews_total{outcome="genuine"} 1"#;
    proxy.counts(&[genuine]).await?;
    for reply in replies {
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(
            reply.head.contains("content-type: application/json"),
            "{}",
            reply.head
        );
        let given: serde_json::Value = serde_json::from_str(&reply.body)?;
        assert_eq!(given["AccountId"], ACCOUNT);
        assert_eq!(
            caller(&testbed, &given).await?,
            format!("arn:aws:sts::{ACCOUNT}:assumed-role/role-a/shop.a")
        );
    }
    let (head, signature) = own.rsplit_once('.').unwrap_or_default();
    let reversed: String = signature.chars().rev().collect();
    for (what, from, token, status, code) in [
        (
            "another pod's",
            A,
            token("web", "b", AUDIENCE).await?,
            403,
            "bearer-not-of-pod",
        ),
        ("stolen", B, own.clone(), 403, "bearer-not-of-pod"),
        (
            "for another",
            A,
            token("web", "a", "vault").await?,
            400,
            "bearer-audience",
        ),
        (
            "forged",
            A,
            format!("{head}.{reversed}"),
            401,
            "bearer-refused",
        ),
        ("none", A, String::new(), 400, "bearer-missing"),
        ("no token", A, "x".to_owned(), 400, "bearer-malformed"),
    ] {
        let reply = present(&proxy, from, &token).await?;
        assert_eq!(reply.status, status, "{what}: {reply:?}");
        let json: serde_json::Value = serde_json::from_str(&reply.body)?;
        assert_eq!(json["code"], code, "{what}");
    }
    // After a forgery the pod's next new token has to wait; one that is known has not.
    assert_eq!(present(&proxy, A, &own).await?.status, 200);
    let refused = r#"isthmus_proxy_token_reviews_total{outcome="refused"} 1"#;
    proxy.counts(&[refused]).await?;

    // The pod is replaced by one of the same name: the token is of the old one.
    let api: Api<Pod> = Api::namespaced(testbed.kube(), "shop");
    api.delete("a", &DeleteParams::default().grace_period(0))
        .await?;
    let again = pod("a", A, &[(ROLE, "role-again")]);
    testbed.apply_yaml(&with_account(&again, "web")?).await?;
    until("the new pod is known", async || {
        Ok(present(&proxy, A, &own).await?.status == 403)
    })
    .await?;
    let fresh = token("web", "a", AUDIENCE).await?;
    let reply = present(&proxy, A, &fresh).await?;
    let given: serde_json::Value = serde_json::from_str(&reply.body)?;
    assert!(
        caller(&testbed, &given)
            .await?
            .ends_with("role-again/shop.a")
    );
    Ok(())
}

#[tokio::test]
async fn sdks_as_they_are_take_the_container_endpoint() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    pods(&testbed).await?;
    let proxy = Proxy::start(&testbed, &["--imds-v2=required"]).await?;
    let uri = format!("http://{}{PATH}", proxy.address);
    let write = async |pod: &str| {
        let file = testbed.scratch()?.join(format!("token-{pod}"));
        std::fs::write(&file, bound_token(&testbed, "web", pod, AUDIENCE).await?)?;
        anyhow::Ok(file)
    };
    let run = async |mut command: tokio::process::Command, pod: &str| {
        let output = command
            .env_clear()
            .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &uri)
            .env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", write(pod).await?)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", testbed.gate.bypass_url())
            .env("AWS_REGION", isthmus_e2e::REGION)
            .env("AWS_DEFAULT_REGION", isthmus_e2e::REGION)
            .output()
            .await?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{said}{wrong}");
        anyhow::Ok(said.trim().to_owned())
    };
    let arn = |name: &str| format!("arn:aws:sts::{ACCOUNT}:assumed-role/role-{name}/shop.{name}");
    // What each is given is there before it asks: how long SDKs wait for STS is
    // shown elsewhere.
    for (name, ip) in [("a", A), ("b", B), ("sdk", "127.0.0.1")] {
        let token = std::fs::read_to_string(write(name).await?)?;
        assert_eq!(present(&proxy, ip, &token).await?.status, 200, "{name}");
    }

    let rust = tokio::process::Command::new(env!("CARGO_BIN_EXE_as_pod"));
    assert_eq!(run(rust, "sdk").await?, arn("sdk"));

    let python = testbed.python().await?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/emulators/as_pod.py");
    for (name, ip) in [("a", A), ("b", B)] {
        let mut command = tokio::process::Command::new(&python);
        command.args([script, ip]);
        let said: serde_json::Value = serde_json::from_str(&run(command, name).await?)?;
        assert_eq!(said["method"], "container-role");
        assert_eq!(said["arn"], arn(name));
    }
    Ok(())
}
