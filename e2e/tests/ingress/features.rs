//! Network load balancers, refused hosts and web ACLs.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws_sdk_elasticloadbalancingv2::Client as Elb;
use aws_sdk_elasticloadbalancingv2::types as elb;
use aws_sdk_wafv2::Client as Waf;
use aws_sdk_wafv2::types as waf;
use isthmus_e2e::{Fault, Testbed};
use serde_json::json;

use super::reading::{events, hostnames, load_balancers};
use super::{idle, ingress, shop, well, world};

/// The actions that were written, in order.
pub(crate) fn written(testbed: &Testbed) -> Vec<String> {
    let writes = testbed.gate.writes().into_iter();
    writes.map(|call| call.action).collect()
}

pub(crate) async fn attributes(testbed: &Testbed) -> Result<BTreeMap<String, String>> {
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

    idle(&testbed, &flags).await?;
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
    idle(&testbed, &[deny]).await?;

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
    idle(&testbed, &[]).await?;
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
    idle(&testbed, &[&flag]).await?;
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
    idle(&testbed, &[]).await?;
    assert_eq!(guarded(&testbed, &acl).await?, 1);
    Ok(())
}
