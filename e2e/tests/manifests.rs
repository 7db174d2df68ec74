//! `manifests/` on a real API server, by a real kubectl.

#[path = "manifests/overlays.rs"]
mod overlays;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use isthmus_e2e::{
    Command, PATIENCE, ROUTE_GROUP_DEFINITION, Right, ServiceAccount, Testbed, binaries,
    eventually, playground,
};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use kube::Api;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../manifests")
        .join(name)
}

/// What kubectl says on stdout; an error if it does not end well.
async fn kubectl(testbed: &Testbed, args: &[&str]) -> Result<String> {
    let ended = tokio::process::Command::new(testbed.kubectl().await?)
        .arg(format!("--kubeconfig={}", testbed.kubeconfig().display()))
        .args(args)
        // Its cache of what the server can do is not for the user's folder.
        .arg("--cache-dir")
        .arg(testbed.scratch()?)
        .stdin(Stdio::null())
        .output()
        .await?;
    let said = String::from_utf8(ended.stdout)?;
    ensure!(
        ended.status.success(),
        "kubectl {args:?}\n{said}\n{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    Ok(said)
}

#[tokio::test]
async fn everything_is_applied_and_a_second_time_changes_nothing() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    for (name, objects) in [
        ("", 30),
        ("overlays/eks", 30),
        ("overlays/kops", 30),
        ("overlays/startup-taint", 9),
        ("overlays/dnsendpoints", 10),
        ("overlays/web-identity", 5),
        ("overlays/realtime", 5),
        ("overlays/aws-cni", 10),
        ("overlays/cloudwatch-alarms", 10),
    ] {
        let path = folder(name).display().to_string();
        let apply = ["apply", "--server-side", "--validate=strict", "-k", &path];
        let first = kubectl(&testbed, &apply).await?;
        assert!(first.lines().count() >= objects, "{name}: {first}");
        let diff = kubectl(&testbed, &["diff", "--server-side", "-k", &path]).await?;
        assert_eq!(diff, "", "{name} has something left to change");
    }
    Ok(())
}

/// With web identity the proxy reads the kubelet's folder of pods, and writes nothing there.
#[tokio::test]
async fn web_identity_reads_pods_tokens_and_no_more() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let path = folder("overlays/web-identity").display().to_string();
    kubectl(&testbed, &["apply", "--server-side", "-k", &path]).await?;
    let sets: Api<DaemonSet> = Api::namespaced(testbed.kube(), "kube-system");
    let set = serde_json::to_value(sets.get("isthmus-metadata-proxy").await?)?;
    let spec = &set["spec"]["template"]["spec"];
    let container = &spec["containers"][0];
    let capabilities = &container["securityContext"]["capabilities"];
    assert_eq!(capabilities["add"], json!(["NET_ADMIN", "DAC_READ_SEARCH"]));
    assert_eq!(capabilities["drop"], json!(["ALL"]));
    let named = |list: &Value| {
        let mut found = list.as_array().into_iter().flatten();
        found.find(|one| one["name"] == "pods").cloned()
    };
    let mount = named(&container["volumeMounts"]).context("the mount")?;
    assert_eq!(mount["readOnly"], true);
    let volume = named(&spec["volumes"]).context("the volume")?;
    assert_eq!(mount["mountPath"], volume["hostPath"]["path"]);
    let args = container["args"].to_string();
    assert!(args.contains("--credential-source=web-identity"), "{args}");
    Ok(())
}

#[tokio::test]
async fn real_time_takes_one_capability_more() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let path = folder("overlays/realtime").display().to_string();
    kubectl(&testbed, &["apply", "--server-side", "-k", &path]).await?;
    let sets: Api<DaemonSet> = Api::namespaced(testbed.kube(), "kube-system");
    let set = serde_json::to_value(sets.get("isthmus-metadata-proxy").await?)?;
    let container = &set["spec"]["template"]["spec"]["containers"][0];
    let capabilities = &container["securityContext"]["capabilities"];
    assert_eq!(
        capabilities,
        &json!({"add": ["NET_ADMIN", "SYS_NICE"], "drop": ["ALL"]})
    );
    Ok(())
}

/// Cluster Lifecycle Manager applies each `*.yaml` directly in a component's folder.
/// <https://github.com/zalando-incubator/cluster-lifecycle-manager>
#[tokio::test]
async fn a_folder_is_objects_and_nothing_else() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    kubectl(
        &testbed,
        &["apply", "-k", &folder("00-config").display().to_string()],
    )
    .await?;
    for component in ["ingress", "dns", "egress", "metadata-proxy"] {
        let path = folder(component).display().to_string();
        let applied = kubectl(&testbed, &["apply", "--validate=strict", "-f", &path]).await?;
        let files = std::fs::read_dir(&path)?.count();
        assert!(
            applied.lines().count() >= files - 1,
            "{component}: {applied}"
        );
    }
    Ok(())
}

