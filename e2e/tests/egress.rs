//! `isthmus-egress` from a ConfigMap to EC2 and back, at the emulators.

#[path = "egress/addresses.rs"]
mod addresses;
#[path = "egress/command_line.rs"]
mod command_line;
#[path = "egress/crash.rs"]
mod crash;
#[path = "egress/daemon.rs"]
mod daemon;
#[path = "egress/failures.rs"]
mod failures;
#[path = "egress/front.rs"]
mod front;
#[path = "egress/lists.rs"]
mod lists;
#[path = "egress/moving.rs"]
mod moving;
#[path = "egress/nat_gateways.rs"]
mod nat_gateways;
#[path = "egress/old_stack.rs"]
mod old_stack;
#[path = "egress/picture.rs"]
mod picture;
#[path = "egress/process.rs"]
mod process;
#[path = "egress/refusals.rs"]
mod refusals;
#[path = "egress/rest.rs"]
mod rest;
#[path = "egress/rights.rs"]
mod rights;
#[path = "egress/routes.rs"]
mod routes;
#[path = "egress/slice.rs"]
mod slice;
#[path = "egress/stage.rs"]
mod stage;
#[path = "egress/whole.rs"]
mod whole;
#[path = "egress/zones.rs"]
mod zones;
