//! Flags: the common ones, and how all of them are read.

mod address;
mod common;
mod parse;
mod problems;
mod tokens;

pub use address::ListenAddress;
pub use common::{CommonArgs, ControllerArgs, LogFormat, LogLevel, PlanFormat};
pub use parse::{parse_args, read_args};
pub use problems::Problems;
