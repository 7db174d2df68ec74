//! Leader election over a `coordination.k8s.io/v1` Lease.

mod api;
mod election;
mod state;

pub(crate) use api::{KubeLease, LeaseApi, LeaseError, LeaseRecord};
pub(crate) use election::{Election, Term};
