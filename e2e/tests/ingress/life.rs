//! From an Ingress to its load balancer and back.

use std::collections::BTreeMap;

use anyhow::Result;
use aws_sdk_elasticloadbalancingv2::Client as Elb;
use aws_sdk_elasticloadbalancingv2::types as elb;
use isthmus_e2e::{CLUSTER_ID, EmulatorSettings, PATIENCE, eventually};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use super::reading::{end_state, events, hostname, hostnames, ingresses, is_empty, load_balancers};
use super::{
    BINARY, CLUSTER, NO_GRACE, NO_RESYNC, for_nothing, idle, ingress, nothing_written, shop, well,
    world,
};

#[tokio::test]
async fn an_ingress_gets_its_load_balancer_and_takes_it_along() -> Result<()> {
    let (testbed, world) = world("").await?;
    let mut process = testbed.spawn(BINARY, &[CLUSTER, NO_GRACE]).await?;
    process.wait_ready().await?;
    assert!(
        testbed.gate.writes().is_empty(),
        "nothing asks for anything yet"
    );

    testbed.apply_yaml(&shop()).await?;
    let told = hostname(&testbed, "shop").await?;
    let balancers = load_balancers(&testbed).await?;
    assert_eq!(balancers.len(), 1);
    let balancer = &balancers[0];
    assert_eq!(told, balancer.dns_name().unwrap_or_default().to_lowercase());
    assert_eq!(
        balancer.scheme(),
        Some(&elb::LoadBalancerSchemeEnum::InternetFacing)
    );
    assert_eq!(
        balancer.security_groups(),
        std::slice::from_ref(&world.security_group)
    );
    let mut subnets: Vec<_> = balancer
        .availability_zones()
        .iter()
        .filter_map(|z| z.subnet_id())
        .collect();
    subnets.sort_unstable();
    let mut public: Vec<_> = world.public_subnets.iter().map(|s| s.id.as_str()).collect();
    public.sort_unstable();
    assert_eq!(subnets, public);
    let state = end_state(&testbed).await?;
    for part in [
        "Some(443) Some(Https) Some(\"ELBSecurityPolicy-2016-08\") Some(Forward) [\"shop.example.org\"] 1 default",
        "listener Some(80) Some(Http) ",
        "Some(9999) Some(\"/kube-system/healthz\") used by 1 targets 2",
        &format!("\"kubernetes.io/cluster/{CLUSTER_ID}\": \"owned\""),
        "\"kubernetes:application\": \"kube-ingress-aws-controller\"",
    ] {
        assert!(state.contains(part), "{part} is not in\n{state}");
    }
    for create in testbed
        .gate
        .calls()
        .iter()
        .filter(|call| call.action.starts_with("Create"))
    {
        assert!(
            create.params.keys().any(|key| key.starts_with("Tags.")),
            "made with tags: {create}"
        );
    }

    ingresses(&testbed)
        .delete("shop", &DeleteParams::default())
        .await?;
    eventually("the end", async || {
        Ok(is_empty(&testbed).await?.then_some(()))
    })
    .await?;
    assert_eq!(testbed.gate.throttled(), 0);
    assert_eq!(process.terminate().await?.code, Some(0));
    Ok(())
}

#[tokio::test]
async fn a_second_run_writes_nothing_and_an_event_reads_nothing() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    well(&testbed, &[]).await?;
    assert_eq!(hostnames(&testbed, "shop").await?.len(), 1);
    testbed.gate.clear();
    let mut process = testbed.spawn(BINARY, &[CLUSTER, NO_RESYNC]).await?;
    process.wait_ready().await?;
    let first = testbed.gate.calls();
    nothing_written(&testbed);
    assert!(
        first.len() < 25,
        "{} calls for one load balancer",
        first.len()
    );

    for_nothing(&testbed, &process, "shop").await?;
    assert_eq!(
        testbed.gate.calls().len(),
        first.len(),
        "nothing is read for it"
    );

    let (_, page) = process.admin_page("/").await?;
    assert!(
        page.contains("default/shop") && page.contains("active"),
        "{page}"
    );
    assert_eq!(testbed.gate.throttled(), 0);
    Ok(())
}

#[tokio::test]
async fn ingresses_share_and_one_without_a_certificate_harms_no_other() -> Result<()> {
    let yaml = [
        shop(),
        ingress("blog", &["blog.example.org", "blog.example.com"], &[]),
        ingress("alone", &["alone.example.org"], &[("shared", "false")]),
        ingress("inside", &["inside.example.org"], &[("scheme", "internal")]),
        ingress("nobody", &["www.example.net"], &[]),
        ingress("typo", &["typo.example.org"], &[("scheme", "Internal")]),
    ];
    let (testbed, _) = world(&yaml.concat()).await?;
    well(&testbed, &[]).await?;
    let mut told = BTreeMap::new();
    for name in ["shop", "blog", "alone", "inside", "nobody", "typo"] {
        told.insert(name, hostnames(&testbed, name).await?);
    }
    assert_eq!(told["shop"].len(), 1);
    assert_eq!(told["shop"], told["blog"]);
    assert_ne!(told["shop"], told["alone"]);
    assert!(told["inside"][0].starts_with("internal-"), "{told:?}");
    assert!(told["nobody"].is_empty() && told["typo"].is_empty());
    assert_eq!(load_balancers(&testbed).await?.len(), 3);

    for (name, reason, part) in [
        ("blog", "NoCertificate", "blog.example.com"),
        ("nobody", "NoCertificate", "www.example.net"),
        (
            "typo",
            "InvalidAnnotation",
            "\"Internal\" is not allowed; allowed: internal, internet-facing",
        ),
        ("shop", "LoadBalancerReady", &told["shop"][0]),
    ] {
        let events = events(&testbed, name).await?;
        let said = events
            .iter()
            .any(|(r, text)| r == reason && text.contains(part));
        assert!(said, "{name}: {reason} {part} is not in {events:?}");
    }
    assert_eq!(testbed.gate.throttled(), 0);
    Ok(())
}

