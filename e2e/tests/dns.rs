//! `isthmus-dns` from an Ingress to its records and back, at the emulators.

#[path = "dns/crash.rs"]
mod crash;
#[path = "dns/failures.rs"]
mod failures;
#[path = "dns/outages.rs"]
mod outages;
#[path = "dns/records.rs"]
mod records;
#[path = "dns/sources.rs"]
mod sources;
#[path = "dns/stage.rs"]
mod stage;
#[path = "dns/trouble.rs"]
mod trouble;
