//! Two zones, three tables, fifty networks of ten ConfigMaps, and everything that
//! can happen to their routes; looked at by boto3, a client that no one here wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;

use anyhow::{Context, Result};
use isthmus_e2e::eventually;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

use crate::stage::{Stage, config_map, entries, tag};

const A: &str = "192.0.2.1";
const B: &str = "192.0.2.2";
const C: &str = "192.0.2.3";
const TABLES: [(&str, &str); 3] = [
    ("dmz-eu-central-1a", A),
    ("dmz-eu-central-1b", B),
    ("dmz-b2", B),
];
/// Many routes at once: EC2's rates are another test's subject.
const FAST: [&str; 2] = ["--aws-api-rate=1000", "--resync-interval=2s"];

/// boto3, as a process that answers whenever it is asked.
struct Boto3 {
    _child: Child,
    pipes: Mutex<(ChildStdin, Lines<BufReader<ChildStdout>>)>,
}

impl Boto3 {
    async fn start(stage: &Stage) -> Result<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/egress/routes.py");
        let mut child = Command::new(stage.testbed.python().await?)
            .args([script, stage.testbed.gate.bypass_url()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdin = child.stdin.take().context("stdin")?;
        let stdout = BufReader::new(child.stdout.take().context("stdout")?);
        Ok(Self {
            _child: child,
            pipes: Mutex::new((stdin, stdout.lines())),
        })
    }

    async fn look(&self) -> Result<Value> {
        let (stdin, stdout) = &mut *self.pipes.lock().await;
        stdin.write_all(b"\n").await?;
        let line = stdout.next_line().await?.context("an answer")?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Waits until EC2 looks like this.
    async fn sees(&self, what: &str, expected: &Value) -> Result<()> {
        let seen = eventually(what, async || {
            let seen = self.look().await?;
            Ok((seen == *expected).then_some(()))
        });
        match seen.await {
            Ok(()) => Ok(()),
            Err(error) => {
                let seen = self.look().await?;
                Err(error.context(difference(expected, &seen)))
            }
        }
    }
}

fn networks() -> Vec<String> {
    let lists = (0..10).flat_map(|n| (0..5).map(move |k| format!("198.{n}.{k}.0/24")));
    lists.collect()
}

/// EC2 with all networks in these tables, each by its address.
fn world(tables: &[(&str, &str)], zones: &[(&str, &str)], free: &[&str]) -> Value {
    let mut all: BTreeMap<String, Value> = BTreeMap::new();
    for letter in ["a", "b", "c"] {
        all.insert(format!("dmz-eu-central-1{letter}"), json!([]));
    }
    for (letter, _) in zones {
        all.insert(format!("nat-eu-central-1{letter}"), json!([]));
    }
    for (name, ip) in tables {
        let routes: Vec<_> = networks().iter().map(|to| json!([to, ip])).collect();
        all.insert((*name).to_owned(), json!(routes));
    }
    let gateways = zones
        .iter()
        .map(|(letter, ip)| json!([format!("eu-central-1{letter}"), ip]));
    let used = zones.iter().map(|(_, ip)| (*ip, true));
    let addresses: BTreeMap<_, _> = used.chain(free.iter().map(|ip| (*ip, false))).collect();
    json!({"tables": all, "gateways": gateways.collect::<Vec<_>>(), "addresses": addresses})
}

/// Where two pictures differ.
fn difference(expected: &Value, seen: &Value) -> String {
    let lines = |value: &Value| -> BTreeSet<String> {
        let tables = value["tables"].as_object().into_iter().flatten();
        let routes = tables.flat_map(|(name, routes)| {
            let routes = routes.as_array().into_iter().flatten();
            routes.map(move |route| format!("{name}: {route}"))
        });
        let rest = [&value["gateways"], &value["addresses"]];
        routes.chain(rest.map(Value::to_string)).collect()
    };
    let (expected, seen) = (lines(expected), lines(seen));
    let missing: Vec<_> = expected.difference(&seen).collect();
    let surplus: Vec<_> = seen.difference(&expected).collect();
    format!("missing: {missing:#?}\nsurplus: {surplus:#?}")
}

struct Scene {
    stage: Stage,
    boto3: Boto3,
}

impl Scene {
    async fn set() -> Result<Self> {
        let stage = Stage::new().await?;
        stage.testbed.gate.rate("ec2", "", 100_000, 100_000.0);
        let boto3 = Boto3::start(&stage).await?;
        stage.another_table("b", "dmz-b2").await?;
        let mut yaml = String::new();
        for n in 0..10 {
            let list: Vec<_> = (0..5)
                .map(|k| (format!("k{k}"), format!("198.{n}.{k}.0/24")))
                .collect();
            let data: Vec<_> = list.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            yaml.push_str(&config_map(&format!("list-{n}"), &data));
        }
        stage.testbed.apply_yaml(&yaml).await?;
        Ok(Self { stage, boto3 })
    }

    async fn sees(&self, what: &str, expected: &Value) -> Result<()> {
        self.boto3.sees(what, expected).await
    }
}

#[tokio::test]
async fn two_zones_three_tables_fifty_networks_and_what_may_happen_to_them() -> Result<()> {
    let scene = Scene::set().await?;
    let stage = &scene.stage;
    let zones = [("a", A), ("b", B)];
    let right = world(&TABLES, &zones, &[]);
    let process = stage.serve("ab", &FAST).await?;
    scene.sees("all of it", &right).await?;
    for n in 0..10 {
        eventually(&format!("the answer on list-{n}"), async || {
            let status = stage.status(&format!("list-{n}")).await?;
            let entries = entries(&status);
            let accepted = entries.iter().all(|entry| entry.ends_with(" accepted"));
            let all = accepted && entries.len() == 5;
            Ok((all && status["publicIPs"] == json!([A, B])).then_some(()))
        })
        .await?;
    }

    // Lost.
    for (k, letter) in [(0, "a"), (1, "a"), (1, "b"), (4, "b")] {
        stage
            .delete_route(&stage.table(letter), &format!("198.7.{k}.0/24"))
            .await?;
    }
    scene.sees("the lost routes", &right).await?;

    // Changed: led to the other zone.
    let other = stage.nat_gateway("a").await?;
    for to in ["198.0.0.0/24", "198.9.4.0/24"] {
        let request = stage.ec2().replace_route().route_table_id(stage.table("b"));
        request
            .destination_cidr_block(to)
            .nat_gateway_id(&other)
            .send()
            .await?;
    }
    scene.sees("the changed routes", &right).await?;

    // Changed: led somewhere that is not ours at all.
    let request = stage.ec2().replace_route().route_table_id(stage.table("a"));
    let request = request.destination_cidr_block("198.4.4.0/24");
    request
        .gateway_id(&stage.world.internet_gateway)
        .send()
        .await?;
    scene.sees("the route led away", &right).await?;

    // Black-holed: the NAT gateway is deleted by hand.
    stage
        .ec2()
        .delete_nat_gateway()
        .nat_gateway_id(&other)
        .send()
        .await?;
    scene.sees("the black holes", &right).await?;

    // A new route table joins, without anyone restarting.
    stage.another_table("a", "dmz-a2").await?;
    let joined = [TABLES.as_slice(), &[("dmz-a2", A)]].concat();
    scene
        .sees("the new table", &world(&joined, &zones, &[]))
        .await?;
    process.terminate().await?;

    // A zone joins.
    let process = stage.serve("abc", &FAST).await?;
    let three = [zones.as_slice(), &[("c", C)]].concat();
    let all = [joined.as_slice(), &[("dmz-eu-central-1c", C)]].concat();
    scene
        .sees("the new zone", &world(&all, &three, &[]))
        .await?;
    process.terminate().await?;

    // A zone is given up: its routes move first, its address is kept.
    stage.testbed.gate.clear();
    let process = stage.serve("ac", &FAST).await?;
    let moved: Vec<_> = all
        .iter()
        .map(|(table, ip)| (*table, if *ip == B { A } else { *ip }))
        .collect();
    let left = [("a", A), ("c", C)];
    scene
        .sees("the zone given up", &world(&moved, &left, &[B]))
        .await?;
    eventually("its subnet to go", async || {
        let picture = stage.picture().await?;
        let subnet = |line: &String| line.starts_with("subnet eu-central-1b ");
        Ok((!picture.iter().any(subnet)).then_some(()))
    })
    .await?;
    process.terminate().await?;
    let calls = stage.testbed.gate.writes();
    let place = |action: &str| calls.iter().position(|call| call.action == action);
    let moves = calls
        .iter()
        .filter(|call| call.action == "ReplaceRoute")
        .count();
    assert_eq!(moves, 100);
    let last_move = calls.iter().rposition(|call| call.action == "ReplaceRoute");
    assert!(last_move < place("DeleteNatGateway"), "{calls:?}");
    stage.idle("ac", &FAST[..1]).await
}

/// The same with somebody else's routes among ours: they stay, until they go.
#[tokio::test]
async fn among_fifty_networks_those_of_others_are_left() -> Result<()> {
    let scene = Scene::set().await?;
    let stage = &scene.stage;
    let (foreign_network, foreign_table) = ("198.3.2.0/24", stage.table("b"));
    let request = stage.ec2().create_route().route_table_id(&foreign_table);
    let request = request.destination_cidr_block(foreign_network);
    request
        .gateway_id(&stage.world.internet_gateway)
        .send()
        .await?;
    let process = stage.serve("ab", &FAST).await?;
    let right = world(&TABLES, &[("a", A), ("b", B)], &[]);
    let mut but_one = right.clone();
    let routes = but_one["tables"]["dmz-eu-central-1b"].as_array_mut();
    routes
        .context("routes")?
        .retain(|route| route[0] != foreign_network);
    scene.sees("all but the foreign one", &but_one).await?;
    eventually("the conflict", async || {
        let entries = entries(&stage.status("list-3").await?);
        let third = entries.get(2).map(String::as_str);
        Ok((third == Some("198.3.2.0/24 conflict RouteConflict")).then_some(()))
    })
    .await?;

    stage.delete_route(&foreign_table, foreign_network).await?;
    scene.sees("all of it", &right).await?;

    // A table that changes its zone changes its NAT gateway; a mark that goes leaves the routes.
    tag(
        &stage.ec2(),
        &foreign_table,
        &[("AvailabilityZone", "eu-central-1a")],
    )
    .await?;
    let tables = [TABLES[0], ("dmz-eu-central-1b", A), TABLES[2]];
    let moved = world(&tables, &[("a", A), ("b", B)], &[]);
    scene.sees("the moved table", &moved).await?;
    process.terminate().await?;
    Ok(())
}
