//! From any start, with any interruption, to the one right end.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::collections::{BTreeMap, BTreeSet};

use egress_core::{
    Config, EntryState, Inventory, NatState, Observed, RouteTable, Snapshot, Target, check,
    desired, pause, plan, status, tags,
};
use ipnet::Ipv4Net;
use isthmus_core::RemovalLimit;
use proptest::prelude::*;

use world::any::{config, disturb, lists, tables, zones};
use world::ec2::{Ec2, Made, foreign};

/// A run from reading to writing that is cut off after `steps` steps. The next
/// step, if any, is carried out and its answer lost, as when the process is killed.
fn run(ec2: &mut Ec2, config: &Config, snapshot: &Snapshot, steps: usize) -> bool {
    let observed = ec2.observed.clone();
    let (desired, _) = desired(snapshot, &config.guards, &observed.vpc.cidrs);
    let inventory = Inventory::new(&observed, config);
    let mut planned = plan(&desired, &inventory, ec2.now);
    let limit = RemovalLimit {
        allow_mass: true,
        ..RemovalLimit::default()
    };
    assert_eq!(check(&mut planned, &inventory, &limit, true), []);
    let mut made = Made::new();
    let mut failed: BTreeSet<String> = BTreeSet::new();
    for (n, step) in planned.plan.active().enumerate() {
        if step
            .action
            .chain()
            .is_some_and(|zone| failed.contains(zone))
        {
            continue;
        }
        let outcome = ec2.apply(&step.action, config, &mut made);
        if let Err(error) = outcome {
            assert!(steps < usize::MAX, "{step}: {error}");
            failed.extend(step.action.chain().map(str::to_owned));
        }
        if n == steps {
            return true;
        }
    }
    let idle = planned.plan.active().next().is_none();
    !idle || pause(&planned.plan, &inventory, ec2.now).is_some()
}

fn converge(ec2: &mut Ec2, config: &Config, snapshot: &Snapshot) {
    for _ in 0..60 {
        if !run(ec2, config, snapshot, usize::MAX) {
            return;
        }
        ec2.settle();
    }
    panic!("it goes on for ever");
}

/// The routes that a table of a known zone must have in the end.
fn expected(
    table: &RouteTable,
    wanted: &BTreeSet<Ipv4Net>,
    foreign: &BTreeSet<Ipv4Net>,
) -> BTreeSet<Ipv4Net> {
    assert!(table.tags.contains_key(tags::TABLE_ZONE_TAG));
    let free: BTreeSet<_> = wanted.difference(foreign).copied().collect();
    let covered = |n: &Ipv4Net| free.iter().any(|m| m != n && m.contains(n));
    free.iter().filter(|n| !covered(n)).copied().collect()
}

