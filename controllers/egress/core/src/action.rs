//! Everything that can be done.

use std::collections::BTreeSet;
use std::fmt;

use ipnet::Ipv4Net;
use isthmus_core::{Action, Effect, short_hash};

use crate::{Config, Tags};

mod text;

/// Something that is there, or that an earlier step of the same plan makes in
/// the same zone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Handle {
    /// By its id.
    Existing(String),
    /// The one made by this plan.
    New,
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Existing(id) => f.write_str(id),
            Self::New => f.write_str("the new one"),
        }
    }
}

/// One EC2 call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are ids and names of what the variant says"
)]
pub enum EgressAction {
    /// `CreateSubnet`.
    CreateSubnet { zone: String, cidr: Ipv4Net },
    /// `CreateRouteTable`, for the NAT subnet.
    CreateRouteTable { zone: String },
    /// `CreateRoute` of `0.0.0.0/0` in the NAT subnet's table.
    CreateDefaultRoute {
        zone: String,
        table: Handle,
        gateway: String,
    },
    /// `ReplaceRoute` of `0.0.0.0/0` in the NAT subnet's table.
    ReplaceDefaultRoute {
        zone: String,
        table: String,
        gateway: String,
    },
    /// `AssociateRouteTable`.
    Associate {
        zone: String,
        table: Handle,
        subnet: Handle,
    },
    /// `ReplaceRouteTableAssociation`: our subnet uses another table.
    ReplaceAssociation {
        zone: String,
        association: String,
        table: Handle,
    },
    /// `AllocateAddress`.
    AllocateAddress { zone: String },
    /// `CreateTags` on something of ours, or on an address handed over.
    Tag {
        zone: String,
        kind: &'static str,
        id: String,
        tags: Tags,
    },
    /// `CreateNatGateway`. `previous` are the NAT gateways made before with the
    /// same address, so that the client token is a new one.
    CreateNatGateway {
        zone: String,
        subnet: Handle,
        allocation: Handle,
        previous: BTreeSet<String>,
    },
    /// `CreateRoute`.
    CreateRoute {
        table: String,
        network: Ipv4Net,
        zone: String,
        nat: String,
    },
    /// `ReplaceRoute`.
    ReplaceRoute {
        table: String,
        network: Ipv4Net,
        zone: String,
        nat: String,
        instead_of: String,
    },
    /// `DeleteRoute`. `counts` where it is the first of its network, so that the
    /// removal limit counts networks and not tables.
    DeleteRoute {
        table: String,
        network: Ipv4Net,
        nat: String,
        counts: bool,
    },
    /// `DeleteNatGateway`.
    DeleteNatGateway {
        zone: String,
        nat: String,
        why: String,
    },
    /// `DeleteSubnet`.
    DeleteSubnet { zone: String, subnet: String },
    /// `DisassociateRouteTable`.
    Disassociate {
        zone: String,
        association: String,
        table: String,
    },
    /// `DeleteRouteTable`.
    DeleteRouteTable { zone: String, table: String },
    /// `ReleaseAddress`: the public IP is lost for good.
    ReleaseAddress {
        zone: String,
        allocation: String,
        public_ip: String,
    },
}

impl EgressAction {
    /// The zone whose later steps depend on this one; `None` for the routes,
    /// each of which stands alone.
    #[must_use]
    pub fn chain(&self) -> Option<&str> {
        match self {
            Self::CreateSubnet { zone, .. }
            | Self::CreateRouteTable { zone }
            | Self::CreateDefaultRoute { zone, .. }
            | Self::ReplaceDefaultRoute { zone, .. }
            | Self::Associate { zone, .. }
            | Self::ReplaceAssociation { zone, .. }
            | Self::AllocateAddress { zone }
            | Self::CreateNatGateway { zone, .. }
            | Self::DeleteSubnet { zone, .. }
            | Self::Disassociate { zone, .. }
            | Self::DeleteRouteTable { zone, .. } => Some(zone),
            Self::Tag { .. }
            | Self::CreateRoute { .. }
            | Self::ReplaceRoute { .. }
            | Self::DeleteRoute { .. }
            | Self::DeleteNatGateway { .. }
            | Self::ReleaseAddress { .. } => None,
        }
    }
}

