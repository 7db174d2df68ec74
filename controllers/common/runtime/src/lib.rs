//! Ring 2 of the workspace: what every binary runs on.
//!
//! A controller implements [`Controller`] and calls [`main`]; the runtime gives
//! it flags, logs, metrics, watches, a run loop, a lease, an admin server, AWS
//! configuration and Kubernetes Events. `isthmus-metadata-proxy` is no
//! controller and takes the same parts one by one.
//!
//! # What a process prints and how it ends
//!
//! * Wrong flags: one line a problem on stderr, exit 2, nothing touched.
//! * What is missing at the start (API server, AWS region, credentials): one
//!   line, exit 1. A long-running controller looks for the API server for ten
//!   seconds first; then the kubelet restarts it.
//! * `SIGTERM`: the AWS call under way ends, no other begins, the lease is
//!   released, exit 0 within ten seconds.
//! * Logs go to stderr, the plans of `--dry-run` to stdout.

mod admin;
mod args;
mod aws;
mod connect;
mod controller;
#[doc(hidden)]
pub mod documents;
mod error;
mod events;
mod lease;
mod logging;
mod metrics;
mod pace;
mod page;
mod program;
pub mod reason;
mod run;
mod run_loop;
mod shutdown;
#[cfg(test)]
mod testing;
mod traces;
mod trigger;
mod watch;

pub use admin::Admin;
pub use args::{
    CommonArgs, ControllerArgs, ListenAddress, LogFormat, LogLevel, PlanFormat, Problems,
    parse_args, read_args,
};
pub use aws::{Aws, CallMetrics, ImdsClient, ImdsError, aws_message, error_class, http_client};
pub use connect::{connect, connect_to, install_crypto};
pub use controller::{Controller, Setup, main};
pub use error::{Exit, Failure, Outcome, RunError, StartError};
pub use events::{EventType, Events};
pub use logging::{Logging, start_logging};
pub use metrics::{Family, Metrics};
pub use page::{Page, Section};
pub use program::chosen;
pub use run::Run;
pub use shutdown::on_signals;
pub use traces::OtlpEndpoint;
pub use trigger::Trigger;
pub use watch::{LastingStore, Watches, watcher_config};
