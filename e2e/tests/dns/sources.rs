//! Each source at the real API server.

use anyhow::Result;
use isthmus_e2e::{Right, eventually};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject};
use kube::core::GroupVersionKind;
use kube::runtime::wait::{await_condition, conditions};
use serde_json::{Value, json};

use crate::stage::{BINARY, LB, OTHER_LB, Stage, ingress, published, sorted};

pub(crate) const ROUTE_GROUPS: &str = include_str!("crds/routegroup.yaml");
pub(crate) const DNS_ENDPOINTS: &str = include_str!("../../../manifests/dns/crd/dnsendpoints.yaml");
const HOSTNAME: &str = "external-dns.kubernetes.io/hostname";
const TYPES: [&str; 5] = ["A", "AAAA", "CNAME", "SRV", "TXT"];

pub(crate) fn service(name: &str, annotations: &Value, spec: &Value, hosts: &[&str]) -> String {
    let points: Vec<_> = hosts.iter().map(|host| json!({"hostname": host})).collect();
    let object = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": "shop", "name": name, "annotations": annotations},
        "spec": spec, "status": {"loadBalancer": {"ingress": points}},
    });
    format!("{object}\n---\n")
}

pub(crate) fn route_group(name: &str, hosts: &[&str], targets: &[&str]) -> String {
    let points: Vec<_> = targets
        .iter()
        .map(|target| json!({"hostname": target}))
        .collect();
    let object = json!({
        "apiVersion": "zalando.org/v1", "kind": "RouteGroup",
        "metadata": {"namespace": "shop", "name": name},
        "spec": {"hosts": hosts, "backends": [{"name": "none", "type": "shunt"}], "routes": [{"path": "/"}]},
        "status": {"loadBalancer": {"routegroup": points}},
    });
    format!("{object}\n---\n")
}

pub(crate) fn dns_endpoint(name: &str, endpoints: &Value) -> String {
    let object = json!({
        "apiVersion": "externaldns.k8s.io/v1alpha1", "kind": "DNSEndpoint",
        "metadata": {"namespace": "shop", "name": name}, "spec": {"endpoints": endpoints},
    });
    format!("{object}\n---\n")
}

/// Deletes the definition of a kind, and waits until it is gone.
pub(crate) async fn delete_kind(stage: &Stage, name: &str) -> Result<()> {
    let kinds: Api<CustomResourceDefinition> = Api::all(stage.testbed.kube());
    let uid = kinds.get(name).await?.metadata.uid.unwrap_or_default();
    kinds.delete(name, &DeleteParams::default()).await?;
    await_condition(kinds, name, conditions::is_deleted(&uid)).await?;
    Ok(())
}

fn dns_endpoints(stage: &Stage) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("externaldns.k8s.io", "v1alpha1", "DNSEndpoint");
    Api::namespaced_with(stage.testbed.kube(), "shop", &ApiResource::from_gvk(&kind))
}

/// The records without ownership records.
async fn plain(stage: &Stage) -> Result<Vec<String>> {
    let mut lines = stage.records().await?;
    lines.retain(|line| !line.contains("heritage=external-dns"));
    Ok(lines)
}

