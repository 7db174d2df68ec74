//! Moving from kube-static-egress-controller, step by step as the page
//! `docs/migrating/from-kube-static-egress-controller.md` says, its own command lines included.
//!
//! What the stack of the old controller makes is made here by hand, and so is
//! what the deletion of the stack takes away: no emulator has a CloudFormation.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws_sdk_ec2::types::Tag;
use isthmus_e2e::{CLUSTER_ID, Finished, eventually};
use serde_json::{Value, json};

use crate::old_stack::{BANK, TAX, old_stack};
use crate::picture::tag_of;
use crate::stage::{BINARY, Stage, entries};

const PAGE: &str = "../docs/migrating/from-kube-static-egress-controller.md";
/// The page's nth command line of `isthmus-egress`, with what stands for the
/// variables in it.
fn command(nth: usize, variables: &BTreeMap<&str, String>) -> Result<Vec<String>> {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = std::fs::read_to_string(page)?.replace("\\\n", " ");
    let mut lines = page.lines().map(str::trim);
    let line = lines
        .by_ref()
        .filter(|line| line.starts_with("isthmus-egress --"))
        .nth(nth);
    let mut line = line.context("a command line on the page")?.to_owned();
    for (name, value) in variables {
        line = line.replace(&format!("\"${name}\""), value);
    }
    anyhow::ensure!(!line.contains('$'), "a variable without a value: {line}");
    Ok(line.split_whitespace().skip(1).map(str::to_owned).collect())
}

fn variables(stage: &Stage, third: u32) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("CLUSTER", CLUSTER_ID.to_owned()),
        ("VPC", stage.world.vpc.clone()),
        ("ZONE_A", "eu-central-1a".to_owned()),
        ("ZONE_B", "eu-central-1b".to_owned()),
        ("CIDR_A", format!("10.20.{third}.0/28")),
        ("CIDR_B", format!("10.20.{third}.16/28")),
    ])
}

async fn run(stage: &Stage, args: &[String]) -> Result<Finished> {
    stage.testbed.command(BINARY).await?.args(args).run().await
}

/// Ids, addresses, networks and routes of everything there is, without its tags.
async fn everything(stage: &Stage) -> Result<String> {
    let ec2 = stage.ec2();
    let subnets = ec2.describe_subnets().send().await?;
    let tables = ec2.describe_route_tables().send().await?;
    let addresses = ec2.describe_addresses().send().await?;
    let nats = ec2.describe_nat_gateways().send().await?;
    let mut lines: Vec<String> = Vec::new();
    for it in subnets.subnets() {
        lines.push(format!("{:?} {:?}", it.subnet_id, it.cidr_block));
    }
    for it in tables.route_tables() {
        lines.push(format!(
            "{:?} {:?} {:?}",
            it.route_table_id, it.routes, it.associations
        ));
    }
    for it in addresses.addresses() {
        lines.push(format!(
            "{:?} {:?} {:?}",
            it.allocation_id, it.public_ip, it.association_id
        ));
    }
    for it in nats.nat_gateways() {
        let addresses = &it.nat_gateway_addresses;
        lines.push(format!(
            "{:?} {:?} {addresses:?}",
            it.nat_gateway_id, it.state
        ));
    }
    lines.sort();
    Ok(lines.join("\n"))
}

async fn tags_of(stage: &Stage, allocation: &str) -> Result<Vec<Tag>> {
    let request = stage.ec2().describe_addresses().allocation_ids(allocation);
    let found = request.send().await?;
    Ok(found
        .addresses()
        .first()
        .context("the address")?
        .tags()
        .to_vec())
}

#[tokio::test]
async fn what_is_there_is_taken_over_and_nothing_of_it_changes() -> Result<()> {
    let stage = Stage::new().await?;
    let old = old_stack(&stage, "kube-static-egress-controller").await?;
    stage
        .apply("partners", &[("bank", BANK), ("tax", TAX)])
        .await?;
    eventually("the old NAT gateways", async || {
        let all = everything(&stage).await?;
        Ok((all.matches("Some(Available)").count() == 2).then_some(()))
    })
    .await?;
    let before = everything(&stage).await?;

    // Step 4: the dry run, with the flag that the old controller had besides.
    let mut args = command(0, &variables(&stage, 255))?;
    args.push("--additional-stack-tags=InfrastructureComponent=true".to_owned());
    let finished = run(&stage, &args).await?;
    assert_eq!(finished.code, Some(0), "{finished}");
    let plan: Vec<_> = finished.stdout.lines().collect();
    assert_eq!(plan.len(), 8, "four things in each zone: {finished}");
    let tags_only = |line: &&str| line.starts_with("~ ") && line.contains(" tags isthmus.dev/");
    assert!(plan.iter().all(tags_only), "{finished}");
    assert_eq!(stage.testbed.gate.writes().len(), 0);

    // Step 5: the start. It stays up to be seen doing nothing more.
    args.retain(|arg| arg != "--once" && arg != "--dry-run");
    let mut process = stage.testbed.command(BINARY).await?.args(&args).spawn()?;
    process.wait_ready().await?;
    let public_ips: Vec<_> = old.iter().map(|zone| zone.public_ip.clone()).collect();
    eventually("the public IPs on the ConfigMap", async || {
        let status = stage.status("partners").await?;
        Ok((status["publicIPs"] == json!(public_ips)).then_some(()))
    })
    .await?;
    stage.until_accepted("partners").await?;
    crate::process::settled(&stage, &process).await?;
    let (_, page) = process.admin_page("/").await?;
    assert!(
        public_ips.iter().all(|ip| page.contains(ip.as_str())),
        "{page}"
    );
    process.terminate().await?;
    assert_eq!(everything(&stage).await?, before, "nothing has moved");
    for call in stage.testbed.gate.writes() {
        let keys = call
            .params
            .iter()
            .filter(|(name, _)| name.ends_with(".Key"));
        let ours = keys
            .map(|(_, key)| key)
            .all(|key| key.starts_with("isthmus.dev/"));
        assert!(call.action == "CreateTags" && ours, "{call:?}");
    }

    // Step 6 takes nothing away. From then on it is ours like all else.
    args.push("--once".to_owned());
    stage.testbed.gate.clear();
    assert_eq!(run(&stage, &args).await?.code, Some(0));
    assert_eq!(stage.testbed.gate.writes().len(), 0);
    stage.delete("partners").await?;
    assert_eq!(run(&stage, &args).await?.code, Some(0));
    let kept: Vec<_> = public_ips
        .iter()
        .zip(["a", "b"])
        .map(|(ip, letter)| format!("address eu-central-1{letter} {ip} free"))
        .collect();
    assert_eq!(stage.picture().await?, kept);
    Ok(())
}