/// A definition that is there already, external-dns's say, is left as it is.
#[tokio::test]
async fn the_kind_of_dns_endpoints_is_created_only_where_there_is_none() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let file = folder("dns/crd/dnsendpoints.yaml").display().to_string();
    let create = ["create", "--validate=strict", "-f", &file];
    kubectl(&testbed, &create).await?;
    let name = "crd/dnsendpoints.externaldns.k8s.io";
    let established = [
        "wait",
        "--for=condition=Established",
        "--timeout=180s",
        name,
    ];
    kubectl(&testbed, &established).await?;
    kubectl(&testbed, &["annotate", name, "theirs=yes"]).await?;
    let again = kubectl(&testbed, &create).await.expect_err("it is there");
    assert!(again.to_string().contains("AlreadyExists"), "{again}");
    let jsonpath = "-o=jsonpath={.metadata.annotations.theirs}";
    assert_eq!(kubectl(&testbed, &["get", name, jsonpath]).await?, "yes");
    let applied = kubectl(&testbed, &["kustomize", &folder("").display().to_string()]).await?;
    assert!(
        !applied.contains("CustomResourceDefinition"),
        "nothing applies it"
    );
    Ok(())
}

/// Each program has something to complain about.
const TROUBLE: &str = "
apiVersion: v1
kind: Namespace
metadata:
  name: trouble
  annotations: {iam.amazonaws.com/allowed-roles: '[\"nobody\"]'}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: typo
  namespace: trouble
  annotations:
    zalando.org/aws-load-balancer-scheme: Internal
    external-dns.alpha.kubernetes.io/ttl: soon
spec:
  rules: [{host: typo.example.org}]
status:
  loadBalancer: {ingress: [{hostname: typo.eu-central-1.elb.amazonaws.com}]}
---
apiVersion: zalando.org/v1
kind: RouteGroup
metadata: {name: routed, namespace: trouble}
spec: {hosts: [routed.example.org]}
---
apiVersion: v1
kind: Service
metadata:
  name: headless
  namespace: trouble
  annotations: {external-dns.alpha.kubernetes.io/hostname: headless.example.org}
spec: {clusterIP: None, selector: {app: none}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: typo, namespace: trouble, labels: {egress: static}}
data: {bank: 203.0.113.0/99}
---
apiVersion: v1
kind: Pod
metadata:
  name: greedy
  namespace: trouble
  annotations: {iam.amazonaws.com/role: admin}
spec:
  nodeName: playground
  containers: [{name: main, image: example}]
status: {phase: Running, podIP: 127.0.10.9, podIPs: [{ip: 127.0.10.9}]}
";

/// A pod that goes to the container endpoint.
const BEARER: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: bearer, namespace: shop}
---
apiVersion: v1
kind: Pod
metadata:
  name: bearer
  namespace: shop
  annotations: {iam.amazonaws.com/role: shop-bearer}
spec:
  nodeName: playground
  serviceAccountName: bearer
  containers: [{name: main, image: example}]
status: {phase: Running, podIP: 127.0.10.10, podIPs: [{ip: 127.0.10.10}]}
";

/// With the rights of its ServiceAccount each program does its work, and it asks
/// for each of them: none is missing and none is there for nothing.
#[tokio::test]
async fn each_program_has_the_rights_that_it_needs_and_no_others() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let path = folder("").display().to_string();
    kubectl(&testbed, &["apply", "-k", &path]).await?;
    kubectl(&testbed, &["create", "namespace", "shop"]).await?;
    let allowed = "iam.amazonaws.com/allowed-roles=[\"shop-*\"]";
    kubectl(&testbed, &["annotate", "namespace", "shop", allowed]).await?;
    testbed.apply_yaml(ROUTE_GROUP_DEFINITION).await?;
    let mut accounts = BTreeMap::new();
    for name in binaries::ALL {
        accounts.insert(name, testbed.service_account("kube-system", name).await?);
    }
    let started = |name: &str, command: Command| {
        let kubeconfig = accounts[name].kubeconfig().display().to_string();
        let command = command.env("KUBECONFIG", &kubeconfig);
        match name {
            "isthmus-metadata-proxy" => command.args(&["--namespace-restrictions"]),
            _ => {
                let sources: &[&str] = match name {
                    "isthmus-dns" => &["--source=service"],
                    _ => &[],
                };
                let leads = ["--leader-elect", "--leader-election-namespace=kube-system"];
                command.args(&leads).args(sources)
            }
        }
    };
    let then = async |proxy: &str| {
        testbed.apply_yaml(TROUBLE).await?;
        ask(proxy, [127, 0, 10, 9]).await?;
        present(&testbed, proxy).await?;
        complained(&accounts).await?;
        used(&testbed, &accounts).await
    };
    playground::rehearse(&testbed, started, then).await?;
    assert_eq!(wrong(&testbed, &accounts).await?, Vec::<String>::new());
    Ok(())
}

