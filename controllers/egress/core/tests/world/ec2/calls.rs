//! What each call does and what it refuses.

use egress_core::{
    Address, Association, Config, EgressAction, Handle, NatState, Route, RouteTable, Subnet,
    client_token, tags,
};

use super::{Ec2, Made};

impl Ec2 {
    /// Carries out one step, as the applier would.
    pub(crate) fn apply(
        &mut self,
        action: &EgressAction,
        config: &Config,
        made: &mut Made,
    ) -> Result<(), String> {
        use EgressAction as Do;
        match action {
            Do::CreateRoute { .. } | Do::ReplaceRoute { .. } | Do::DeleteRoute { .. } => {
                self.route(action)
            }
            Do::DeleteNatGateway { .. }
            | Do::DeleteSubnet { .. }
            | Do::Disassociate { .. }
            | Do::DeleteRouteTable { .. }
            | Do::ReleaseAddress { .. } => self.remove(action),
            _ => self.build(action, config, made),
        }
    }

    fn build(
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
                routes.push(crate::world::route("0.0.0.0/0", gateway));
            }
            EgressAction::ReplaceDefaultRoute { table, gateway, .. } => {
                let routes = &mut self.table(table)?.routes;
                routes.retain(|route| route.destination.prefix_len() > 0);
                routes.push(crate::world::route("0.0.0.0/0", gateway));
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
            _ => return Err(format!("{action} builds nothing")),
        }
        Ok(())
    }

    fn route(&mut self, action: &EgressAction) -> Result<(), String> {
        match action {
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
            _ => return Err(format!("{action} is no route")),
        }
        Ok(())
    }

    fn remove(&mut self, action: &EgressAction) -> Result<(), String> {
        match action {
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
            _ => return Err(format!("{action} removes nothing")),
        }
        Ok(())
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
