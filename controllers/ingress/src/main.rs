//! `isthmus-ingress`: load balancers with certificates for Ingresses.

mod apply;
mod args;
mod aws;
mod certificates;
mod config;
mod controller;
mod decided;
mod discover;
mod error;
mod observe;
mod report;
mod status;
mod watch;

fn main() -> std::process::ExitCode {
    isthmus_runtime::main::<controller::IngressController>()
}
