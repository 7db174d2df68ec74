//! What a step says of itself in a plan, after its kind and name.

use std::fmt;

use super::EgressAction;
use crate::tags;

impl fmt::Display for EgressAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateSubnet { cidr, .. } => write!(f, "{cidr}"),
            Self::CreateRouteTable { .. } => Ok(()),
            Self::CreateDefaultRoute { table, gateway, .. } => {
                write!(f, "0.0.0.0/0 in {table} to {gateway}")
            }
            Self::ReplaceDefaultRoute { table, gateway, .. } => {
                write!(f, "0.0.0.0/0 in {table} to {gateway}")
            }
            Self::Associate { table, subnet, .. } => {
                write!(f, "subnet {subnet} with table {table}")
            }
            Self::ReplaceAssociation {
                association, table, ..
            } => {
                write!(f, "{association} to table {table}")
            }
            Self::AllocateAddress { .. } => Ok(()),
            Self::Tag { id, tags, .. } => write!(f, "{id} tags {}", tags::display(tags)),
            Self::CreateNatGateway {
                subnet, allocation, ..
            } => {
                write!(f, "in subnet {subnet} with address {allocation}")
            }
            Self::CreateRoute { zone, nat, .. } => write!(f, "to {nat} of {zone}"),
            Self::ReplaceRoute {
                zone,
                nat,
                instead_of,
                ..
            } => {
                write!(f, "to {nat} of {zone} instead of {instead_of}")
            }
            Self::DeleteRoute { nat, .. } => write!(f, "to {nat}"),
            Self::DeleteNatGateway { nat, why, .. } => write!(f, "{nat}, {why}"),
            Self::DeleteSubnet { subnet, .. } => f.write_str(subnet),
            Self::Disassociate {
                association, table, ..
            } => write!(f, "{association} of {table}"),
            Self::DeleteRouteTable { table, .. } => f.write_str(table),
            Self::ReleaseAddress {
                allocation,
                public_ip,
                ..
            } => {
                write!(f, "{allocation}, giving up {public_ip} for good")
            }
        }
    }
}
