//! `isthmus-egress` from a ConfigMap to EC2 and back, at the emulators.

#[path = "egress/crash.rs"]
mod crash;
#[path = "egress/daemon.rs"]
mod daemon;
#[path = "egress/failures.rs"]
mod failures;
#[path = "egress/routes.rs"]
mod routes;
#[path = "egress/slice.rs"]
mod slice;
#[path = "egress/stage.rs"]
mod stage;
#[path = "egress/zones.rs"]
mod zones;
