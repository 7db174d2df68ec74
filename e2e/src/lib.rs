//! The testbed, the playground's parts and what the end-to-end tests share.
//!
//! [`Testbed::acquire`] gives a test a real kube-apiserver with etcd, and AWS
//! emulators behind the [`gate::Gate`], which records every call, enforces the
//! real rates, injects faults and stops the world after call n. A test sees
//! only its own state; when its process dies, everything it started dies too.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use isthmus_e2e::{Testbed, World};
//!
//! let testbed = Testbed::acquire().await?;
//! let world = World::create(&testbed).await?;
//! testbed.apply_yaml("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}").await?;
//! let finished = testbed.run("isthmus-ingress", &["--once"]).await?;
//! assert_eq!(finished.code, Some(0), "{finished}");
//! assert!(!testbed.gate.writes().is_empty());
//! # drop(world);
//! # Ok(())
//! # }
//! ```

pub mod binaries;
mod cache;
pub mod crash;
pub mod gate;
pub mod http;
pub mod playground;
mod promtool;
mod testbed;
mod waiting;
mod world;

pub use crash::{CrashReport, Scenario, kill_after_every_call};
pub use gate::{Call, Fault, Gate, Outcome};
pub use promtool::promtool;
pub use testbed::{
    Command, EmulatorSettings, Emulators, Finished, Imds, ImdsRequest, Process, Right,
    ServiceAccount, Testbed, free_port,
};
pub use waiting::{PATIENCE, eventually};
pub use world::{Authority, Certificate, Instance, Issued, ROUTE_GROUP_DEFINITION, Subnet, World};

/// The region that the testbed plays.
pub const REGION: &str = "eu-central-1";
/// The AWS account of the emulators.
pub const ACCOUNT: &str = "123456789012";
/// The cluster id of the world fixture.
pub const CLUSTER_ID: &str = "aws:123456789012:eu-central-1:kube-1";
