//! `isthmus-egress`: gives chosen destinations fixed source addresses.
//!
//! ConfigMaps labelled `egress=static` name networks; traffic to them leaves
//! each availability zone through a NAT gateway whose Elastic IP stays the same.
//! The decisions are in [`egress_core`]; this is the shell around them.

mod answers;
mod apply;
mod args;
mod aws;
mod config;
mod confirm;
mod controller;
mod discover;
mod error;
mod memory;
mod metrics;
mod observe;
mod page;
mod reconcile;
mod report;
mod rights;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

/// The whole of `isthmus-egress`: `argv` is its command line, its name first.
#[must_use]
pub fn main(argv: Vec<OsString>) -> ExitCode {
    isthmus_runtime::main::<controller::Egress>(argv)
}
