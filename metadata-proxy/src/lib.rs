//! isthmus-metadata-proxy: hands each pod the STS credentials of the role it is
//! annotated with, at the address of the EC2 instance metadata, and nothing else.

mod args;
mod aws;
mod cluster;
mod command;
mod config;
mod credentials;
mod directory;
mod discover;
mod duplicates;
#[cfg(test)]
mod fixture;
mod haste;
mod health;
mod imds;
mod kubelet;
mod limit;
mod metrics;
mod netfilter;
mod page;
mod pod_tokens;
mod proxy;
mod report;
mod respond;
mod server;
mod serving;
mod slim;
mod start;
mod taint;
mod tidy;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

/// The whole of `isthmus-metadata-proxy`: `argv` is its command line, its name first.
#[must_use]
pub fn main(argv: Vec<OsString>) -> ExitCode {
    proxy::main(argv)
}
