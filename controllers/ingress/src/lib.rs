//! `isthmus-ingress`: load balancers with certificates for Ingresses and RouteGroups.

mod apply;
mod args;
mod aws;
mod certificates;
mod chain;
mod config;
mod controller;
mod decided;
mod discover;
mod error;
mod metrics;
mod observe;
mod page;
mod report;
mod routegroup;
mod selected;
mod status;
mod trust;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

/// The whole of `isthmus-ingress`: `argv` is its command line, its name first.
#[must_use]
pub fn main(argv: Vec<OsString>) -> ExitCode {
    isthmus_runtime::main::<controller::IngressController>(argv)
}
