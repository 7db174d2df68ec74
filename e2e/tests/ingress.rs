//! `isthmus-ingress` from an Ingress to its load balancer and back, at the emulators.

#[path = "ingress/alarms.rs"]
mod alarms;
#[path = "ingress/certificates.rs"]
mod certificates;
#[path = "ingress/discovery.rs"]
mod discovery;
#[path = "ingress/drift.rs"]
mod drift;
#[path = "ingress/everything.rs"]
mod everything;
#[path = "ingress/features.rs"]
mod features;
#[path = "ingress/packing.rs"]
mod packing;
#[path = "ingress/pages.rs"]
mod pages;
#[path = "ingress/reading.rs"]
mod reading;
#[path = "ingress/removal.rs"]
mod removal;
#[path = "ingress/replicas.rs"]
mod replicas;
#[path = "ingress/rest.rs"]
mod rest;
#[path = "ingress/sources.rs"]
mod sources;
#[path = "ingress/trouble.rs"]
mod trouble;

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use aws_sdk_elasticloadbalancingv2::Client as Elb;
use aws_sdk_elasticloadbalancingv2::types as elb;
use isthmus_e2e::{
    CLUSTER_ID, EmulatorSettings, Fault, Finished, PATIENCE, Process, Scenario, Testbed, World,
    eventually, kill_after_every_call,
};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use reading::{end_state, events, hostnames, ingresses, is_empty, load_balancers, targets};
use serde_json::json;

const BINARY: &str = "isthmus-ingress";
const CLUSTER: &str = "--cluster-id=aws:123456789012:eu-central-1:kube-1";
/// What is not needed goes at once.
const NO_GRACE: &str = "--cert-ttl-timeout=0s";

fn ingress(name: &str, hosts: &[&str], annotations: &[(&str, &str)]) -> String {
    let rules: Vec<_> = hosts.iter().map(|host| json!({"host": host})).collect();
    let annotations: BTreeMap<_, _> = annotations
        .iter()
        .map(|(key, value)| (format!("zalando.org/aws-load-balancer-{key}"), *value))
        .collect();
    let object = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"namespace": "default", "name": name, "annotations": annotations},
        "spec": {"rules": rules},
    });
    format!("{object}\n---\n")
}

fn shop() -> String {
    ingress("shop", &["shop.example.org"], &[])
}

async fn world(yaml: &str) -> Result<(Testbed, World)> {
    let testbed = Testbed::acquire().await?;
    let world = World::create(&testbed).await?;
    testbed.apply_yaml(yaml).await?;
    Ok((testbed, world))
}

async fn once(testbed: &Testbed, more: &[&str]) -> Result<Finished> {
    let args = [&["--once", CLUSTER], more].concat();
    testbed.run(BINARY, &args).await
}

async fn well(testbed: &Testbed, more: &[&str]) -> Result<Finished> {
    let finished = once(testbed, more).await?;
    ensure!(finished.code == Some(0), "{finished}");
    Ok(finished)
}

/// How many reconciles a controller has behind it.
async fn reconciles(process: &Process) -> Result<u64> {
    const COUNT: &str = r#"isthmus_reconcile_duration_seconds_count{step="total"} "#;
    let (_, metrics) = process.admin_page("/metrics").await?;
    let count = metrics.lines().find_map(|line| line.strip_prefix(COUNT));
    Ok(count.unwrap_or("0").trim().parse()?)
}

