//! Network load balancers, refused hosts, web ACLs, and the choice of targets.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_elasticloadbalancingv2::Client as Elb;
use aws_sdk_elasticloadbalancingv2::types as elb;
use aws_sdk_wafv2::Client as Waf;
use aws_sdk_wafv2::types as waf;
use isthmus_e2e::{Fault, Testbed, eventually};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use super::reading::{events, hostnames, load_balancers, targets};
use super::{BINARY, CLUSTER, NO_GRACE, ingress, shop, well, world};

/// The actions that were written, in order.
fn written(testbed: &Testbed) -> Vec<String> {
    let writes = testbed.gate.writes().into_iter();
    writes.map(|call| call.action).collect()
}

async fn attributes(testbed: &Testbed) -> Result<BTreeMap<String, String>> {
    let balancer = load_balancers(testbed).await?.remove(0);
    let answer = Elb::new(testbed.sdk())
        .describe_load_balancer_attributes()
        .load_balancer_arn(balancer.load_balancer_arn().unwrap_or_default())
        .send()
        .await?;
    let pair = |a: &elb::LoadBalancerAttribute| {
        let (key, value) = (a.key()?.to_owned(), a.value()?.to_owned());
        Some((key, value))
    };
    Ok(answer.attributes().iter().filter_map(pair).collect())
}

/// Those of all load balancers.
async fn listeners(testbed: &Testbed) -> Result<Vec<elb::Listener>> {
    let mut found = Vec::new();
    for balancer in load_balancers(testbed).await? {
        let answer = Elb::new(testbed.sdk())
            .describe_listeners()
            .load_balancer_arn(balancer.load_balancer_arn().unwrap_or_default())
            .send()
            .await?;
        found.extend(answer.listeners().iter().cloned());
    }
    Ok(found)
}

#[tokio::test]
async fn a_network_load_balancer_has_tls_and_tcp_and_no_security_group() -> Result<()> {
    let acl = "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/web/0a";
    let mut guarded = serde_json::from_str::<serde_json::Value>(
        ingress("guarded", &["www.example.org"], &[("type", "nlb")]).trim_end_matches("\n---\n"),
    )?;
    guarded["metadata"]["annotations"]["zalando.org/aws-waf-web-acl-id"] = json!(acl);
    let yaml = [
        ingress("shop", &["shop.example.org"], &[("type", "nlb")]),
        format!("{guarded}\n---\n"),
    ];
    let (testbed, world) = world(&yaml.concat()).await?;
    let flags = [
        "--nlb-http-enabled",
        "--nlb-http-target-port=9998",
        "--nlb-cross-zone",
        "--nlb-zone-affinity=availability_zone_affinity",
        "--redirect-http-to-https",
    ];
    well(&testbed, &flags).await?;
    let balancers = load_balancers(&testbed).await?;
    assert_eq!(balancers.len(), 1, "only one Ingress is right");
    assert_eq!(
        balancers[0].r#type(),
        Some(&elb::LoadBalancerTypeEnum::Network)
    );
    assert!(balancers[0].security_groups().is_empty());
    assert_eq!(
        balancers[0].availability_zones().len(),
        world.public_subnets.len()
    );
    assert_eq!(hostnames(&testbed, "shop").await?.len(), 1);
    let said = events(&testbed, "guarded").await?;
    let why = |(reason, text): &(String, String)| {
        reason == "InvalidAnnotation"
            && text.contains("a network load balancer has no zalando.org/aws-waf-web-acl-id")
    };
    assert!(said.iter().any(why), "{said:?}");

    let attributes = attributes(&testbed).await?;
    assert_eq!(attributes["load_balancing.cross_zone.enabled"], "true");
    assert_eq!(
        attributes["dns_record.client_routing_policy"],
        "availability_zone_affinity"
    );
    let mut found: Vec<_> = listeners(&testbed)
        .await?
        .iter()
        .map(|l| {
            let protocol = l.protocol().map_or("", |p| p.as_str()).to_owned();
            (l.port(), protocol, l.certificates().len())
        })
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            (Some(80), "TCP".to_owned(), 0),
            (Some(443), "TLS".to_owned(), 1)
        ]
    );
    let groups = Elb::new(testbed.sdk())
        .describe_target_groups()
        .send()
        .await?;
    let mut ports = Vec::new();
    for group in groups.target_groups() {
        assert_eq!(group.protocol(), Some(&elb::ProtocolEnum::Tcp));
        assert_eq!(
            group.health_check_protocol(),
            Some(&elb::ProtocolEnum::Http)
        );
        assert_eq!(group.healthy_threshold_count(), Some(3));
        assert_eq!(group.unhealthy_threshold_count(), Some(3));
        ports.extend(group.port());
    }
    ports.sort_unstable();
    assert_eq!(ports, [9998, 9999]);

    testbed.gate.clear();
    well(&testbed, &flags).await?;
    assert_eq!(written(&testbed), Vec::<String>::new());
    Ok(())
}

pub(crate) async fn rules(testbed: &Testbed) -> Result<Vec<String>> {
    let elb = Elb::new(testbed.sdk());
    let mut found = Vec::new();
    for listener in listeners(testbed).await? {
        let arn = listener.listener_arn().unwrap_or_default();
        let answer = elb.describe_rules().listener_arn(arn).send().await?;
        for rule in answer
            .rules()
            .iter()
            .filter(|r| r.is_default() != Some(true))
        {
            let hosts = rule
                .conditions()
                .first()
                .and_then(elb::RuleCondition::host_header_config);
            let response = rule
                .actions()
                .first()
                .and_then(elb::Action::fixed_response_config);
            let response = response.context("a fixed response")?;
            found.push(format!(
                "{} {} {:?} {} {}",
                listener.port().unwrap_or_default(),
                rule.priority().unwrap_or_default(),
                hosts
                    .map(elb::HostHeaderConditionConfig::values)
                    .unwrap_or_default(),
                response.status_code().unwrap_or_default(),
                response.message_body().unwrap_or_default(),
            ));
        }
    }
    found.sort();
    Ok(found)
}

