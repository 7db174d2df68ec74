//! The proxy from outside: real sockets, source addresses in 127.0.0.0/8 as pods.

mod container;
mod framing;
mod refusals;
mod serving;
mod sts;
mod tokens;

pub(super) const LIST: &str = "/latest/meta-data/iam/security-credentials/";
pub(super) const CREDENTIALS_A: &str = "/latest/meta-data/iam/security-credentials/role-a";
pub(super) const A: &str = "127.0.1.1";
pub(super) const B: &str = "127.0.1.2";
pub(super) const PLAIN: &str = "127.0.1.3";
pub(super) const STRANGER: &str = "127.0.9.9";