async fn annotate(testbed: &Testbed, name: &str, key: &str, value: &str) -> Result<()> {
    let patch = json!({"metadata": {"annotations": {key: value}}});
    ingresses(testbed)
        .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
        .await?;
    Ok(())
}

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
    let hostname = eventually("the status", async || {
        Ok(hostnames(&testbed, "shop").await?.pop())
    })
    .await?;
    let balancers = load_balancers(&testbed).await?;
    assert_eq!(balancers.len(), 1);
    let balancer = &balancers[0];
    assert_eq!(
        hostname,
        balancer.dns_name().unwrap_or_default().to_lowercase()
    );
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
    let mut process = testbed.spawn(BINARY, &[CLUSTER]).await?;
    process.wait_ready().await?;
    let first = testbed.gate.calls();
    assert!(
        testbed.gate.writes().is_empty(),
        "{:?}",
        testbed.gate.writes()
    );
    assert!(
        first.len() < 25,
        "{} calls for one load balancer",
        first.len()
    );

    let before = reconciles(&process).await?;
    annotate(&testbed, "shop", "example.org/unimportant", "value").await?;
    eventually("a reconcile", async || {
        Ok((reconciles(&process).await? > before).then_some(()))
    })
    .await?;
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
async fn targets_follow_the_nodes_and_are_never_all_taken_away() -> Result<()> {
    let (testbed, world) = world(&shop()).await?;
    let mut process = testbed.spawn(BINARY, &[CLUSTER]).await?;
    process.wait_ready().await?;
    eventually("the status", async || {
        Ok(hostnames(&testbed, "shop").await?.pop())
    })
    .await?;
    assert_eq!(targets(&testbed).await?.len(), 2);
    let nodes: Api<k8s_openapi::api::core::v1::Node> = Api::all(testbed.kube());
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

    let before = reconciles(&process).await?;
    nodes.delete(&second.node, &DeleteParams::default()).await?;
    eventually("a reconcile", async || {
        Ok((reconciles(&process).await? > before).then_some(()))
    })
    .await?;
    assert_eq!(
        targets(&testbed).await?,
        std::slice::from_ref(&second.id),
        "the last one stays"
    );
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
    eventually("the status", async || {
        Ok(hostnames(&testbed, "shop").await?.pop())
    })
    .await?;
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

    testbed.gate.clear();
    well(&testbed, &["--cert-ttl-timeout=1h"]).await?;
    assert!(testbed.gate.writes().is_empty(), "the time is remembered");
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
    testbed.gate.clear();
    well(&testbed, &[NO_GRACE]).await?;
    assert!(
        testbed.gate.writes().is_empty(),
        "{:?}",
        testbed.gate.writes()
    );
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

#[tokio::test]
async fn a_dry_run_prints_the_plan_and_touches_nothing() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    let finished = well(&testbed, &["--dry-run"]).await?;
    for line in [
        "+ target-group kube-public-",
        "+ target kube-public-",
        "+ load-balancer kube-public-",
        ":443: HTTPS, ELBSecurityPolicy-2016-08, default arn:aws:acm:",
        ":80: HTTP, to kube-public-",
    ] {
        assert!(
            finished.stdout.contains(line),
            "{line} is not in\n{finished}"
        );
    }
    assert!(
        testbed.gate.writes().is_empty(),
        "{:?}",
        testbed.gate.writes()
    );
    assert!(hostnames(&testbed, "shop").await?.is_empty());
    assert!(events(&testbed, "shop").await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn cluster_and_vpc_are_found_without_flags() -> Result<()> {
    let (testbed, world) = world(&shop()).await?;
    testbed
        .imds
        .set("meta-data/instance-id", &world.instances[0].id);
    let finished = testbed.run(BINARY, &["--once"]).await?;
    assert_eq!(finished.code, Some(0), "{finished}");
    let state = end_state(&testbed).await?;
    assert!(
        state.contains(&format!(
            "\"kubernetes.io/cluster/{CLUSTER_ID}\": \"owned\""
        )),
        "{state}"
    );
    Ok(())
}

#[tokio::test]
async fn killed_after_every_call_of_a_creation() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let report = kill_after_every_call(
        &testbed,
        Scenario {
            binary: BINARY,
            prepare: async |testbed: &Testbed| {
                World::create(testbed).await?;
                let two = ingress("both", &["shop.example.org", "blog.example.org"], &[]);
                testbed.apply_yaml(&two).await?;
                Ok(vec![CLUSTER.to_owned(), NO_GRACE.to_owned()])
            },
            end_state,
        },
    )
    .await?;
    assert!(
        report.end_state.contains("used by 1 targets 2"),
        "{}",
        report.end_state
    );
    assert!(
        report.end_state.contains("ingress both [\"kube-public-"),
        "{}",
        report.end_state
    );
    let writes = report.calls.iter().filter(|call| call.is_write()).count();
    assert_eq!(writes, 7, "{:?}", report.calls);
    Ok(())
}

#[tokio::test]
async fn killed_after_every_call_of_a_deletion() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let report = kill_after_every_call(
        &testbed,
        Scenario {
            binary: BINARY,
            prepare: async |testbed: &Testbed| {
                World::create(testbed).await?;
                testbed.apply_yaml(&shop()).await?;
                well(testbed, &[]).await?;
                ingresses(testbed)
                    .delete("shop", &DeleteParams::default())
                    .await?;
                Ok(vec![CLUSTER.to_owned(), NO_GRACE.to_owned()])
            },
            end_state,
        },
    )
    .await?;
    assert_eq!(report.end_state, "");
    Ok(())
}