#[tokio::test]
async fn services_of_every_type() -> Result<()> {
    let stage = Stage::new().await?;
    let host = |name: &str| json!({HOSTNAME: format!("{name}.example.org")});
    let ports = json!([{"port": 80, "nodePort": 30080}]);
    let port = json!([{"port": 80}]);
    let node = |name: &str, internal: &str, external: &str| {
        let addresses = json!([{"type": "InternalIP", "address": internal}, {"type": "ExternalIP", "address": external}]);
        format!(
            "{}\n---\n",
            json!({
                "apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": {"addresses": addresses},
            })
        )
    };
    let pod = |name: &str| {
        let spec = json!({"hostname": name, "nodeName": "node-1", "containers": [{"name": "c", "image": "i"}]});
        format!(
            "{}\n---\n",
            json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop", "name": name},
                "spec": spec, "status": {"phase": "Running", "hostIP": "10.2.0.1"},
            })
        )
    };
    let endpoint = |pod: &str, ip: &str, ready: bool| json!({"addresses": [ip], "conditions": {"ready": ready}, "nodeName": "node-1", "targetRef": {"kind": "Pod", "name": pod}});
    let slice = |ready: bool| {
        format!(
            "{}\n---\n",
            json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                "metadata": {"namespace": "shop", "name": "pods-1", "labels": {"kubernetes.io/service-name": "pods"}},
                "endpoints": [endpoint("pod-0", "10.1.0.1", true), endpoint("pod-1", "10.1.0.2", ready)],
            })
        )
    };
    stage
        .apply(&[
            service("lb", &host("lb"), &json!({"type": "LoadBalancer", "ports": port}), &[LB]),
            service("ips", &host("ips"), &json!({"type": "LoadBalancer", "ports": port, "externalIPs": ["192.0.2.77"]}), &[LB]),
            service("cluster", &json!({"external-dns.alpha.kubernetes.io/internal-hostname": "cluster.example.org"}), &json!({"clusterIP": "10.0.0.77", "ports": port}), &[]),
            service("unpublished", &host("unpublished"), &json!({"ports": port}), &[]),
            service("ext", &host("ext"), &json!({"type": "ExternalName", "externalName": "www.example.com"}), &[]),
            service("node", &host("node"), &json!({"type": "NodePort", "ports": ports}), &[]),
        ])
        .await?;
    stage
        .apply(&[
            node("node-1", "10.2.0.1", "192.0.2.1"),
            node("node-2", "10.2.0.2", "192.0.2.2"),
        ])
        .await?;
    let types = TYPES.map(|kind| format!("--managed-record-types={kind}"));
    let mut args = vec!["--source=service", "--policy=sync"];
    args.extend(types.iter().map(String::as_str));
    let mut process = stage.testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    let wanted = sorted(&[
        ["A", "AAAA"]
            .iter()
            .map(|kind| format!("lb.example.org {kind} alias {LB} Z215JYRZR1TBD5"))
            .collect(),
        [
            "ips.example.org A 300 192.0.2.77",
            "cluster.example.org A 300 10.0.0.77",
            "ext.example.org CNAME 300 www.example.com",
            "node.example.org A 300 192.0.2.1,192.0.2.2",
            "_node._tcp.node.example.org SRV 300 0 50 30080 node.example.org.",
        ]
        .map(str::to_owned)
        .to_vec(),
    ]);
    // The first pass waits for what is behind Services, but not for ever.
    eventually("the records of the Services", async || {
        Ok((plain(&stage).await? == wanted).then_some(()))
    })
    .await?;
    let marks = stage.records().await?;
    let mark = |name: &str, service: &str| {
        format!(
            "{name} TXT 300 \"heritage=external-dns,external-dns/owner=default,external-dns/resource=service/shop/{service}\""
        )
    };
    assert!(
        marks.contains(&mark("srv-_node._tcp.node.example.org", "node")),
        "{marks:?}"
    );
    let (_, page) = process.admin_page("/").await?;
    assert!(
        page.contains(">Node</td>") && !page.contains(">Pod</td>"),
        "pods are not watched before they are needed"
    );

    // A headless Service is served by its ready pods, each with a name of its own.
    stage
        .apply(&[
            pod("pod-0"),
            pod("pod-1"),
            slice(true),
            service(
                "pods",
                &host("pods"),
                &json!({"clusterIP": "None", "ports": port}),
                &[],
            ),
        ])
        .await?;
    let with_pods = |lines: &[&str]| {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        sorted(&[wanted.clone(), lines])
    };
    let both = with_pods(&[
        "pods.example.org A 300 10.1.0.1,10.1.0.2",
        "pod-0.pods.example.org A 300 10.1.0.1",
        "pod-1.pods.example.org A 300 10.1.0.2",
    ]);
    eventually("the pods' records", async || {
        Ok((plain(&stage).await? == both).then_some(()))
    })
    .await?;
    stage.apply(&[slice(false)]).await?;
    let one = with_pods(&[
        "pods.example.org A 300 10.1.0.1",
        "pod-0.pods.example.org A 300 10.1.0.1",
    ]);
    eventually("one pod's records", async || {
        Ok((plain(&stage).await? == one).then_some(()))
    })
    .await?;

    // And nothing is left to do for a run of its own.
    process.kill().await?;
    stage.testbed.gate.clear();
    args.push("--once");
    let finished = stage.testbed.run(BINARY, &args).await?;
    assert_eq!(finished.code, Some(0), "{finished}");
    assert_eq!(stage.testbed.gate.writes().len(), 0);
    Ok(())
}