#[tokio::test]
async fn internal_hosts_are_refused_as_long_as_the_flag_says_so() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    let deny = "--deny-internal-domains";
    well(&testbed, &[deny]).await?;
    let unauthorized = [
        "443 1 [\"*.cluster.local\"] 401 Unauthorized",
        "80 1 [\"*.cluster.local\"] 401 Unauthorized",
    ];
    assert_eq!(rules(&testbed).await?, unauthorized);
    testbed.gate.clear();
    well(&testbed, &[deny]).await?;
    assert_eq!(written(&testbed), Vec::<String>::new());

    // Someone deletes one by hand.
    let elb = Elb::new(testbed.sdk());
    let listener = listeners(&testbed).await?.remove(0);
    let arn = listener.listener_arn().unwrap_or_default();
    let answer = elb.describe_rules().listener_arn(arn).send().await?;
    let first = answer.rules().first().and_then(elb::Rule::rule_arn);
    elb.delete_rule()
        .rule_arn(first.context("a rule")?)
        .send()
        .await?;
    assert_eq!(rules(&testbed).await?.len(), 1);
    well(&testbed, &[deny]).await?;
    assert_eq!(rules(&testbed).await?, unauthorized);

    let teapot = [
        deny,
        "--internal-domains=*.internal",
        "--deny-internal-domains-response=no",
        "--deny-internal-domains-response-status-code=418",
    ];
    testbed.gate.clear();
    well(&testbed, &teapot).await?;
    assert_eq!(written(&testbed), ["ModifyRule", "ModifyRule"]);
    assert_eq!(rules(&testbed).await?[0], "443 1 [\"*.internal\"] 418 no");
    well(&testbed, &[]).await?;
    assert!(rules(&testbed).await?.is_empty());
    testbed.gate.clear();
    well(&testbed, &[]).await?;
    assert_eq!(written(&testbed), Vec::<String>::new());
    Ok(())
}

pub(crate) async fn web_acl(testbed: &Testbed, name: &str) -> Result<String> {
    let visible = waf::VisibilityConfig::builder()
        .sampled_requests_enabled(false)
        .cloud_watch_metrics_enabled(false)
        .metric_name(name)
        .build()?;
    let allow = waf::DefaultAction::builder()
        .allow(waf::AllowAction::builder().build())
        .build();
    let made = Waf::new(testbed.sdk())
        .create_web_acl()
        .name(name)
        .scope(waf::Scope::Regional)
        .default_action(allow)
        .visibility_config(visible)
        .send()
        .await?;
    let summary = made.summary().context("a summary")?;
    Ok(summary.arn().unwrap_or_default().to_owned())
}

pub(crate) async fn guarded(testbed: &Testbed, acl: &str) -> Result<usize> {
    let answer = Waf::new(testbed.sdk())
        .list_resources_for_web_acl()
        .web_acl_arn(acl)
        .resource_type(waf::ResourceType::ApplicationLoadBalancer)
        .send()
        .await?;
    Ok(answer.resource_arns().len())
}

#[tokio::test]
async fn a_web_acl_comes_first_is_put_back_and_goes_with_the_flag() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    let acl = web_acl(&testbed, "web").await?;
    let flag = format!("--aws-waf-web-acl-id={acl}");
    // WAF has not heard of a load balancer that was made just now.
    let (code, words) = ("WAFUnavailableEntityException", "try again later");
    let not_yet = Fault::error("AssociateWebACL", 400, code, words).times(3);
    testbed.gate.fault(not_yet);
    well(&testbed, &[&flag]).await?;
    let told = events(&testbed, "shop").await?;
    assert!(
        told.iter().all(|(reason, _)| reason != "RefusedByAws"),
        "{told:?}"
    );
    assert_eq!(guarded(&testbed, &acl).await?, 1);
    let mut writes = testbed.gate.writes();
    writes.retain(|call| call.status == 200);
    let at = |action: &str| writes.iter().position(|call| call.action == action);
    let (associated, open) = (at("AssociateWebACL"), at("CreateListener"));
    assert!(associated.is_some() && associated < open, "{writes:?}");
    testbed.gate.clear();
    well(&testbed, &[&flag]).await?;
    assert_eq!(written(&testbed), Vec::<String>::new());
    let balancer = load_balancers(&testbed).await?.remove(0);
    let arn = balancer.load_balancer_arn().unwrap_or_default();

    let by_hand = Waf::new(testbed.sdk());
    by_hand
        .disassociate_web_acl()
        .resource_arn(arn)
        .send()
        .await?;
    well(&testbed, &[&flag]).await?;
    assert_eq!(guarded(&testbed, &acl).await?, 1, "put back");

    let other = web_acl(&testbed, "other").await?;
    well(&testbed, &[&format!("--aws-waf-web-acl-id={other}")]).await?;
    assert_eq!(guarded(&testbed, &acl).await?, 0);
    assert_eq!(guarded(&testbed, &other).await?, 1);
    well(&testbed, &[]).await?;
    assert_eq!(guarded(&testbed, &other).await?, 0);

    // What someone else gave it stays.
    let associate = by_hand.associate_web_acl().web_acl_arn(&acl);
    associate.resource_arn(arn).send().await?;
    testbed.gate.clear();
    well(&testbed, &[]).await?;
    assert_eq!(written(&testbed), Vec::<String>::new());
    assert_eq!(guarded(&testbed, &acl).await?, 1);
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