#[tokio::test]
async fn any_fault_on_any_write_is_overcome() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    let quiet = async || {
        ensure!(
            testbed
                .gate
                .writes()
                .iter()
                .any(|call| call.action == "CreateLoadBalancer")
        );
        end_state(&testbed).await
    };
    well(&testbed, &[NO_GRACE]).await?;
    let expected = quiet().await?;
    for action in [
        "CreateTargetGroup",
        "RegisterTargets",
        "CreateLoadBalancer",
        "CreateListener",
    ] {
        for fault in [
            Fault::throttle(action),
            Fault::internal_error(action),
            Fault::cut(action),
            Fault::lost_answer(action),
            Fault::malformed(action),
        ] {
            ingresses(&testbed)
                .delete("shop", &DeleteParams::default())
                .await?;
            well(&testbed, &[NO_GRACE]).await?;
            assert_eq!(end_state(&testbed).await?, "");
            testbed.apply_yaml(&shop()).await?;
            testbed.gate.clear();
            testbed.gate.fault(fault.clone());
            well(&testbed, &[NO_GRACE])
                .await
                .with_context(|| format!("{fault:?}"))?;
            assert_eq!(quiet().await?, expected, "{fault:?}");
            testbed.gate.clear_faults();
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_refusal_is_told_to_the_ingress_and_stops_no_other() -> Result<()> {
    let alone = ingress("alone", &["alone.example.org"], &[("shared", "false")]);
    let (testbed, _) = world(&[shop(), alone].concat()).await?;
    let refused = Fault::error(
        "CreateLoadBalancer",
        400,
        "InvalidSubnet",
        "The subnet is too small",
    );
    testbed.gate.fault(refused);
    let finished = once(&testbed, &[]).await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    let events = events(&testbed, "alone").await?;
    assert!(
        events
            .iter()
            .any(|(reason, text)| reason == "RefusedByAws" && text.contains("InvalidSubnet")),
        "{events:?}"
    );
    assert_eq!(load_balancers(&testbed).await?.len(), 1, "the other one");
    Ok(())
}

#[tokio::test]
async fn every_wrong_flag_is_said_in_a_line_of_its_own() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let wrong = [
        "--ip-addr-type=ipv6",
        "--load-balancer-type=classic",
        "--max-certs-alb=25",
        "--ssl-policy=modern",
    ];
    let finished = once(&testbed, &wrong).await?;
    assert_eq!(finished.code, Some(2), "{finished}");
    let mut flags: Vec<_> = finished
        .stderr
        .lines()
        .filter_map(|line| line.split(':').next())
        .collect();
    flags.sort_unstable();
    let expected: Vec<_> = wrong
        .iter()
        .filter_map(|flag| flag.split('=').next())
        .collect();
    assert_eq!(flags, expected, "{finished}");
    assert!(
        testbed.gate.calls().is_empty(),
        "{:?}",
        testbed.gate.calls()
    );
    Ok(())
}

#[tokio::test]
async fn what_is_missing_at_the_start_is_said_in_one_line() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let command = async || {
        testbed
            .command(BINARY)
            .await
            .map(|c| c.args(&["--once", CLUSTER]))
    };
    let file = testbed.scratch()?.join("kubeconfig");
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {}}],
    });
    std::fs::write(&file, kubeconfig.to_string())?;
    let nowhere = command()
        .await?
        .env("KUBECONFIG", &file.display().to_string());
    one_line(
        &nowhere.run().await?,
        "the Kubernetes API server http://127.0.0.1:1/",
    );

    let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    let bare = keys
        .iter()
        .fold(command().await?, |command, key| command.env_remove(key));
    let finished = bare.env("AWS_EC2_METADATA_DISABLED", "true").run().await?;
    one_line(
        &finished,
        "no AWS credentials: looked for AWS_ACCESS_KEY_ID",
    );

    let homeless = testbed.command(BINARY).await?.args(&["--once"]);
    let finished = homeless
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .run()
        .await?;
    one_line(&finished, "no cluster id: --cluster-id is not given, and ");
    assert!(
        testbed.gate.writes().is_empty(),
        "{:?}",
        testbed.gate.writes()
    );
    Ok(())
}

#[tokio::test]
async fn what_aws_does_not_answer_is_said_and_nothing_is_written() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    let command = testbed.command(BINARY).await?.args(&["--once", CLUSTER]);
    let finished = command
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .run()
        .await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(
        finished
            .stderr
            .contains("ListCertificates: AWS was not reached"),
        "{finished}"
    );

    testbed.gate.fault(Fault::denied("DescribeLoadBalancers"));
    let finished = once(&testbed, &[]).await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(
        finished
            .stderr
            .contains("DescribeLoadBalancers: AccessDenied"),
        "{finished}"
    );
    assert!(
        testbed.gate.writes().is_empty(),
        "{:?}",
        testbed.gate.writes()
    );
    Ok(())
}

fn one_line(finished: &Finished, begins: &str) {
    assert_eq!(finished.code, Some(1), "{finished}");
    let line = format!("{BINARY}: {begins}");
    let said: Vec<_> = finished
        .stderr
        .lines()
        .filter(|l| l.starts_with(&line))
        .collect();
    assert_eq!(said.len(), 1, "{finished}");
}