#[tokio::test]
async fn route_groups_share_a_host_with_ingresses() -> Result<()> {
    let stage = Stage::new().await?;
    stage.testbed.apply_yaml(ROUTE_GROUPS).await?;
    stage
        .apply(&[
            route_group("web", &["shop.example.org", "web.example.org"], &[LB]),
            ingress(
                "web",
                &["web.example.org", "other.example.org"],
                &[OTHER_LB],
            ),
        ])
        .await?;
    let more = ["--source=skipper-routegroup", "--policy=sync"];
    stage.well(&more).await?;
    let of_route_group = |host: &str| -> Vec<String> {
        let lines = published(host, LB, "web").into_iter();
        lines
            .map(|line| line.replace("resource=ingress/", "resource=routegroup/"))
            .collect()
    };
    let wanted = sorted(&[
        of_route_group("shop.example.org"),
        published("web.example.org", OTHER_LB, "web"),
        published("other.example.org", OTHER_LB, "web"),
    ]);
    assert_eq!(stage.records().await?, wanted);
    let events = stage.events("web").await?;
    let lost = "web.example.org already belongs to Ingress shop/web, which asks for something else";
    assert_eq!(events, [("HostConflict".to_owned(), lost.to_owned())]);
    stage.testbed.gate.clear();
    stage.well(&more).await?;
    assert_eq!(stage.testbed.gate.writes().len(), 0);
    Ok(())
}

#[tokio::test]
async fn dns_endpoints_of_every_type_and_policy() -> Result<()> {
    let stage = Stage::new().await?;
    stage.testbed.apply_yaml(DNS_ENDPOINTS).await?;
    let weighted = |set: &str, target: &str, weight: &str| {
        json!({"dnsName": "w.example.org", "recordType": "A", "targets": [target], "setIdentifier": set,
            "providerSpecific": [{"name": "aws/weight", "value": weight}]})
    };
    stage
        .apply(&[
            dns_endpoint("all", &json!([
                {"dnsName": "a.example.org", "recordType": "A", "targets": ["192.0.2.1"], "recordTTL": 60},
                {"dnsName": "lb.example.org", "recordType": "CNAME", "targets": [LB]},
                {"dnsName": "mail.example.org", "recordType": "MX", "targets": ["10 mx.example.com"]},
                {"dnsName": "text.example.org", "recordType": "TXT", "targets": ["v=spf1 -all"]},
                weighted("blue", "192.0.2.2", "10"), weighted("green", "192.0.2.3", "90"),
            ])),
            dns_endpoint("faulty", &json!([
                {"dnsName": "faulty.example.org", "recordType": "A", "targets": ["www.example.com"]},
                {"dnsName": "ns.example.org", "recordType": "NS", "targets": ["ns.example.com"]},
            ])),
        ])
        .await?;
    let args: Vec<String> = ["A", "AAAA", "CNAME", "MX", "TXT"]
        .iter()
        .map(|kind| format!("--managed-record-types={kind}"))
        .chain(["--source=crd", "--policy=sync", "--once"].map(str::to_owned))
        .collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let finished = stage.testbed.run(BINARY, &args).await?;
    assert_eq!(finished.code, Some(0), "{finished}");
    let mut wanted: Vec<String> = [
        "a.example.org A 60 192.0.2.1",
        "mail.example.org MX 300 10 mx.example.com",
        "text.example.org TXT 300 \"v=spf1 -all\"",
        "w.example.org A 300 192.0.2.2",
        "w.example.org A 300 192.0.2.3",
    ]
    .map(str::to_owned)
    .to_vec();
    wanted.extend(
        ["A", "AAAA"].map(|kind| format!("lb.example.org {kind} alias {LB} Z215JYRZR1TBD5")),
    );
    assert_eq!(plain(&stage).await?, sorted(&[wanted]));

    let mut told = stage.events("faulty").await?;
    told.sort();
    let told: Vec<_> = told.iter().map(|(reason, _)| reason.as_str()).collect();
    assert_eq!(told, ["InvalidEndpoint", "UnmanagedRecordType"]);
    for name in ["all", "faulty"] {
        let seen = dns_endpoints(&stage).get(name).await?;
        assert_eq!(seen.data["status"]["observedGeneration"], 1, "{name}");
    }
    stage.testbed.gate.clear();
    let finished = stage.testbed.run(BINARY, &args).await?;
    assert_eq!(finished.code, Some(0), "{finished}");
    assert_eq!(stage.testbed.gate.writes().len(), 0);
    Ok(())
}

