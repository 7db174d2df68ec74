//! Leader election over a `coordination.k8s.io/v1` Lease.

mod api;
mod election;
mod state;
mod term;

pub(crate) use api::{KubeLease, LeaseApi, LeaseError, LeaseRecord};
pub(crate) use election::Election;
pub(crate) use term::Term;
