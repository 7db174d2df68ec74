//! Who gets the requests: instances or pods, and which.

use anyhow::Result;
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_elasticloadbalancingv2::Client as Elb;
use aws_sdk_elasticloadbalancingv2::types as elb;
use isthmus_e2e::{Testbed, eventually};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use super::features::{attributes, written};
use super::reading::{hostname, targets};
use super::{BINARY, CLUSTER, NO_GRACE, RESYNC, reconciled, shop, well, world};

#[tokio::test]
async fn targets_follow_the_nodes_and_are_never_all_taken_away() -> Result<()> {
    let (testbed, world) = world(&shop()).await?;
    let mut process = testbed.spawn(BINARY, &[CLUSTER, RESYNC]).await?;
    process.wait_ready().await?;
    hostname(&testbed, "shop").await?;
    assert_eq!(targets(&testbed).await?.len(), 2);
    let nodes: Api<Node> = Api::all(testbed.kube());
    let [first, second] = &world.instances[..] else {
        panic!("two instances")
    };
    let exclude = json!({"metadata": {"labels": {"node.kubernetes.io/exclude-from-external-load-balancers": ""}}});
    nodes
        .patch(
            &first.node,
            &PatchParams::default(),
            &Patch::Merge(&exclude),
        )
        .await?;
    eventually("one target", async || {
        Ok((targets(&testbed).await? == [second.id.clone()]).then_some(()))
    })
    .await?;

    nodes.delete(&second.node, &DeleteParams::default()).await?;
    eventually("one Node less on the page", async || {
        let (_, page) = process.admin_page("/").await?;
        let row = page.split("<tr>").find(|row| row.contains(">Node<"));
        Ok(row.is_some_and(|row| row.contains(">1<")).then_some(()))
    })
    .await?;
    reconciled(&process, 2).await?;
    assert_eq!(
        targets(&testbed).await?,
        std::slice::from_ref(&second.id),
        "the last one stays"
    );
    Ok(())
}

fn pod(name: &str, ip: &str, ready: &str) -> String {
    let object = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": "kube-system", "name": name, "labels": {"application": "skipper"},
            // There is no kubelet: this keeps a pod that terminates from being gone at once.
            "finalizers": ["isthmus.dev/e2e"],
        },
        "spec": {"containers": [{"name": "skipper", "image": "skipper"}]},
        "status": {
            "phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
            "conditions": [{"type": "Ready", "status": ready}],
        },
    });
    format!("{object}\n---\n")
}

const CNI: [&str; 2] = [
    "--target-access-mode=AWSCNI",
    "--target-cni-pod-labelselector=application=skipper",
];

async fn registered(testbed: &Testbed) -> Result<Vec<String>> {
    let mut found = targets(testbed).await?;
    found.sort();
    Ok(found)
}

#[tokio::test]
async fn pods_are_targets_from_when_they_are_ready_until_they_terminate() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    for (name, ip, ready) in [("a", "10.20.10.11", "True"), ("b", "10.20.10.12", "False")] {
        testbed.apply_yaml(&pod(name, ip, ready)).await?;
    }
    testbed
        .apply_yaml(&pod("other", "10.20.10.13", "True").replace("\"skipper\"}", "\"other\"}"))
        .await?;
    let mut process = testbed
        .spawn(BINARY, &[&[CLUSTER][..], &CNI].concat())
        .await?;
    process.wait_ready().await?;
    let targets_are = async |wanted: &[&str]| {
        eventually(&format!("the targets {wanted:?}"), async || {
            let groups = Elb::new(testbed.sdk())
                .describe_target_groups()
                .send()
                .await?;
            let there = !groups.target_groups().is_empty();
            Ok((there && registered(&testbed).await? == wanted).then_some(()))
        })
        .await
    };
    targets_are(&["10.20.10.11"]).await?;
    testbed.apply_yaml(&pod("b", "10.20.10.12", "True")).await?;
    targets_are(&["10.20.10.11", "10.20.10.12"]).await?;
    let pods: Api<Pod> = Api::namespaced(testbed.kube(), "kube-system");
    pods.delete("a", &DeleteParams::default()).await?;
    targets_are(&["10.20.10.12"]).await?;
    let groups = Elb::new(testbed.sdk())
        .describe_target_groups()
        .send()
        .await?;
    let kind = groups.target_groups()[0].target_type();
    assert_eq!(kind, Some(&elb::TargetTypeEnum::Ip));
    assert_eq!(process.terminate().await?.code, Some(0));
    let bare = json!({"metadata": {"finalizers": null}});
    for name in ["a", "b", "other"] {
        pods.patch(name, &PatchParams::default(), &Patch::Merge(&bare))
            .await?;
    }
    Ok(())
}

