//! From a step of the plan to a call with ids.

use egress_core::{EgressAction, Handle, Target, client_token, tags};
use ipnet::Ipv4Net;

use super::{Site, Work};
use crate::aws::Call;

impl Work {
    /// The call of a step; `None` if something that it needs was not made.
    pub(super) fn resolve(&self, action: &EgressAction, site: &Site<'_>) -> Option<Call> {
        let new = |zone: &str| tags::for_new(site.config, zone);
        let vpc = || site.vpc.to_owned();
        let to_nat = |nat: &str| Target::NatGateway(nat.to_owned());
        Some(match action.clone() {
            EgressAction::CreateSubnet { zone, cidr } => Call::CreateSubnet {
                vpc: vpc(),
                tags: new(&zone),
                zone,
                cidr,
            },
            EgressAction::CreateRouteTable { zone } => Call::CreateRouteTable {
                vpc: vpc(),
                tags: new(&zone),
            },
            EgressAction::CreateDefaultRoute {
                zone,
                table,
                gateway,
            } => Call::CreateRoute {
                table: self.known(&zone, "route-table", table)?,
                destination: Ipv4Net::default(),
                target: Target::Gateway(gateway),
            },
            EgressAction::ReplaceDefaultRoute { table, gateway, .. } => Call::ReplaceRoute {
                table,
                destination: Ipv4Net::default(),
                target: Target::Gateway(gateway),
            },
            EgressAction::Associate {
                zone,
                table,
                subnet,
            } => Call::Associate {
                table: self.known(&zone, "route-table", table)?,
                subnet: self.known(&zone, "subnet", subnet)?,
            },
            EgressAction::ReplaceAssociation {
                zone,
                association,
                table,
            } => {
                let table = self.known(&zone, "route-table", table)?;
                Call::ReplaceAssociation { association, table }
            }
            EgressAction::AllocateAddress { zone } => Call::AllocateAddress { tags: new(&zone) },
            EgressAction::Tag { id, tags, .. } => Call::CreateTags { id, tags },
            EgressAction::CreateNatGateway {
                zone,
                subnet,
                allocation,
                previous,
            } => {
                let subnet = self.known(&zone, "subnet", subnet)?;
                let allocation = self.known(&zone, "address", allocation)?;
                let mut parts: Vec<&str> = vec![&subnet, &allocation];
                parts.extend(previous.iter().map(String::as_str));
                let token = client_token(site.config, "nat-gateway", &zone, &parts);
                Call::CreateNatGateway {
                    token,
                    tags: new(&zone),
                    subnet,
                    allocation,
                }
            }
            EgressAction::CreateRoute {
                table,
                network,
                nat,
                ..
            } => Call::CreateRoute {
                table,
                destination: network,
                target: to_nat(&nat),
            },
            EgressAction::ReplaceRoute {
                table,
                network,
                nat,
                ..
            } => Call::ReplaceRoute {
                table,
                destination: network,
                target: to_nat(&nat),
            },
            EgressAction::DeleteRoute { table, network, .. } => Call::DeleteRoute {
                table,
                destination: network,
            },
            EgressAction::DeleteNatGateway { nat, .. } => Call::DeleteNatGateway { nat },
            EgressAction::DeleteSubnet { subnet, .. } => Call::DeleteSubnet { subnet },
            EgressAction::Disassociate { association, .. } => Call::Disassociate { association },
            EgressAction::DeleteRouteTable { table, .. } => Call::DeleteRouteTable { table },
            EgressAction::ReleaseAddress {
                allocation,
                public_ip,
                ..
            } => {
                tracing::warn!(
                    allocation,
                    public_ip,
                    "giving an Elastic IP back, as --release-eips says"
                );
                Call::ReleaseAddress { allocation }
            }
        })
    }

    fn known(&self, zone: &str, kind: &'static str, handle: Handle) -> Option<String> {
        match handle {
            Handle::Existing(id) => Some(id),
            Handle::New => self.made.get(&(zone.to_owned(), kind)).cloned(),
        }
    }
}