#[tokio::test]
async fn a_flag_that_differs_is_seen_in_the_dry_run() -> Result<()> {
    let stage = Stage::new().await?;
    old_stack(&stage, "kube-static-egress-controller").await?;
    stage
        .apply("partners", &[("bank", BANK), ("tax", TAX)])
        .await?;
    let differing = command(0, &variables(&stage, 254))?;
    let finished = run(&stage, &differing).await?;
    assert!(
        finished
            .stdout
            .contains("! + subnet eu-central-1a: 10.20.254.0/28"),
        "{finished}"
    );
    let mut differing = command(0, &variables(&stage, 255))?;
    differing.push("--controller-id=another".to_owned());
    let finished = run(&stage, &differing).await?;
    assert!(!finished.stdout.contains('~'), "{finished}");
    assert_eq!(
        finished.code,
        Some(1),
        "the networks of the zones are taken: {finished}"
    );
    assert_eq!(stage.testbed.gate.writes().len(), 0);
    Ok(())
}

#[tokio::test]
async fn addresses_are_handed_over_and_stay_the_same() -> Result<()> {
    let stage = Stage::new().await?;
    let old = old_stack(&stage, "the-old-one").await?;
    stage
        .apply("partners", &[("bank", BANK), ("tax", TAX)])
        .await?;
    let before = everything(&stage).await?;

    // Step 2: started while the stack is there.
    let mut variables = variables(&stage, 254);
    variables.insert("EIP_A", old[0].allocation.clone());
    variables.insert("EIP_B", old[1].allocation.clone());
    let mut args = command(1, &variables)?;
    for arg in &mut args {
        *arg = arg.replace("--resync-interval=30s", "--resync-interval=1s");
    }
    let mut process = stage.testbed.command(BINARY).await?.args(&args).spawn()?;
    process.wait_ready().await?;
    eventually("what it waits for", async || {
        let events = stage.events("partners").await?;
        let said = |reason: &str| events.iter().any(|event| event.starts_with(reason));
        Ok((said("AddressInUse: ") && said("RouteConflict: ")).then_some(()))
    })
    .await?;
    eventually("the conflicts on the ConfigMap", async || {
        let found = entries(&stage.status("partners").await?);
        let waiting = |entry: &String| entry.ends_with(" conflict RouteConflict");
        Ok((found.len() == 2 && found.iter().all(waiting)).then_some(()))
    })
    .await?;
    assert_eq!(stage.testbed.gate.writes().len(), 0, "nothing is begun");
    let unchanged = |all: &str| all.matches("Available").count() + all.matches("Pending").count();
    assert_eq!(unchanged(&everything(&stage).await?), unchanged(&before));

    // Step 3: the stack goes.
    for zone in &old {
        zone.delete_all_but_the_address(&stage).await?;
    }
    // Step 4: the same public IPs.
    let public_ips: Value = json!([old[0].public_ip, old[1].public_ip]);
    eventually("the public IPs on the ConfigMap", async || {
        let status = stage.status("partners").await?;
        let accepted = entries(&status)
            .iter()
            .all(|entry| entry.ends_with(" accepted"));
        Ok((accepted && status["publicIPs"] == public_ips).then_some(()))
    })
    .await?;
    process.terminate().await?;
    assert_eq!(stage.testbed.gate.calls_of("AllocateAddress").len(), 0);
    for zone in &old {
        let tags = tags_of(&stage, &zone.allocation).await?;
        assert_eq!(
            tag_of(&tags, "isthmus.dev/adopted").as_deref(),
            Some("true")
        );
    }

    // They are never released, also once the flag is gone.
    args.retain(|arg| !arg.starts_with("--eip-allocation-id"));
    args.extend(["--once", "--release-eips"].map(str::to_owned));
    stage.delete("partners").await?;
    let finished = run(&stage, &args).await?;
    assert_eq!(finished.code, Some(0), "{finished}");
    assert_eq!(stage.testbed.gate.calls_of("ReleaseAddress").len(), 0);
    let left = stage.ec2().describe_addresses().send().await?;
    assert_eq!(left.addresses().len(), 2);
    Ok(())
}