#[tokio::test]
async fn another_mode_takes_over_when_its_targets_are_healthy() -> Result<()> {
    let (testbed, world) = world(&shop()).await?;
    well(&testbed, &[]).await?;
    assert_eq!(registered(&testbed).await?.len(), world.instances.len());
    let ready = pod("a", "10.20.10.11", "True").replace(r#","finalizers":["isthmus.dev/e2e"]"#, "");
    testbed.apply_yaml(&ready).await?;
    testbed.gate.clear();
    well(&testbed, &CNI).await?;
    assert_eq!(registered(&testbed).await?, ["10.20.10.11"]);
    let calls: Vec<_> = written(&testbed);
    assert_eq!(
        calls,
        [
            "CreateTargetGroup",
            "RegisterTargets",
            "ModifyListener",
            "ModifyListener",
            "ModifyListener",
            "ModifyListener",
            "DeleteTargetGroup",
        ],
        "both target groups, then the new one alone"
    );
    let first = testbed.gate.writes().remove(2);
    let weights: Vec<_> = first
        .params
        .iter()
        .filter(|(key, _)| key.ends_with(".Weight"))
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(weights, ["1", "0"], "{first}");
    Ok(())
}

#[tokio::test]
async fn instances_are_selected_by_filters_and_drained_by_taints() -> Result<()> {
    let (testbed, world) = world(&shop()).await?;
    let mut ids: Vec<_> = world.instances.iter().map(|i| i.id.clone()).collect();
    ids.sort();
    let tag = aws_sdk_ec2::types::Tag::builder()
        .key("role")
        .value("edge")
        .build();
    Ec2::new(testbed.sdk())
        .create_tags()
        .resources(&world.instances[0].id)
        .tags(tag)
        .send()
        .await?;
    well(
        &testbed,
        &["--custom-filters=tag:role=edge,proxy tag-key=role"],
    )
    .await?;
    assert_eq!(registered(&testbed).await?, [world.instances[0].id.clone()]);
    well(&testbed, &[]).await?;
    assert_eq!(registered(&testbed).await?, ids);

    let nodes: Api<Node> = Api::all(testbed.kube());
    let taints = [
        ("ToBeDeletedByClusterAutoscaler", "NoSchedule"),
        ("karpenter.sh/disrupted", "NoSchedule"),
    ];
    for (key, effect) in taints {
        let taint = json!({"spec": {"taints": [{"key": key, "effect": effect}]}});
        let node = &world.instances[0].node;
        nodes
            .patch(node, &PatchParams::default(), &Patch::Merge(&taint))
            .await?;
        well(&testbed, &[]).await?;
        assert_eq!(
            registered(&testbed).await?,
            [world.instances[1].id.clone()],
            "{key}"
        );
        let none = json!({"spec": {"taints": null}});
        nodes
            .patch(node, &PatchParams::default(), &Patch::Merge(&none))
            .await?;
        well(&testbed, &[]).await?;
        assert_eq!(registered(&testbed).await?, ids);
    }
    // What the filters select is drained too.
    let taint =
        json!({"spec": {"taints": [{"key": "karpenter.sh/disrupted", "effect": "NoSchedule"}]}});
    let node = &world.instances[1].node;
    nodes
        .patch(node, &PatchParams::default(), &Patch::Merge(&taint))
        .await?;
    well(&testbed, &["--custom-filters=instance-state-name=running"]).await?;
    assert_eq!(registered(&testbed).await?, [world.instances[0].id.clone()]);
    Ok(())
}

#[tokio::test]
async fn headers_that_are_no_http_are_dropped_and_port_80_may_go_elsewhere() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    well(
        &testbed,
        &["--alb-http-target-port=9998", "--target-https", NO_GRACE],
    )
    .await?;
    let attributes = attributes(&testbed).await?;
    assert_eq!(
        attributes["routing.http.drop_invalid_header_fields.enabled"],
        "true"
    );
    let groups = Elb::new(testbed.sdk())
        .describe_target_groups()
        .send()
        .await?;
    let mut found: Vec<_> = groups
        .target_groups()
        .iter()
        .map(|g| (g.port(), g.protocol().cloned()))
        .collect();
    found.sort_by_key(|(port, _)| *port);
    let https = Some(elb::ProtocolEnum::Https);
    assert_eq!(found, [(Some(9998), https.clone()), (Some(9999), https)]);
    well(&testbed, &["--target-https", NO_GRACE]).await?;
    assert_eq!(
        registered(&testbed).await?.len(),
        2,
        "one target group is left"
    );
    Ok(())
}
