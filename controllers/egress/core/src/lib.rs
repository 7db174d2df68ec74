//! The decisions of `isthmus-egress`, as pure functions.
//!
//! ConfigMaps ask for networks; every availability zone gets a NAT gateway with
//! a fixed Elastic IP; every route table tagged `Type=dmz` gets a route for each
//! network to the NAT gateway of its zone.
//!
//! ```text
//! ConfigMaps -> Snapshot -> desired ---.
//!                                      +-> plan -> check -> (apply) -> status
//! EC2 -> Observed -> Inventory --------'
//! ```
//!
//! # Whose is a route?
//!
//! Routes carry no tags, so ownership is taken from what they lead to. A route
//! is ours if all of this is true, and is never touched otherwise:
//!
//! 1. it was made by a `CreateRoute` call (not local, not propagated) for an
//!    IPv4 destination other than `0.0.0.0/0`, which no ConfigMap can ask for;
//! 2. its table is tagged `Type=dmz`, or was when the question is asked;
//! 3. it leads to a NAT gateway that carries our ownership tags (EC2 shows a
//!    deleted one, tags included, for about an hour), **or** to a NAT gateway that
//!    EC2 no longer shows and that one of our Elastic IPs remembers.
//!
//! One more route is ours: one for a network that is wanted, which an earlier
//! look of the same process saw lead to one of our NAT gateways, and which leads
//! elsewhere now ([`RoutesSeen`]). Somebody has changed it, and it is put right.
//!
//! For the third, the tag [`tags::NAT_GATEWAYS_TAG`] on the zone's Elastic IP lists
//! the NAT gateways that were ever made with it and that a route still leads to.
//! It is written before the first route to a NAT gateway is. The address is the
//! right place: it is ours, and it outlives everything else here. A black-holed
//! route to a NAT gateway that nobody remembers is somebody else's: a conflict
//! that is reported, and left.

mod action;
mod check;
mod config;
mod desired;
mod entry;
mod inventory;
mod observed;
mod plan;
pub mod reason;
mod routes;
mod seen;
mod snapshot;
mod status;
pub mod tags;
mod teardown;
mod zone;

pub use action::{EgressAction, Handle, client_token};
pub use check::{Unsafe, check};
pub use config::{Config, Guards, Zone};
pub use desired::{Desired, Stance, WantedList, desired};
pub use entry::{Entry, Refusal, entries};
pub use inventory::{Holdings, Inventory};
pub use observed::{
    Address, Association, NatGateway, NatState, Observed, Route, RouteTable, Subnet, Tags, Target,
    UnixTime, Vpc,
};
pub use plan::{Planned, pause, plan, withheld};
pub use routes::RouteState;
pub use seen::RoutesSeen;
pub use snapshot::{CidrList, Snapshot};
pub use status::{Applied, EntryState, EntryStatus, RouteFailure, Status, ZoneStatus, status};
