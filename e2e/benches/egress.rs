//! What `isthmus-egress` costs: deciding about many networks, and being at rest.
//!
//! `cargo bench -p isthmus-e2e --bench egress` prints the tables; without `--bench`
//! among its arguments, as under `cargo test`, it says so and ends.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use egress_core::{
    Address, Applied, CidrList, Config, EgressAction, Guards, Inventory, NatGateway, NatState,
    Observed, Route, RouteTable, Snapshot, Subnet, Tags, Target, Vpc, Zone, check, desired, plan,
    status, tags,
};
use isthmus_core::{ObjectRef, Ownership, RemovalLimit};
use isthmus_e2e::{CLUSTER_ID, PATIENCE, Testbed, World};

const ZONES: [&str; 3] = ["a", "b", "c"];
const NOW: i64 = 1_793_491_200;
/// Networks in a ConfigMap.
const IN_A_LIST: usize = 50;

fn main() -> Result<()> {
    if !std::env::args().any(|arg| arg == "--bench") {
        println!("egress: run by cargo bench");
        return Ok(());
    }
    println!("deciding, by networks and route tables: all routes missing, then all in place");
    println!("networks tables |   missing us/route |  in place us/route | peak memory");
    for networks in [100, 1_000, 10_000] {
        for tables in [3, 30] {
            decide(networks, tables)?;
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(at_rest())
}

/// The best of three runs for a world without and with its routes.
fn decide(networks: usize, tables: usize) -> Result<()> {
    let config = config();
    let snapshot = snapshot(networks);
    let routes = (networks * tables) as f64;
    let before = memory("VmRSS")?;
    std::fs::write("/proc/self/clear_refs", "5").context("forget the peak")?;
    let mut world = world(&config, tables);
    let missing = best(|| decisions(&config, &snapshot, &world, networks * tables));
    for (n, (id, table)) in world.route_tables.iter_mut().enumerate() {
        if let Some(n) = id.starts_with("rtb-dmz").then_some(n % ZONES.len()) {
            let nat = format!("nat-{}", ZONES[n]);
            let all = (0..networks).map(network);
            table.routes = all
                .map(|to| Route::to_nat_gateway(to.parse().unwrap(), &nat))
                .collect();
        }
    }
    let in_place = best(|| decisions(&config, &snapshot, &world, 0));
    let peak = memory("VmHWM")?.saturating_sub(before);
    let each = |took: Duration| took.as_secs_f64() * 1e6 / routes;
    println!(
        "{networks:>8} {tables:>6} | {missing:>9.1?} {:>8.2} | {in_place:>9.1?} {:>8.2} | {:>6} MB",
        each(missing),
        each(in_place),
        peak / 1024
    );
    Ok(())
}

fn best(mut work: impl FnMut()) -> Duration {
    let runs = (0..3).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed()
    });
    runs.min().unwrap_or_default()
}

/// Everything that a reconcile decides, with the plan's text.
fn decisions(config: &Config, snapshot: &Snapshot, observed: &Observed, steps: usize) {
    let (desired, rejections) = desired(snapshot, &config.guards, &observed.vpc.cidrs);
    assert!(rejections.is_empty(), "{:?}", rejections[0]);
    let inventory = Inventory::new(observed, config);
    let mut planned = plan(&desired, &inventory, NOW);
    let broken = check(&mut planned, &inventory, &RemovalLimit::default(), true);
    assert!(broken.is_empty(), "{:?}", broken[0]);
    let routes = planned
        .plan
        .active()
        .filter(|step| matches!(step.action, EgressAction::CreateRoute { .. }));
    assert_eq!(routes.count(), steps);
    black_box(planned.plan.report());
    black_box(status(&desired, &planned, &inventory, &Applied::default()));
}

fn network(n: usize) -> String {
    format!("52.{}.{}.0/24", n / 256, n % 256)
}

fn snapshot(networks: usize) -> Snapshot {
    let lists = (0..networks.div_ceil(IN_A_LIST)).map(|list| {
        let all = (list * IN_A_LIST..networks).take(IN_A_LIST);
        CidrList {
            object: ObjectRef::new("v1", "ConfigMap", "shop", format!("list-{list}")),
            created: NOW,
            data: all.map(|n| (format!("k{n}"), network(n))).collect(),
        }
    });
    Snapshot::new(lists)
}

fn config() -> Config {
    let zones = ZONES.iter().enumerate().map(|(n, letter)| Zone {
        name: format!("eu-central-1{letter}"),
        nat_cidr: format!("10.20.255.{}/28", n * 16).parse().unwrap(),
        adopt: None,
    });
    Config {
        zones: zones.collect(),
        guards: Guards::default(),
        max_routes_per_table: 100_000,
        release_addresses: false,
        keep_nat_gateways: false,
        ownership: Ownership::new(
            Ownership::DEFAULT_TAG_PREFIX,
            CLUSTER_ID,
            "kube-static-egress-controller",
        ),
        additional_tags: BTreeMap::new(),
    }
}

