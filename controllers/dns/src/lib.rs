//! `isthmus-dns`: keeps Route 53 in step with the objects of a cluster.
//!
//! Takes a zone over from external-dns (and Mate) as it is: the same flags,
//! annotations and ownership records. The decisions are in [`dns_core`]; this is
//! the shell around them.

mod apply;
mod args;
mod aws;
mod capacity;
mod config;
mod controller;
mod error;
mod insync;
mod memory;
mod metrics;
mod observe;
mod page;
mod report;
mod status;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

/// The whole of `isthmus-dns`: `argv` is its command line, its name first.
#[must_use]
pub fn main(argv: Vec<OsString>) -> ExitCode {
    isthmus_runtime::main::<controller::Dns>(argv)
}
