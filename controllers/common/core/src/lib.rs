//! Ring 0 of the workspace: the words that every component shares.
//!
//! Nothing here does I/O, reads a clock or draws a random number, and every map
//! is ordered, so that equal inputs give equal bytes.
//!
//! * [`Plan`]: what a reconcile is about to do, as a value that is printed,
//!   served, tested and applied.
//! * [`RemovalLimit`]: how much one plan may remove without an operator's word.
//! * [`ErrorClass`]: what a failure means for the retry.
//! * [`Ownership`]: which AWS resources are this cluster's.
//! * [`Annotations`]: strict parsing that reports every mistake at once.
//! * [`Rejection`]: a user's mistake, on the object that made it.

mod annotations;
mod duration;
mod error_class;
mod event_reason;
mod names;
mod object;
mod ownership;
mod plan;
mod removal;

pub use annotations::{AnnotationError, AnnotationReference, AnnotationRow, Annotations, Values};
pub use duration::{GoDuration, GoDurationError};
pub use error_class::ErrorClass;
pub use event_reason::EventReason;
pub use names::{dns_safe, short_hash, short_name};
pub use object::{ObjectRef, Rejection};
pub use ownership::{CONTROLLER_TAG, Claim, Ownership};
pub use plan::{Action, Effect, Plan, PlanReport, Step, Withheld};
pub use removal::RemovalLimit;
