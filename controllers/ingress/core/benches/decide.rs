//! How long `desired` and `plan` take, and how much memory, over many Ingresses:
//! `cargo bench -p ingress-core`. Both should grow in step with their number. The
//! memory is that of the whole process, the input included.

#[path = "../tests/world/mod.rs"]
mod world;

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use ingress_core::*;
use jiff::Timestamp;
use world::{World, certificate, config, ingress, network, node};

/// Ingresses and the load balancers that they come to.
const SIZES: [(usize, usize); 4] = [(1_000, 20), (10_000, 20), (10_000, 200), (50_000, 1_000)];
/// Certificates on a load balancer; `--max-certs-alb` is 24.
const CERTIFICATES: usize = 24;
const ROUNDS: usize = 5;

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        println!("decide: run it with cargo bench -p ingress-core");
        return;
    }
    println!("ingresses  load balancers  state     desired      plan    status       all  memory");
    for (ingresses, balancers) in SIZES {
        let mut snapshot = snapshot(ingresses, balancers);
        let mut aws = World::default();
        measure("first", &snapshot, &aws.observed);
        aws.settle(&mut snapshot, &config(), now());
        snapshot.ssl_policies = aws.observed.ssl_policies(&config().ownership);
        let found = aws.observed.load_balancers.len();
        assert_eq!(found, balancers, "load balancers");
        measure("settled", &snapshot, &aws.observed);
    }
}

fn now() -> Timestamp {
    "2026-11-01T12:00:00Z".parse().expect("a time")
}

/// Each certificate is for one domain, and each Ingress has a host in one of them.
fn snapshot(ingresses: usize, balancers: usize) -> Snapshot {
    let domains = balancers * CERTIFICATES;
    let certificates = (0..domains).map(|n| {
        let names = [format!("*.d{n}.example.org")];
        certificate(&format!("{n:08}"), &names.each_ref().map(String::as_str))
    });
    let ingresses = (0..ingresses).map(|n| {
        let hosts: Vec<String> = (n..domains.max(n + 1))
            .step_by(ingresses)
            .map(|domain| format!("h{n}.d{}.example.org", domain % domains))
            .collect();
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        ingress(
            &format!("team-{:03}", n % 250),
            &format!("app-{n:05}"),
            &hosts,
        )
    });
    Snapshot {
        ingresses: ingresses.collect(),
        certificates: certificates.collect(),
        nodes: (0..100).map(|n| node(&format!("i-{n:03}"))).collect(),
        network: network(),
        ..Snapshot::default()
    }
}

fn measure(state: &str, snapshot: &Snapshot, observed: &Observed) {
    let config = config();
    let mut best = [Duration::MAX; 4];
    forget_peak();
    for _ in 0..ROUNDS {
        let start = busy();
        let (desired, _) = desired(snapshot, &config, now());
        let after_desired = busy() - start;
        let planned = plan(&desired, observed, &config, now());
        let after_plan = busy() - start;
        let statuses = status(&desired, observed, &config, now());
        let all = busy() - start;
        std::hint::black_box((&planned, &statuses));
        let times = [
            after_desired,
            after_plan - after_desired,
            all - after_plan,
            all,
        ];
        for (best, time) in best.iter_mut().zip(times) {
            *best = time.min(*best);
        }
    }
    let memory = peak();
    let millis = best.map(|time| format!("{:>7.1} ms", time.as_secs_f64() * 1e3));
    println!(
        "{:>9}  {:>14}  {state:<8}{}  {memory:>3} MiB",
        snapshot.ingresses.len(),
        snapshot.certificates.len() / CERTIFICATES,
        millis.concat(),
    );
}

/// How long this thread has been on a core, so that what else runs on the machine
/// counts little; the time of day where Linux does not tell.
fn busy() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = told.split(' ').next().and_then(|word| word.parse().ok());
    nanos.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

/// The most memory that this process has held, in MiB, as Linux counts it.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.unwrap_or(0_usize) / 1024
}

fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
