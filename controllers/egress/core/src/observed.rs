//! EC2, as far as egress is concerned.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;

/// Seconds since 1970, UTC.
pub type UnixTime = i64;

/// EC2 tags by key.
pub type Tags = BTreeMap<String, String>;

/// What EC2 says of one VPC, and of all Elastic IPs of the region. Everything is
/// there, other people's things included, because a plan must go around them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The VPC that is worked in.
    pub vpc: Vpc,
    /// The internet gateway attached to it.
    pub internet_gateway: Option<String>,
    /// By subnet id.
    pub subnets: BTreeMap<String, Subnet>,
    /// By route table id.
    pub route_tables: BTreeMap<String, RouteTable>,
    /// By allocation id.
    pub addresses: BTreeMap<String, Address>,
    /// By NAT gateway id. Deleted ones stay visible for about an hour.
    pub nat_gateways: BTreeMap<String, NatGateway>,
}

/// A VPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vpc {
    /// For example `vpc-0a1b`.
    pub id: String,
    /// All its IPv4 networks, the secondary ones included.
    pub cidrs: Vec<Ipv4Net>,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// Its availability zone.
    pub zone: String,
    /// Its IPv4 network.
    pub cidr: Ipv4Net,
    /// Its tags.
    pub tags: Tags,
}

/// A route table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteTable {
    /// Its tags.
    pub tags: Tags,
    /// Its routes to IPv4 networks.
    pub routes: Vec<Route>,
    /// The subnets that use it explicitly.
    pub associations: Vec<Association>,
}

/// A route to an IPv4 network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where the traffic goes.
    pub destination: Ipv4Net,
    /// What it goes through.
    pub target: Target,
    /// The target is gone: traffic is dropped.
    pub blackhole: bool,
    /// Made by a `CreateRoute` call: neither local nor propagated.
    pub created: bool,
}

/// What a route leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A NAT gateway.
    NatGateway(String),
    /// An internet or virtual private gateway, or `local`.
    Gateway(String),
    /// Anything else: an instance, an interface, a peering connection.
    Other(String),
}

impl Target {
    /// The id, as EC2 names it.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::NatGateway(id) | Self::Gateway(id) | Self::Other(id) => id,
        }
    }
}

/// A subnet's use of a route table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Association {
    /// For example `rtbassoc-0a1b`.
    pub id: String,
    /// The subnet.
    pub subnet: String,
}

/// An Elastic IP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The public IPv4 address.
    pub public_ip: String,
    /// What it is attached to (an interface or an instance), if anything.
    pub attached_to: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// A NAT gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatGateway {
    /// Where it is in its life.
    pub state: NatState,
    /// The subnet it is in.
    pub subnet: String,
    /// The allocation of its address.
    pub allocation: Option<String>,
    /// When it was made.
    pub created: UnixTime,
    /// When its deletion began.
    pub deleted: Option<UnixTime>,
    /// `FailureCode: FailureMessage`, if it failed.
    pub failure: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// The life of a [NAT gateway](https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NatState {
    /// Being made: a few minutes.
    Pending,
    /// Works.
    Available,
    /// Could not be made. EC2 removes it after about an hour.
    Failed,
    /// Being deleted: a minute or so; its address and its subnet are still in use.
    Deleting,
    /// Gone; shown for about an hour.
    Deleted,
}

impl NatState {
    /// The word that EC2 uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
        }
    }

    /// Whether it works or is going to.
    #[must_use]
    pub fn is_live(self) -> bool {
        matches!(self, Self::Pending | Self::Available)
    }
}