/// What each program asks for and may not, and what it may and never asks for.
async fn wrong(
    testbed: &Testbed,
    accounts: &BTreeMap<&str, ServiceAccount>,
) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for (name, account) in accounts {
        let granted = granted(testbed, name).await?;
        let mut asked = account.asked()?;
        // What is told again after ten minutes goes on in the same Event.
        if asked.contains(&events("create")) {
            asked.insert(events("patch"));
        }
        let missing = asked.difference(&granted);
        wrong.extend(missing.map(|right| format!("{name} asks for {right} and may not")));
        let idle = granted.difference(&asked);
        wrong.extend(idle.map(|right| format!("{name} may {right} and never asks for it")));
    }
    Ok(wrong)
}

/// Waits until no right is idle, or until patience ends: the comparison says which is.
async fn used(testbed: &Testbed, accounts: &BTreeMap<&str, ServiceAccount>) -> Result<()> {
    let start = Instant::now();
    while !wrong(testbed, accounts).await?.is_empty() && start.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// Asks for credentials as the pod of that address.
async fn ask(proxy: &str, pod: [u8; 4]) -> Result<()> {
    let path = "/latest/meta-data/iam/security-credentials/admin";
    let head = format!("GET {path} HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: close\r\n\r\n");
    let answer = as_pod(proxy, pod, &head).await?;
    ensure!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    Ok(())
}

/// Presents a pod's own token at the container endpoint, which the API server has to review.
async fn present(testbed: &Testbed, proxy: &str) -> Result<()> {
    testbed.apply_yaml(BEARER).await?;
    let jsonpath = "-o=jsonpath={.metadata.uid}";
    let uid = kubectl(testbed, &["get", "pod", "bearer", "-n", "shop", jsonpath]).await?;
    let uid = format!("--bound-object-uid={uid}");
    let bound = [
        "--bound-object-kind=Pod",
        "--bound-object-name=bearer",
        &uid,
    ];
    let create = ["create", "token", "bearer", "-n", "shop"];
    let audience = ["--audience=sts.amazonaws.com"];
    let token = kubectl(testbed, &[&create[..], &audience, &bound].concat()).await?;
    let head = format!(
        "GET /v1/credentials HTTP/1.1\r\nHost: 169.254.170.23\r\nConnection: close\r\nAuthorization: {}\r\n\r\n",
        token.trim()
    );
    eventually("credentials for the pod's own token", async || {
        let answer = as_pod(proxy, [127, 0, 10, 10], &head).await?;
        ensure!(!answer.starts_with("HTTP/1.1 4"), "{answer}");
        Ok(answer.starts_with("HTTP/1.1 200").then_some(()))
    })
    .await
}

async fn as_pod(proxy: &str, pod: [u8; 4], head: &str) -> Result<String> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((pod, 0)))?;
    let address = proxy.trim_start_matches("http://").parse()?;
    let mut stream = socket.connect(address).await?;
    stream.write_all(head.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

fn events(verb: &str) -> Right {
    Right {
        verb: verb.into(),
        group: "events.k8s.io".into(),
        resource: "events".into(),
    }
}

/// The status of a RouteGroup.
fn routed() -> Right {
    Right {
        verb: "patch".into(),
        group: "zalando.org".into(),
        resource: "routegroups/status".into(),
    }
}

/// Waits until each has made an Event and the RouteGroup has its status.
async fn complained(accounts: &BTreeMap<&str, ServiceAccount>) -> Result<()> {
    eventually("an Event of each program", async || {
        let mut silent = usize::from(!accounts["isthmus-ingress"].asked()?.contains(&routed()));
        for account in accounts.values() {
            silent += usize::from(!account.asked()?.contains(&events("create")));
        }
        Ok((silent == 0).then_some(()))
    })
    .await
}

/// What the roles of a program's name allow.
async fn granted(testbed: &Testbed, name: &str) -> Result<BTreeSet<Right>> {
    let cluster: Api<ClusterRole> = Api::all(testbed.kube());
    let mut rules = cluster.get(name).await?.rules.unwrap_or_default();
    let own: Api<Role> = Api::namespaced(testbed.kube(), "kube-system");
    if let Some(role) = own.get_opt(name).await? {
        rules.extend(role.rules.unwrap_or_default());
    }
    Ok(rules.iter().flat_map(rights).collect())
}

fn rights(rule: &PolicyRule) -> Vec<Right> {
    let mut rights = Vec::new();
    for group in rule.api_groups.iter().flatten() {
        for resource in rule.resources.iter().flatten() {
            for verb in &rule.verbs {
                rights.push(Right {
                    verb: verb.clone(),
                    group: group.clone(),
                    resource: resource.clone(),
                });
            }
        }
    }
    rights
}