#[tokio::test]
async fn the_name_is_told_when_a_target_is_healthy_or_time_has_passed() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    let sick = EmulatorSettings {
        target_health: Some(("unhealthy".into(), "Target.FailedHealthChecks".into())),
        ..EmulatorSettings::default()
    };
    testbed.emulators().configure(&sick).await?;
    let mut process = testbed.spawn(BINARY, &[CLUSTER]).await?;
    process.wait_ready().await?;
    let asked = |calls: &[isthmus_e2e::Call]| {
        calls
            .iter()
            .filter(|call| call.action == "DescribeTargetHealth")
            .count()
            >= 3
    };
    testbed.gate.wait_for(PATIENCE, asked).await?;
    assert!(hostnames(&testbed, "shop").await?.is_empty());
    testbed
        .emulators()
        .configure(&EmulatorSettings::default())
        .await?;
    hostname(&testbed, "shop").await?;
    process.terminate().await?;

    let patch = json!({"status": {"loadBalancer": null}});
    ingresses(&testbed)
        .patch_status("shop", &PatchParams::default(), &Patch::Merge(&patch))
        .await?;
    testbed.emulators().configure(&sick).await?;
    well(&testbed, &["--min-load-balancer-age=0s"]).await?;
    assert_eq!(hostnames(&testbed, "shop").await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_unused_load_balancer_is_kept_for_a_while_over_restarts() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    well(&testbed, &[]).await?;
    ingresses(&testbed)
        .delete("shop", &DeleteParams::default())
        .await?;
    testbed.gate.clear();
    well(&testbed, &["--cert-ttl-timeout=1h"]).await?;
    let writes: Vec<_> = testbed
        .gate
        .writes()
        .into_iter()
        .map(|call| call.action)
        .collect();
    assert_eq!(writes, ["AddTags"]);
    let state = end_state(&testbed).await?;
    assert!(state.contains("isthmus.dev/unused-since"), "{state}");

    // The time is remembered.
    idle(&testbed, &["--cert-ttl-timeout=1h"]).await?;
    testbed.apply_yaml(&shop()).await?;
    well(&testbed, &["--cert-ttl-timeout=1h"]).await?;
    let state = end_state(&testbed).await?;
    assert!(
        !state.contains("unused-since") && state.contains("ingress shop [\"kube-"),
        "{state}"
    );

    ingresses(&testbed)
        .delete("shop", &DeleteParams::default())
        .await?;
    well(&testbed, &[NO_GRACE]).await?;
    assert_eq!(end_state(&testbed).await?, "");
    Ok(())
}

#[tokio::test]
async fn what_is_not_ours_is_never_touched() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    well(&testbed, &[]).await?;
    let elb = Elb::new(testbed.sdk());
    let balancer = load_balancers(&testbed).await?.remove(0);
    elb.remove_tags()
        .resource_arns(balancer.load_balancer_arn().unwrap_or_default())
        .tag_keys("kubernetes:application")
        .send()
        .await?;
    let foreign = "isthmus-e2e-foreign";
    elb.create_load_balancer()
        .name(foreign)
        .set_subnets(Some(
            balancer
                .availability_zones()
                .iter()
                .filter_map(|z| z.subnet_id.clone())
                .collect(),
        ))
        .tags(
            elb::Tag::builder()
                .key("kubernetes:application")
                .value("kube-ingress-aws-controller")
                .build(),
        )
        .send()
        .await?;
    idle(&testbed, &[NO_GRACE]).await?;
    let name = balancer.load_balancer_name().unwrap_or_default();
    let events = events(&testbed, "shop").await?;
    assert!(
        events
            .iter()
            .any(|(reason, text)| reason == "NotOwned" && text.contains(name)),
        "{events:?}"
    );
    ingresses(&testbed)
        .delete("shop", &DeleteParams::default())
        .await?;
    well(&testbed, &[NO_GRACE]).await?;
    let left: Vec<_> = load_balancers(&testbed)
        .await?
        .into_iter()
        .filter_map(|b| b.load_balancer_name)
        .collect();
    assert!(
        left.contains(&name.to_owned()) && left.contains(&foreign.to_owned()),
        "{left:?}"
    );
    Ok(())
}
