//! The address of a zone and its NAT gateway.

use std::collections::BTreeSet;

use isthmus_core::Withheld;

use super::Place;
use crate::inventory::WantedAddress;
use crate::plan::{Planned, because};
use crate::reason::NAT_GATEWAY_FAILED;
use crate::{EgressAction, Handle, Inventory, NatState, Tags, UnixTime, Zone, tags, withheld};

/// How long a failed NAT gateway may take to let go of its address.
const LETS_GO_SECONDS: i64 = 60;

/// When the next attempt at a NAT gateway may be made, if earlier ones failed:
/// the first replacement at once, later ones after 1, 2, 4, … at most 15 minutes.
pub(crate) fn retry_at(inventory: &Inventory<'_>, zone: &Zone) -> Option<UnixTime> {
    const MOST_SECONDS: i64 = 15 * 60;
    let holdings = inventory.zones.get(zone.name.as_str())?;
    let failed = holdings
        .nat_gateways
        .values()
        .filter(|nat| nat.failure.is_some());
    let (count, last) = failed.fold((0_u32, None), |(count, last), nat| {
        (count + 1, last.max(Some(nat.created)))
    });
    let exponent = count.checked_sub(2)?;
    let seconds = 60_i64
        .saturating_mul(1 << exponent.min(10))
        .min(MOST_SECONDS);
    Some(last?.saturating_add(seconds))
}

impl Place<'_, '_> {
    /// The step for the zone's address, if any, and the address.
    pub(super) fn address(&self, planned: &mut Planned) -> Handle {
        let WantedAddress::Existing(id, address) = self.inventory.address(self.zone) else {
            planned.step(
                EgressAction::AllocateAddress { zone: self.name() },
                self.askers,
            );
            return Handle::New;
        };
        let mut wanted = Tags::new();
        if self.zone.adopt.is_some() {
            wanted = self.required();
            wanted.insert(tags::ADOPTED_TAG.to_owned(), "true".to_owned());
        } else if self.inventory.owns(&address.tags) {
            wanted = self.required();
        }
        if !wanted.is_empty() {
            wanted.extend(self.memory(id, &address.tags));
            self.tag(planned, ("address", id), &wanted, &address.tags);
        }
        Handle::Existing(id.to_owned())
    }

    /// The tag that remembers the NAT gateways of an address, if one is missing in it.
    fn memory(&self, allocation: &str, present: &Tags) -> Option<(String, String)> {
        let known = tags::remembered(present);
        let nats = self.holdings.nat_gateways.iter();
        let made: BTreeSet<&str> = nats
            .filter(|(_, nat)| nat.allocation.as_deref() == Some(allocation))
            .filter(|(_, nat)| nat.state.is_live() || nat.state == NatState::Failed)
            .map(|(id, _)| *id)
            .collect();
        if made.iter().all(|id| known.contains(*id)) {
            return None;
        }
        let routes = self
            .inventory
            .observed
            .route_tables
            .values()
            .flat_map(|table| &table.routes);
        let still_led_to: BTreeSet<&str> = routes
            .map(|route| route.target.id())
            .filter(|id| known.contains(*id))
            .collect();
        let others = still_led_to.difference(&made);
        let all: Vec<&str> = made
            .iter()
            .chain(others)
            .copied()
            .take(tags::MOST_REMEMBERED)
            .collect();
        Some((tags::NAT_GATEWAYS_TAG.to_owned(), all.join(" ")))
    }

    /// The steps for the zone's NAT gateway.
    pub(super) fn nat_gateway(
        &self,
        planned: &mut Planned,
        subnet: Handle,
        allocation: Handle,
        now: UnixTime,
    ) {
        self.failures(planned, now);
        if let Some((id, nat)) = self.inventory.current(self.zone) {
            self.tag(planned, ("nat-gateway", id), &self.required(), &nat.tags);
            return;
        }
        let why = self.wait(&allocation, now);
        let previous = self.previous(&allocation);
        let zone = self.name();
        let action = EgressAction::CreateNatGateway {
            zone,
            subnet,
            allocation,
            previous,
        };
        match why {
            Some(why) => planned.hold(action, self.askers, why),
            None => planned.step(action, self.askers),
        }
    }

    /// Says what EC2 could not make. A failed NAT gateway stays as the evidence
    /// that later attempts wait by, until one works or it does not let go of its
    /// address; EC2 itself removes it after about an hour.
    fn failures(&self, planned: &mut Planned, now: UnixTime) {
        let works = self.inventory.available(self.zone).is_some();
        for (id, nat) in &self.holdings.nat_gateways {
            let Some(failure) = &nat.failure else {
                continue;
            };
            if !works {
                let message = format!("zone {}: {id} failed: {failure}", self.zone.name);
                let problem = (NAT_GATEWAY_FAILED, message);
                planned.problems.insert(self.name(), problem);
            }
            let stuck = self.inventory.has_address(nat) && now - nat.created >= LETS_GO_SECONDS;
            if nat.state == NatState::Failed && (works || stuck) {
                let (zone, nat) = (self.name(), (*id).to_owned());
                let why = format!("failed: {failure}");
                let action = EgressAction::DeleteNatGateway { zone, nat, why };
                planned.step(action, self.askers);
            }
        }
    }

    /// Why a NAT gateway cannot be made yet.
    fn wait(&self, allocation: &Handle, now: UnixTime) -> Option<Withheld> {
        let zones = self.inventory.zones.values();
        let mut all = zones.flat_map(|holdings| &holdings.nat_gateways);
        let holder = all.find(|(_, nat)| {
            let id = nat.allocation.clone().map(Handle::Existing);
            let holds = match nat.state {
                NatState::Pending | NatState::Available | NatState::Deleting => true,
                NatState::Failed => self.inventory.has_address(nat),
                NatState::Deleted => false,
            };
            holds && id.as_ref() == Some(allocation)
        });
        if let Some((id, nat)) = holder {
            let message = format!("{id} is {} and has the address", nat.state.as_str());
            return Some(because(withheld::PENDING, message));
        }
        let seconds = retry_at(self.inventory, self.zone)? - now;
        let message = format!("it failed before; next attempt in {seconds} s");
        (seconds > 0).then(|| because(withheld::BACKOFF, message))
    }

    fn previous(&self, allocation: &Handle) -> BTreeSet<String> {
        let mut previous: BTreeSet<String> = self
            .holdings
            .nat_gateways
            .keys()
            .map(|id| (*id).to_owned())
            .collect();
        if let Handle::Existing(id) = allocation
            && let Some(address) = self.inventory.observed.addresses.get(id)
        {
            previous.extend(tags::remembered(&address.tags));
        }
        previous
    }
}
