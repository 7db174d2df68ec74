//! Which address a zone uses, and which NAT gateway goes with it.

use super::{Holdings, Inventory};
use crate::{Address, NatGateway, NatState, Zone};

/// The Elastic IP that a zone is to use.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WantedAddress<'a> {
    Existing(&'a str, &'a Address),
    /// None is there: one has to be allocated.
    New,
    /// The one of `--eip-allocation-id` does not exist.
    Missing(&'a str),
}

impl<'a> Inventory<'a> {
    /// The Elastic IP that a zone is to use: the one handed over, else the one in
    /// use, else one of ours that is kept for the zone.
    pub(crate) fn address(&self, zone: &'a Zone) -> WantedAddress<'a> {
        let by_id = |id: &'a str| self.observed.addresses.get_key_value(id);
        if let Some(id) = &zone.adopt {
            return match by_id(id) {
                Some((id, address)) => WantedAddress::Existing(id, address),
                None => WantedAddress::Missing(id),
            };
        }
        let Some(holdings) = self.zones.get(zone.name.as_str()) else {
            return WantedAddress::New;
        };
        let in_use = holdings
            .live()
            .filter_map(|(_, nat)| by_id(nat.allocation.as_deref()?));
        let in_use = in_use.min_by_key(|(id, _)| (holdings.state_of(id), *id));
        let kept = || {
            let addresses = holdings.addresses.iter();
            addresses.min_by_key(|(id, _)| (self.held_by_other(id).is_some(), **id))
        };
        match in_use {
            Some((id, address)) => WantedAddress::Existing(id, address),
            None => kept().map_or(WantedAddress::New, |(id, address)| {
                WantedAddress::Existing(id, address)
            }),
        }
    }

    /// What else an Elastic IP is attached to. An address that one of our NAT
    /// gateways has or had is not counted: EC2 takes a while to say that a deleted
    /// one has let go, and refuses if somebody else was faster.
    pub(crate) fn held_by_other(&self, allocation: &str) -> Option<&'a str> {
        let holder = self
            .observed
            .addresses
            .get(allocation)?
            .attached_to
            .as_deref()?;
        let mut ours = self
            .zones
            .values()
            .flat_map(|holdings| holdings.nat_gateways.values());
        let known = ours.any(|nat| nat.allocation.as_deref() == Some(allocation));
        (!known).then_some(holder)
    }

    /// Whether a NAT gateway that failed still has its address: it is attached,
    /// and not to another one of ours.
    pub(crate) fn has_address(&self, failed: &NatGateway) -> bool {
        let addresses = &self.observed.addresses;
        let address = failed.allocation.as_ref().and_then(|id| addresses.get(id));
        let attached = address.is_some_and(|address| address.attached_to.is_some());
        let mut live = self.zones.values().flat_map(Holdings::live);
        attached && !live.any(|(_, nat)| nat.allocation == failed.allocation)
    }

    /// The NAT gateway that routes of a zone are to lead to, working or on its way.
    pub(crate) fn current(&self, zone: &'a Zone) -> Option<(&'a str, &'a NatGateway)> {
        let WantedAddress::Existing(allocation, _) = self.address(zone) else {
            return None;
        };
        let live = self.zones.get(zone.name.as_str())?.live();
        let with_address = live.filter(|(_, nat)| nat.allocation.as_deref() == Some(allocation));
        with_address
            .max_by_key(|(id, nat)| (nat.state == NatState::Available, std::cmp::Reverse(*id)))
    }

    /// The NAT gateway that traffic of a zone goes through now: while another
    /// address takes over, still the one before.
    #[must_use]
    pub fn serving(&self, zone: &'a Zone) -> Option<(&'a str, &'a NatGateway)> {
        let works = |nat: &NatGateway| nat.state == NatState::Available;
        let current = self.current(zone);
        let others = || {
            self.zones
                .get(zone.name.as_str())?
                .live()
                .find(|(_, nat)| works(nat))
        };
        current
            .filter(|(_, nat)| works(nat))
            .or_else(others)
            .or(current)
    }

    /// The current one, if it works.
    pub(crate) fn available(&self, zone: &'a Zone) -> Option<&'a str> {
        let current = self.current(zone);
        current.and_then(|(id, nat)| (nat.state == NatState::Available).then_some(id))
    }
}