#[tokio::test]
async fn another_kind_takes_the_place_of_dns_endpoints() -> Result<()> {
    let stage = Stage::new().await?;
    let kind = DNS_ENDPOINTS
        .replace("externaldns.k8s.io", "names.example.org")
        .replace("v1alpha1", "v1")
        .replace("DNSEndpoint", "Name")
        .replace("dnsendpoint", "name");
    stage.testbed.apply_yaml(&kind).await?;
    let object = dns_endpoint(
        "web",
        &json!([{"dnsName": "a.example.org", "recordType": "A", "targets": ["192.0.2.1"]}]),
    )
    .replace("externaldns.k8s.io/v1alpha1", "names.example.org/v1")
    .replace("DNSEndpoint", "Name");
    stage.apply(&[object]).await?;
    let args = [
        "--source=crd",
        "--crd-source-apiversion=names.example.org/v1",
        "--crd-source-kind=Name",
        "--once",
    ];
    let finished = stage.testbed.run(BINARY, &args).await?;
    assert_eq!(finished.code, Some(0), "{finished}");
    assert_eq!(plain(&stage).await?, ["a.example.org A 300 192.0.2.1"]);
    Ok(())
}

/// A ServiceAccount with the rights that the documentation names, with `backing` of what is behind Services.
fn account(backing: &[&str]) -> String {
    let rules = json!([
        {"apiGroups": [""], "resources": ["services"], "verbs": ["list", "watch"]},
        {"apiGroups": ["", "discovery.k8s.io"], "resources": backing, "verbs": ["list", "watch"]},
        {"apiGroups": ["externaldns.k8s.io"], "resources": ["dnsendpoints"], "verbs": ["list", "watch"]},
        {"apiGroups": ["externaldns.k8s.io"], "resources": ["dnsendpoints/status"], "verbs": ["patch"]},
        {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]},
    ]);
    let of_role =
        json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "names"});
    let subject = json!({"kind": "ServiceAccount", "name": "names", "namespace": "shop"});
    [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": "shop", "name": "names"}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "names"}, "rules": rules}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "names"},
            "roleRef": of_role, "subjects": [subject]}),
    ]
    .map(|object| format!("{object}\n---\n"))
    .concat()
}

#[tokio::test]
async fn without_a_right_what_does_not_need_it_goes_on() -> Result<()> {
    let stage = Stage::new().await?;
    stage.testbed.apply_yaml(DNS_ENDPOINTS).await?;
    let port = json!([{"port": 80}]);
    let host = |name: &str| json!({HOSTNAME: format!("{name}.example.org")});
    let record = json!([{"dnsName": "a.example.org", "recordType": "A", "targets": ["192.0.2.1"]}]);
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop", "name": "pod-0"},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    });
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"namespace": "shop", "name": "pods-1", "labels": {"kubernetes.io/service-name": "pods"}},
        "endpoints": [{"addresses": ["10.1.0.1"], "targetRef": {"kind": "Pod", "name": "pod-0"}}],
    });
    let spec = json!({"type": "ExternalName", "externalName": "www.example.com"});
    stage
        .apply(&[
            service("ext", &host("ext"), &spec, &[]),
            service(
                "pods",
                &host("pods"),
                &json!({"clusterIP": "None", "ports": port}),
                &[],
            ),
            format!("{pod}\n---\n{slice}\n---\n"),
            dns_endpoint("web", &record),
            account(&["endpointslices", "nodes"]),
        ])
        .await?;
    let account_of_names = stage.testbed.service_account("shop", "names").await?;
    let kubeconfig = account_of_names.kubeconfig().display().to_string();
    let right = |verb: &str, group: &str, resource: &str| Right {
        verb: verb.to_owned(),
        group: group.to_owned(),
        resource: resource.to_owned(),
    };
    let status = right("patch", "externaldns.k8s.io", "dnsendpoints/status");
    account_of_names.may(&stage.testbed, &status).await?;
    let once = async || {
        let command = stage.testbed.command(BINARY).await?;
        let args = [
            "--source=service",
            "--source=crd",
            "--policy=sync",
            "--once",
        ];
        command
            .args(&args)
            .env("KUBECONFIG", &kubeconfig)
            .run()
            .await
    };
    let finished = once().await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(
        finished.stderr.contains("Pod: pods is forbidden"),
        "{finished}"
    );
    let without = [
        "a.example.org A 300 192.0.2.1",
        "ext.example.org CNAME 300 www.example.com",
    ];
    assert_eq!(plain(&stage).await?, without);

    stage
        .apply(&[account(&["endpointslices", "nodes", "pods"])])
        .await?;
    let pods = right("list", "", "pods");
    account_of_names.may(&stage.testbed, &pods).await?;
    let finished = once().await?;
    assert_eq!(finished.code, Some(0), "{finished}");
    let with = [&without[..], &["pods.example.org A 300 10.1.0.1"]].concat();
    assert_eq!(plain(&stage).await?, with);
    let seen = dns_endpoints(&stage).get("web").await?;
    assert_eq!(seen.data["status"]["observedGeneration"], 1);
    Ok(())
}
