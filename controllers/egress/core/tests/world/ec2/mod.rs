//! An EC2 that keeps state and refuses what the real one refuses.

mod calls;
mod state;

use std::collections::BTreeMap;

use egress_core::{Config, Inventory, NatState, Observed, Target};

use super::NOW;

/// The state, and what is needed to go on from it.
pub(crate) struct Ec2 {
    pub(crate) observed: Observed,
    pub(crate) now: i64,
    next_id: u32,
    tokens: BTreeMap<String, String>,
    /// How many more NAT gateways fail after they were accepted.
    pub(crate) failing: u32,
}

/// What the steps of one run have made, by zone and kind.
pub(crate) type Made = BTreeMap<(String, &'static str), String>;

impl Ec2 {
    pub(crate) fn new(observed: Observed) -> Self {
        Self {
            observed,
            now: NOW,
            next_id: 0,
            tokens: BTreeMap::new(),
            failing: 0,
        }
    }

    fn id(&mut self, kind: &str) -> String {
        self.next_id += 1;
        format!("{kind}-{:04}", self.next_id)
    }

    /// Time passes: what is pending settles.
    pub(crate) fn settle(&mut self) {
        self.now += 60;
        for (id, nat) in &mut self.observed.nat_gateways {
            match nat.state {
                NatState::Pending if self.failing > 0 => {
                    self.failing -= 1;
                    nat.state = NatState::Failed;
                    nat.failure = Some("InternalError: try again".into());
                }
                NatState::Pending => nat.state = NatState::Available,
                NatState::Deleting => nat.state = NatState::Deleted,
                _ => continue,
            }
            let address = nat
                .allocation
                .as_ref()
                .and_then(|a| self.observed.addresses.get_mut(a));
            if let Some(address) = address
                && nat.state != NatState::Available
                && address.attached_to.as_deref() == Some(&format!("eni-{id}"))
            {
                address.attached_to = None;
            }
        }
        self.black_holes();
    }

    fn black_holes(&mut self) {
        let nats = &self.observed.nat_gateways;
        for route in self
            .observed
            .route_tables
            .values_mut()
            .flat_map(|table| &mut table.routes)
        {
            if let Target::NatGateway(id) = &route.target {
                let works = nats
                    .get(id)
                    .is_some_and(|nat| nat.state == NatState::Available);
                route.blackhole = !works;
            }
        }
    }

    /// Somebody deletes a NAT gateway by hand.
    pub(crate) fn delete_by_hand(&mut self, id: &str) {
        if let Some(nat) = self.observed.nat_gateways.get_mut(id) {
            nat.state = NatState::Deleting;
            nat.deleted = Some(self.now);
        }
        self.settle();
    }

    /// An hour passes: deleted NAT gateways are no longer shown.
    pub(crate) fn forget(&mut self) {
        self.now += 3600;
        let nats = &mut self.observed.nat_gateways;
        nats.retain(|_, nat| !matches!(nat.state, NatState::Deleted | NatState::Failed));
    }
}

/// Everything that is not ours, to compare it with what it was.
pub(crate) fn foreign(observed: &Observed, config: &Config) -> Observed {
    let inventory = Inventory::new(observed, config);
    let mut rest = observed.clone();
    rest.subnets.retain(|_, it| !inventory.owns(&it.tags));
    rest.addresses.retain(|_, it| !inventory.owns(&it.tags));
    rest.nat_gateways.retain(|_, it| !inventory.owns(&it.tags));
    rest.route_tables.retain(|_, it| !inventory.owns(&it.tags));
    for (id, table) in &mut rest.route_tables {
        let original = &observed.route_tables[id];
        table
            .routes
            .retain(|route| !inventory.owns_route(original, route));
    }
    rest
}
