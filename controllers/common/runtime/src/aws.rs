//! AWS: configuration, calls that are counted, errors that are classified.

mod calls;
mod classify;
mod config;
mod imds;
mod rights;
mod whole;

pub use calls::CallMetrics;
pub use classify::{aws_message, error_class};
pub use config::{Aws, http_client};
pub use imds::{ImdsClient, ImdsError};
pub(crate) use rights::Rights;