impl Action for EgressAction {
    fn effect(&self) -> Effect {
        match self {
            Self::CreateSubnet { .. }
            | Self::CreateRouteTable { .. }
            | Self::CreateDefaultRoute { .. }
            | Self::Associate { .. }
            | Self::AllocateAddress { .. }
            | Self::CreateNatGateway { .. }
            | Self::CreateRoute { .. } => Effect::Add,
            Self::ReplaceDefaultRoute { .. }
            | Self::ReplaceAssociation { .. }
            | Self::Tag { .. }
            | Self::ReplaceRoute { .. } => Effect::Change,
            Self::DeleteRoute { .. }
            | Self::DeleteNatGateway { .. }
            | Self::DeleteSubnet { .. }
            | Self::Disassociate { .. }
            | Self::DeleteRouteTable { .. }
            | Self::ReleaseAddress { .. } => Effect::Remove,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::CreateSubnet { .. } | Self::DeleteSubnet { .. } => "subnet",
            Self::CreateRouteTable { .. } | Self::DeleteRouteTable { .. } => "route-table",
            Self::CreateDefaultRoute { .. } | Self::ReplaceDefaultRoute { .. } => "default-route",
            Self::Associate { .. }
            | Self::ReplaceAssociation { .. }
            | Self::Disassociate { .. } => "association",
            Self::AllocateAddress { .. } | Self::ReleaseAddress { .. } => "address",
            Self::Tag { kind, .. } => kind,
            Self::CreateNatGateway { .. } | Self::DeleteNatGateway { .. } => "nat-gateway",
            Self::CreateRoute { .. } | Self::ReplaceRoute { .. } | Self::DeleteRoute { .. } => {
                "route"
            }
        }
    }

    fn name(&self) -> String {
        match self {
            Self::CreateSubnet { zone, .. }
            | Self::CreateRouteTable { zone }
            | Self::CreateDefaultRoute { zone, .. }
            | Self::ReplaceDefaultRoute { zone, .. }
            | Self::Associate { zone, .. }
            | Self::ReplaceAssociation { zone, .. }
            | Self::AllocateAddress { zone }
            | Self::Tag { zone, .. }
            | Self::CreateNatGateway { zone, .. }
            | Self::DeleteNatGateway { zone, .. }
            | Self::DeleteSubnet { zone, .. }
            | Self::Disassociate { zone, .. }
            | Self::DeleteRouteTable { zone, .. }
            | Self::ReleaseAddress { zone, .. } => zone.clone(),
            Self::CreateRoute { table, network, .. }
            | Self::ReplaceRoute { table, network, .. }
            | Self::DeleteRoute { table, network, .. } => format!("{network} in {table}"),
        }
    }

    /// Only networks and addresses count: the rest tidies up after them.
    fn removes(&self) -> usize {
        match self {
            Self::DeleteRoute { counts, .. } => usize::from(*counts),
            Self::ReleaseAddress { .. } => 1,
            _ => 0,
        }
    }
}

/// The `ClientToken` of a creation: the same for the same intention, so that a
/// repetition whose first answer was lost makes nothing twice, and another one
/// once something of `parts` is different. At most 64 ASCII characters.
#[must_use]
pub fn client_token(config: &Config, kind: &str, zone: &str, parts: &[&str]) -> String {
    let mut all = vec![
        config.ownership.cluster_tag(),
        config.ownership.controller_id(),
        kind,
        zone,
    ];
    all.extend(parts);
    format!("isthmus-{}", short_hash(&all, 40))
}
