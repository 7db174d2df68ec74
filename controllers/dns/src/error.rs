//! What can go wrong with a call.

use isthmus_core::ErrorClass;
use isthmus_runtime::{Failure, RunError};

/// A Route 53 call that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {}", words.join("; "))]
pub(crate) struct CallError {
    /// The API's name of the call.
    pub(crate) operation: &'static str,
    /// What it means for the retry.
    pub(crate) class: ErrorClass,
    /// Whether the hosted zone is not there.
    pub(crate) zone_gone: bool,
    /// What Route 53 said: `Code: message`, or the messages of a refused batch, one for each mistake.
    pub(crate) words: Vec<String>,
}

impl CallError {
    /// A call that was not made, since the process is told to end.
    pub(crate) fn ending(operation: &'static str) -> Self {
        Self {
            operation,
            class: ErrorClass::Transient,
            zone_gone: false,
            words: vec!["not called: the process ends".to_owned()],
        }
    }

    /// An answer without what it must have.
    pub(crate) fn unreadable(operation: &'static str) -> Self {
        Self {
            operation,
            class: ErrorClass::Transient,
            zone_gone: false,
            words: vec!["AWS gave an answer that cannot be read".to_owned()],
        }
    }

    /// Whether the same call may well succeed later.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self.class, ErrorClass::Throttled | ErrorClass::Transient)
    }

    /// As the failure of a step that others go on beside.
    pub(crate) fn failure(&self, step: &'static str, where_: impl std::fmt::Display) -> Failure {
        Failure {
            step,
            class: self.class,
            message: format!("{where_}: {self}"),
        }
    }
}

impl From<CallError> for RunError {
    fn from(error: CallError) -> Self {
        Self::new("observe", error.class, error)
    }
}
