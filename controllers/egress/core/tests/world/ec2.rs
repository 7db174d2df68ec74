//! An EC2 that keeps state and refuses what the real one refuses.

use std::collections::BTreeMap;

use egress_core::{
    Address, Association, Config, EgressAction, Handle, Inventory, NatGateway, NatState, Observed,
    Route, RouteTable, Subnet, Target, client_token, tags,
};

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

    /// Carries out one step, as the applier would.
    pub(crate) fn apply(
        &mut self,
        action: &EgressAction,
        config: &Config,
        made: &mut Made,
    ) -> Result<(), String> {
        let zone = action.chain().unwrap_or_default().to_owned();
        let mut create = |kind: &'static str, id: String| {
            made.insert((zone.clone(), kind), id);
        };
        match action {
            EgressAction::CreateSubnet { zone, cidr } => {
                let mut others = self.observed.subnets.values();
                if others.any(|other| other.cidr.contains(cidr) || cidr.contains(&other.cidr)) {
                    return Err("InvalidSubnet.Conflict".into());
                }
                let id = self.id("subnet");
                let subnet = Subnet {
                    zone: zone.clone(),
                    cidr: *cidr,
                    tags: tags::for_new(config, zone),
                };
                self.observed.subnets.insert(id.clone(), subnet);
                create("subnet", id);
            }
            EgressAction::CreateRouteTable { zone } => {
                let id = self.id("rtb");
                let table = RouteTable {
                    tags: tags::for_new(config, zone),
                    ..RouteTable::default()
                };
                self.observed.route_tables.insert(id.clone(), table);
                create("route-table", id);
            }
            EgressAction::CreateDefaultRoute {
                zone,
                table,
                gateway,
            } => {
                let id = known(made, zone, "route-table", table)?;
                let routes = &mut self.table(&id)?.routes;
                if routes
                    .iter()
                    .any(|route| route.destination.prefix_len() == 0)
                {
                    return Err("RouteAlreadyExists".into());
                }
                routes.push(super::route("0.0.0.0/0", gateway));
            }
            EgressAction::ReplaceDefaultRoute { table, gateway, .. } => {
                let routes = &mut self.table(table)?.routes;
                routes.retain(|route| route.destination.prefix_len() > 0);
                routes.push(super::route("0.0.0.0/0", gateway));
            }
            EgressAction::Associate {
                zone,
                table,
                subnet,
            } => {
                let subnet = known(made, zone, "subnet", subnet)?;
                let table = known(made, zone, "route-table", table)?;
                if self.association_of(&subnet).is_some() {
                    return Err("Resource.AlreadyAssociated".into());
                }
                let id = self.id("rtbassoc");
                self.table(&table)?
                    .associations
                    .push(Association { id, subnet });
            }
            EgressAction::ReplaceAssociation {
                zone,
                association,
                table,
            } => {
                let table = known(made, zone, "route-table", table)?;
                let subnet = self
                    .drop_association(association)
                    .ok_or("InvalidAssociationID.NotFound")?;
                let id = self.id("rtbassoc");
                self.table(&table)?
                    .associations
                    .push(Association { id, subnet });
            }
            EgressAction::AllocateAddress { zone } => {
                let id = self.id("eipalloc");
                let public_ip = format!("18.184.7.{}", self.next_id);
                let tags = tags::for_new(config, zone);
                self.observed.addresses.insert(
                    id.clone(),
                    Address {
                        public_ip,
                        attached_to: None,
                        tags,
                    },
                );
                create("address", id);
            }
            EgressAction::Tag { id, tags, .. } => self.tag(id, tags)?,
            EgressAction::CreateNatGateway {
                zone,
                subnet,
                allocation,
                previous,
            } => {
                let subnet = known(made, zone, "subnet", subnet)?;
                let allocation = known(made, zone, "address", allocation)?;
                let mut parts: Vec<&str> = vec![&subnet, &allocation];
                parts.extend(previous.iter().map(String::as_str));
                let token = client_token(config, "nat-gateway", zone, &parts);
                self.create_nat(config, zone, (subnet, allocation, token))?;
            }
            EgressAction::CreateRoute {
                table,
                network,
                nat,
                ..
            } => {
                self.must_work(nat)?;
                let routes = &mut self.table(table)?.routes;
                if routes.iter().any(|route| route.destination == *network) {
                    return Err("RouteAlreadyExists".into());
                }
                routes.push(Route::to_nat_gateway(*network, nat));
            }
            EgressAction::ReplaceRoute {
                table,
                network,
                nat,
                ..
            } => {
                self.must_work(nat)?;
                let mut routes = self.table(table)?.routes.iter_mut();
                let route = routes.find(|route| route.destination == *network);
                *route.ok_or("InvalidRoute.NotFound")? = Route::to_nat_gateway(*network, nat);
            }
            EgressAction::DeleteRoute { table, network, .. } => {
                self.table(table)?
                    .routes
                    .retain(|route| route.destination != *network);
            }
            EgressAction::DeleteNatGateway { nat, .. } => {
                let now = self.now;
                let nat = self
                    .observed
                    .nat_gateways
                    .get_mut(nat)
                    .ok_or("NatGatewayNotFound")?;
                nat.state = NatState::Deleting;
                nat.deleted = Some(now);
                self.black_holes();
            }
            EgressAction::DeleteSubnet { subnet, .. } => {
                let mut nats = self.observed.nat_gateways.values();
                if nats.any(|nat| nat.subnet == *subnet && nat.state != NatState::Deleted) {
                    return Err("DependencyViolation".into());
                }
                self.observed
                    .subnets
                    .remove(subnet)
                    .ok_or("InvalidSubnetID.NotFound")?;
                if let Some(association) = self.association_of(subnet) {
                    self.drop_association(&association);
                }
            }
            // The applier takes "not found" for done.
            EgressAction::Disassociate { association, .. } => {
                self.drop_association(association);
            }
            EgressAction::DeleteRouteTable { table, .. } => {
                if !self.table(table)?.associations.is_empty() {
                    return Err("DependencyViolation".into());
                }
                self.observed.route_tables.remove(table);
            }
            EgressAction::ReleaseAddress { allocation, .. } => {
                let address = self
                    .observed
                    .addresses
                    .get(allocation)
                    .ok_or("InvalidAllocationID.NotFound")?;
                if address.attached_to.is_some() {
                    return Err("InvalidIPAddress.InUse".into());
                }
                self.observed.addresses.remove(allocation);
            }
        }
        Ok(())
    }

    fn create_nat(
        &mut self,
        config: &Config,
        zone: &str,
        (subnet, allocation, token): (String, String, String),
    ) -> Result<(), String> {
        if let Some(id) = self.tokens.get(&token) {
            let live = self
                .observed
                .nat_gateways
                .get(id)
                .is_some_and(|nat| nat.state.is_live());
            assert!(live, "the token of {id}, which is gone, was used again");
            return Ok(());
        }
        let id = self.id("nat");
        let address = self
            .observed
            .addresses
            .get_mut(&allocation)
            .ok_or("InvalidAllocationID.NotFound")?;
        if address.attached_to.is_some() {
            return Err("Resource.AlreadyAssociated".into());
        }
        address.attached_to = Some(format!("eni-{id}"));
        self.tokens.insert(token, id.clone());
        let nat = NatGateway {
            state: NatState::Pending,
            subnet,
            allocation: Some(allocation),
            created: self.now,
            deleted: None,
            failure: None,
            tags: tags::for_new(config, zone),
        };
        self.observed.nat_gateways.insert(id, nat);
        Ok(())
    }

    fn tag(&mut self, id: &str, new: &egress_core::Tags) -> Result<(), String> {
        let observed = &mut self.observed;
        let tags = None
            .or_else(|| observed.subnets.get_mut(id).map(|it| &mut it.tags))
            .or_else(|| observed.route_tables.get_mut(id).map(|it| &mut it.tags))
            .or_else(|| observed.addresses.get_mut(id).map(|it| &mut it.tags))
            .or_else(|| observed.nat_gateways.get_mut(id).map(|it| &mut it.tags));
        tags.ok_or("InvalidID")?.extend(new.clone());
        Ok(())
    }

    fn must_work(&self, nat: &str) -> Result<(), String> {
        let nat = self
            .observed
            .nat_gateways
            .get(nat)
            .ok_or("InvalidNatGatewayID.NotFound")?;
        assert_eq!(
            nat.state,
            NatState::Available,
            "traffic led to a NAT gateway that does not work"
        );
        Ok(())
    }

    fn table(&mut self, id: &str) -> Result<&mut RouteTable, String> {
        self.observed
            .route_tables
            .get_mut(id)
            .ok_or_else(|| "InvalidRouteTableID.NotFound".into())
    }

    fn association_of(&self, subnet: &str) -> Option<String> {
        let tables = self.observed.route_tables.values();
        let mut all = tables.flat_map(|table| &table.associations);
        all.find(|association| association.subnet == subnet)
            .map(|association| association.id.clone())
    }

    fn drop_association(&mut self, id: &str) -> Option<String> {
        self.observed.route_tables.values_mut().find_map(|table| {
            let at = table
                .associations
                .iter()
                .position(|association| association.id == id)?;
            Some(table.associations.remove(at).subnet)
        })
    }
}

fn known(made: &Made, zone: &str, kind: &'static str, handle: &Handle) -> Result<String, String> {
    match handle {
        Handle::Existing(id) => Ok(id.clone()),
        Handle::New => {
            let found = made.get(&(zone.to_owned(), kind));
            found
                .cloned()
                .ok_or_else(|| format!("no new {kind} in {zone}"))
        }
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
