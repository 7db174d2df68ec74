//! `isthmus-dns` from an Ingress to its records and back, at the emulators.

#[path = "dns/crash.rs"]
mod crash;
#[path = "dns/crowd.rs"]
mod crowd;
#[path = "dns/failures.rs"]
mod failures;
#[path = "dns/faults.rs"]
mod faults;
#[path = "dns/measure.rs"]
mod measure;
#[path = "dns/outages.rs"]
mod outages;
#[path = "dns/records.rs"]
mod records;
#[path = "dns/removals.rs"]
mod removals;
#[path = "dns/routing.rs"]
mod routing;
#[path = "dns/scale.rs"]
mod scale;
#[path = "dns/sources.rs"]
mod sources;
#[path = "dns/stage.rs"]
mod stage;
#[path = "dns/takeover.rs"]
mod takeover;
#[path = "dns/trouble.rs"]
mod trouble;
