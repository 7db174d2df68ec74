//! Every folder of `cases`: settings and ConfigMaps (`cluster.yaml`) and EC2
//! (`aws.yaml`) give this plan (`plan.txt`). `UPDATE_GOLDEN=1` writes the latter anew.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::fmt::Write as _;
use std::path::Path;

use egress_core::{
    Applied, EgressAction, EntryState, Inventory, Status, check, desired, pause, plan, status,
};
use isthmus_core::ObjectRef;

use world::NOW;
use world::aws::{aws, seen};
use world::cluster::cluster;

#[test]
fn cases() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut folders: Vec<_> = std::fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    assert!(folders.len() >= 30, "only {} cases", folders.len());
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for folder in folders {
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        let found = run(&read("cluster.yaml"), &read("aws.yaml"));
        if update {
            std::fs::write(folder.join("plan.txt"), &found).unwrap();
        } else if found != read("plan.txt") {
            wrong.push(format!(
                "--- {}\n{}\n--- but it is\n{found}",
                folder.file_name().unwrap().to_string_lossy(),
                read("plan.txt")
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "UPDATE_GOLDEN=1 accepts these:\n{}",
        wrong.join("\n")
    );
}

fn run(of_cluster: &str, of_aws: &str) -> String {
    let (flags, snapshot) = cluster(of_cluster);
    let config = flags.config();
    let observed = aws(of_aws, &config);
    let (desired, rejections) = desired(&snapshot, &config.guards, &observed.vpc.cidrs);
    let seen = seen(of_aws);
    let inventory = Inventory::new(&observed, &config).having_seen(&seen);
    let mut planned = plan(&desired, &inventory, NOW);
    let broken = check(
        &mut planned,
        &inventory,
        &flags.limit(),
        flags.confirmed_empty,
    );
    assert_eq!(broken, [], "a plan that breaks an invariant");

    let mut out = planned.plan.to_string();
    if let Some(pause) = pause(&planned.plan, &inventory, NOW) {
        writeln!(out, "look again in {pause:?}").unwrap();
    }
    for rejection in rejections.iter().chain(&planned.rejections) {
        writeln!(out, "event on {rejection}").unwrap();
    }
    let applied = as_if_done(&planned.plan);
    for (object, status) in status(&desired, &planned, &inventory, &applied) {
        show(&mut out, &object, &status);
    }
    out
}

/// The status is shown as it is after the steps were carried out.
fn as_if_done(plan: &isthmus_core::Plan<EgressAction>) -> Applied {
    let done = plan.active().filter_map(|step| match &step.action {
        EgressAction::CreateRoute { table, network, .. }
        | EgressAction::ReplaceRoute { table, network, .. } => Some((table.clone(), *network)),
        _ => None,
    });
    Applied {
        done: done.collect(),
        ..Applied::default()
    }
}

fn show(out: &mut String, object: &ObjectRef, status: &Status) {
    writeln!(
        out,
        "status of {object}: public IPs {:?}",
        status.public_ips
    )
    .unwrap();
    for entry in &status.entries {
        let state = match entry.state {
            EntryState::Accepted => "accepted",
            EntryState::Pending => "pending",
            EntryState::Conflict => "conflict",
            EntryState::Rejected => "rejected",
        };
        write!(out, "  {} {:?}: {state}", entry.key, entry.value).unwrap();
        if let Some(reason) = &entry.reason {
            write!(out, " {reason}").unwrap();
        }
        match &entry.message {
            Some(message) if entry.state != EntryState::Rejected => {
                writeln!(out, ": {message}").unwrap();
            }
            _ => writeln!(out).unwrap(),
        }
    }
    for zone in &status.zones {
        write!(out, "  {} is {}", zone.zone, zone.state).unwrap();
        if let Some(message) = &zone.message {
            write!(out, ": {message}").unwrap();
        }
        writeln!(out).unwrap();
    }
}