/// Three zones that lack nothing, and so many tables that lack every route.
fn world(config: &Config, tables: usize) -> Observed {
    let mut observed = Observed {
        vpc: Vpc {
            id: "vpc-1".into(),
            cidrs: vec!["10.20.0.0/16".parse().unwrap()],
        },
        internet_gateway: Some("igw-1".into()),
        subnets: BTreeMap::new(),
        route_tables: BTreeMap::new(),
        addresses: BTreeMap::new(),
        nat_gateways: BTreeMap::new(),
    };
    for (letter, zone) in ZONES.iter().zip(&config.zones) {
        let mine = tags::for_new(config, &zone.name);
        let (subnet, nat) = (format!("subnet-{letter}"), format!("nat-{letter}"));
        let allocation = format!("eipalloc-{letter}");
        let gateway = NatGateway {
            state: NatState::Available,
            subnet: subnet.clone(),
            allocation: Some(allocation.clone()),
            created: NOW - 3600,
            deleted: None,
            failure: None,
            tags: mine.clone(),
        };
        observed.nat_gateways.insert(nat, gateway);
        let address = Address {
            public_ip: format!("192.0.2.{}", letter.as_bytes()[0]),
            attached_to: Some(format!("eni-{letter}")),
            tags: mine.clone(),
        };
        observed.addresses.insert(allocation, address);
        let of_subnet = Subnet {
            zone: zone.name.clone(),
            cidr: zone.nat_cidr,
            tags: mine,
        };
        observed.subnets.insert(subnet, of_subnet);
    }
    for n in 0..tables {
        let zone = &config.zones[n % ZONES.len()].name;
        let tags = Tags::from([
            (tags::TYPE_TAG.to_owned(), tags::DMZ.to_owned()),
            (tags::TABLE_ZONE_TAG.to_owned(), zone.clone()),
        ]);
        let local = Route {
            destination: "10.20.0.0/16".parse().unwrap(),
            target: Target::Gateway("local".into()),
            blackhole: false,
            created: false,
        };
        let table = RouteTable {
            tags,
            routes: vec![local],
            associations: Vec::new(),
        };
        observed
            .route_tables
            .insert(format!("rtb-dmz-{n:03}"), table);
    }
    observed
}

/// A line of `/proc/self/status`, in kB.
fn memory(line: &str) -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let found = text.lines().find_map(|one| one.strip_prefix(line));
    let number = found.and_then(|rest| rest.split_whitespace().nth(1));
    Ok(number.context("a number")?.parse()?)
}

/// Calls at the gate while nothing happens.
async fn at_rest() -> Result<()> {
    const RESYNC: Duration = Duration::from_secs(5);
    const WATCHED: Duration = Duration::from_secs(30);
    let testbed = Testbed::acquire().await?;
    let world = World::create(&testbed).await?;
    let mut args = vec![
        format!("--cluster-id={CLUSTER_ID}"),
        format!("--vpc-id={}", world.vpc),
        format!("--resync-interval={}s", RESYNC.as_secs()),
    ];
    for (n, letter) in ZONES.iter().enumerate() {
        args.push(format!("--aws-az=eu-central-1{letter}"));
        args.push(format!("--aws-nat-cidr-block=10.20.255.{}/28", n * 16));
    }
    testbed
        .apply_yaml(concat!(
            "{apiVersion: v1, kind: ConfigMap, metadata: {namespace: shop, name: partners, ",
            "labels: {egress: static}}, data: {bank: 203.0.113.0/24}}"
        ))
        .await?;
    let command = testbed.command("isthmus-egress").await?.args(&args);
    let mut process = command.spawn()?;
    process.wait_ready().await?;
    let built = |calls: &[isthmus_e2e::Call]| {
        calls
            .iter()
            .filter(|call| call.action == "CreateRoute")
            .count()
            == 2 * ZONES.len()
    };
    testbed.gate.wait_for(PATIENCE, built).await?;
    tokio::time::sleep(2 * RESYNC).await;
    testbed.gate.clear();
    tokio::time::sleep(WATCHED).await;
    let (calls, writes) = (testbed.gate.calls().len(), testbed.gate.writes().len());
    let resyncs = testbed.gate.calls_of("DescribeVpcs").len().max(1);
    process.terminate().await?;
    let each = calls as f64 / resyncs as f64;
    println!("at rest: {calls} EC2 calls in {resyncs} resyncs, {writes} of them writing");
    println!(
        "at rest: {:.2} EC2 calls a minute with --resync-interval=5m",
        each / 5.0
    );
    Ok(())
}
