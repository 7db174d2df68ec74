//! What keeps a zone from being built.

use ipnet::Ipv4Net;

use crate::entry::overlap;
use crate::inventory::WantedAddress;
use crate::reason::{ADDRESS_IN_USE, ZONE_BLOCKED};
use crate::{Holdings, Inventory, Zone};

/// What keeps a zone from being built, or the internet gateway to build it on.
pub(super) fn obstacle<'a>(
    inventory: &'a Inventory<'_>,
    holdings: &Holdings<'_>,
    zone: &Zone,
) -> Result<&'a str, (&'static str, String)> {
    let name = &zone.name;
    let blocked = |why: String| Err((ZONE_BLOCKED, format!("zone {name}: {why}")));
    let observed = inventory.observed;
    let vpc = &observed.vpc;
    let Some(gateway) = &observed.internet_gateway else {
        return blocked(format!("no internet gateway is attached to {}", vpc.id));
    };
    if holdings.subnets.is_empty() {
        let cidr = &zone.nat_cidr;
        if !vpc.cidrs.iter().any(|own| own.contains(cidr)) {
            let own: Vec<_> = vpc.cidrs.iter().map(Ipv4Net::to_string).collect();
            return blocked(format!(
                "--aws-nat-cidr-block {cidr} is not in a network of {} ({})",
                vpc.id,
                own.join(", ")
            ));
        }
        let taken = observed
            .subnets
            .iter()
            .find(|(_, subnet)| overlap(&subnet.cidr, cidr));
        if let Some((id, subnet)) = taken {
            return blocked(format!(
                "--aws-nat-cidr-block {cidr} overlaps with {} of {id}, which is not its NAT subnet",
                subnet.cidr
            ));
        }
    }
    match inventory.address(zone) {
        WantedAddress::Missing(id) => blocked(format!(
            "--eip-allocation-id {id} does not exist in this region"
        )),
        WantedAddress::Existing(id, address) if inventory.current(zone).is_none() => {
            match inventory.held_by_other(id) {
                Some(holder) => Err((
                    ADDRESS_IN_USE,
                    format!(
                        "zone {name}: Elastic IP {} ({id}) is attached to {holder}; detach it there",
                        address.public_ip
                    ),
                )),
                None => Ok(gateway),
            }
        }
        _ => Ok(gateway),
    }
}
