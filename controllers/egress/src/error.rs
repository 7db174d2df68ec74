//! What can go wrong, by step.

use isthmus_core::ErrorClass;
use isthmus_runtime::RunError;

/// An EC2 call that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {message}")]
pub(crate) struct Ec2Error {
    /// The API's name of the call.
    pub(crate) operation: &'static str,
    /// What it means for the retry.
    pub(crate) class: ErrorClass,
    /// What it means for the step.
    pub(crate) kind: Ec2ErrorKind,
    /// `Code: message`.
    pub(crate) message: String,
}

/// What a failure means for the step that made the call, by the error's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ec2ErrorKind {
    /// What the call names is not there: a deletion is done.
    Gone,
    /// What the call makes is there already, most likely from an answer that was
    /// lost: look again.
    AlreadyThere,
    /// The route table is full.
    RouteQuota,
    /// It was a dry run, and the call is allowed.
    Allowed,
    /// IAM does not allow the call.
    Forbidden,
    /// Anything else.
    Other,
}

/// Why nothing could be observed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ObserveError {
    /// A call failed.
    #[error(transparent)]
    Ec2(#[from] Ec2Error),
    /// No VPC is the right one.
    #[error("{0}")]
    Vpc(String),
    /// EC2 said something that cannot be.
    #[error("EC2 gave {0}")]
    Incomplete(String),
}

impl From<ObserveError> for RunError {
    fn from(error: ObserveError) -> Self {
        let class = match &error {
            ObserveError::Ec2(error) => error.class,
            // Somebody has to do something; the resync notices.
            ObserveError::Vpc(_) => ErrorClass::Invalid,
            ObserveError::Incomplete(_) => ErrorClass::Transient,
        };
        Self::new("observe", class, error)
    }
}

/// The class of a failed call of the Kubernetes API.
pub(crate) fn kube_class(error: &kube::Error) -> ErrorClass {
    match error {
        kube::Error::Api(status) => match status.code {
            401 | 403 => ErrorClass::Denied,
            409 => ErrorClass::Conflict,
            429 => ErrorClass::Throttled,
            400..=499 => ErrorClass::Invalid,
            _ => ErrorClass::Transient,
        },
        _ => ErrorClass::Transient,
    }
}
