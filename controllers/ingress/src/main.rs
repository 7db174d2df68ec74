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
mod report;
mod routegroup;
mod selected;
mod status;
mod trust;
mod watch;

fn main() -> std::process::ExitCode {
    isthmus_runtime::main::<controller::IngressController>()
}
