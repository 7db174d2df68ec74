//! What the calls have in common.

use egress_core::{Config, NatGateway, NatState, RouteTable, tags};

use super::Ec2;

impl Ec2 {
    pub(super) fn create_nat(
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

    pub(super) fn tag(&mut self, id: &str, new: &egress_core::Tags) -> Result<(), String> {
        let observed = &mut self.observed;
        let tags = None
            .or_else(|| observed.subnets.get_mut(id).map(|it| &mut it.tags))
            .or_else(|| observed.route_tables.get_mut(id).map(|it| &mut it.tags))
            .or_else(|| observed.addresses.get_mut(id).map(|it| &mut it.tags))
            .or_else(|| observed.nat_gateways.get_mut(id).map(|it| &mut it.tags));
        tags.ok_or("InvalidID")?.extend(new.clone());
        Ok(())
    }

    pub(super) fn must_work(&self, nat: &str) -> Result<(), String> {
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

    pub(super) fn table(&mut self, id: &str) -> Result<&mut RouteTable, String> {
        self.observed
            .route_tables
            .get_mut(id)
            .ok_or_else(|| "InvalidRouteTableID.NotFound".into())
    }

    pub(super) fn association_of(&self, subnet: &str) -> Option<String> {
        let tables = self.observed.route_tables.values();
        let mut all = tables.flat_map(|table| &table.associations);
        all.find(|association| association.subnet == subnet)
            .map(|association| association.id.clone())
    }

    pub(super) fn drop_association(&mut self, id: &str) -> Option<String> {
        self.observed.route_tables.values_mut().find_map(|table| {
            let at = table
                .associations
                .iter()
                .position(|association| association.id == id)?;
            Some(table.associations.remove(at).subnet)
        })
    }
}