fn assert_right(ec2: &Ec2, config: &Config, snapshot: &Snapshot) {
    let observed = &ec2.observed;
    let (desired, _) = desired(snapshot, &config.guards, &observed.vpc.cidrs);
    let wanted: BTreeSet<Ipv4Net> = desired.networks.keys().copied().collect();
    let inventory = Inventory::new(observed, config);
    for (id, table) in &observed.route_tables {
        let mine: BTreeMap<Ipv4Net, &Target> = table
            .routes
            .iter()
            .filter(|route| inventory.owns_route(table, route))
            .map(|route| (route.destination, &route.target))
            .collect();
        let others = table
            .routes
            .iter()
            .filter(|route| !inventory.owns_route(table, route));
        let others: BTreeSet<Ipv4Net> = others.map(|route| route.destination).collect();
        let lost =
            |target: &Target| matches!(target, Target::NatGateway(id) if !id.contains("foreign"));
        let forgotten = table
            .routes
            .iter()
            .find(|route| route.blackhole && lost(&route.target));
        assert_eq!(
            forgotten, None,
            "a route of ours that is no longer known as such in {id}"
        );
        let zone = table
            .tags
            .get(tags::TABLE_ZONE_TAG)
            .and_then(|zone| config.zone(zone));
        let Some(zone) = zone else {
            assert!(
                mine.keys().all(|network| wanted.contains(network)),
                "{id}: {mine:?}"
            );
            continue;
        };
        assert_eq!(
            mine.keys().copied().collect::<BTreeSet<_>>(),
            expected(table, &wanted, &others),
            "{id}"
        );
        for target in mine.values() {
            let nat = &observed.nat_gateways[target.id()];
            assert_eq!(nat.state, NatState::Available);
            assert_eq!(observed.subnets[&nat.subnet].zone, zone.name);
        }
    }
    for (zone, holdings) in &inventory.zones {
        let live = holdings.live().count();
        let needed = usize::from(config.zone(zone).is_some() && !wanted.is_empty());
        if desired.lists.iter().all(|list| list.entries.is_empty()) || needed == 1 {
            assert_eq!(live, needed, "NAT gateways of {zone}");
            assert_eq!(holdings.subnets.len(), needed, "subnets of {zone}");
            assert_eq!(holdings.tables.len(), needed, "tables of {zone}");
        }
        assert!(holdings.addresses.len() <= 1, "addresses of {zone}");
    }
    let planned = plan(&desired, &inventory, ec2.now);
    assert!(planned.plan.is_empty(), "{}", planned.plan);
    for (_, status) in status(
        &desired,
        &planned,
        &inventory,
        &egress_core::Applied::default(),
    ) {
        for entry in status.entries {
            let pending_without_table = entry.state == EntryState::Pending
                && entry.reason.as_deref() == Some("NoRouteTable");
            assert!(
                entry.state != EntryState::Pending || pending_without_table,
                "{entry:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Build, change, change the zones, disturb, remove; each time cut off at any
    /// step. Every state is right in the end, and what is not ours stays as it was.
    #[test]
    fn every_way_ends_right(
        tables in tables(),
        (first, second) in (zones(), zones()),
        (before, after) in (lists(), lists()),
        cuts in prop::collection::vec(0_usize..8, 0..6),
        disturbance in 0_u8..6,
        failing in 0_u32..3,
    ) {
        let mut ec2 = Ec2::new(tables);
        ec2.failing = failing;
        let (first, second) = (config(&first), config(&second));
        let others = foreign(&ec2.observed, &first);
        for cut in &cuts {
            run(&mut ec2, &first, &before, *cut);
            ec2.settle();
        }
        converge(&mut ec2, &first, &before);
        assert_right(&ec2, &first, &before);
        prop_assert_eq!(&foreign(&ec2.observed, &first), &others);

        for cut in &cuts {
            run(&mut ec2, &second, &after, *cut);
        }
        converge(&mut ec2, &second, &after);
        assert_right(&ec2, &second, &after);
        prop_assert_eq!(&foreign(&ec2.observed, &second), &others);
        let addresses: BTreeSet<String> = ec2.observed.addresses.keys().cloned().collect();

        disturb(&mut ec2, disturbance);
        converge(&mut ec2, &second, &after);
        assert_right(&ec2, &second, &after);

        let nothing = Snapshot::default();
        for cut in &cuts {
            run(&mut ec2, &second, &nothing, *cut);
        }
        converge(&mut ec2, &second, &nothing);
        assert_right(&ec2, &second, &nothing);
        let kept: BTreeSet<String> = ec2.observed.addresses.keys().cloned().collect();
        prop_assert_eq!(kept, addresses, "addresses are kept");
        let mut others = ec2.observed.nat_gateways.iter().filter(|(id, _)| *id != "nat-foreign");
        prop_assert!(others.all(|(_, nat)| nat.state == NatState::Deleted));
    }

    /// Nothing depends on the order in which anything is listed.
    #[test]
    fn order_does_not_matter(tables in tables(), zones in zones(), lists in lists(), turn in 0_usize..7) {
        let config = config(&zones);
        let mut ec2 = Ec2::new(tables);
        run(&mut ec2, &config, &lists, usize::MAX);
        ec2.settle();
        let show = |observed: &Observed, snapshot: &Snapshot| {
            let (desired, rejections) = desired(snapshot, &config.guards, &observed.vpc.cidrs);
            let inventory = Inventory::new(observed, &config);
            let planned = plan(&desired, &inventory, ec2.now);
            format!("{}{rejections:?}{:?}", planned.plan, planned.rejections)
        };
        let straight = show(&ec2.observed, &lists);
        let mut turned = ec2.observed.clone();
        for table in turned.route_tables.values_mut() {
            table.routes.reverse();
            let places = table.routes.len().max(1);
            table.routes.rotate_left(turn % places);
        }
        let backwards = Snapshot::new(lists.lists.into_values().rev());
        prop_assert_eq!(show(&turned, &backwards), straight);
    }
}
