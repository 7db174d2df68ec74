//! What fails, step by step.

use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::error::{ProvideErrorMetadata, SdkError};
use isthmus_core::ErrorClass;
use isthmus_runtime::{Failure, RunError, aws_message, error_class};

/// A call to AWS that failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation}: {message}")]
pub(crate) struct AwsError {
    /// The operation, as AWS names it.
    pub(crate) operation: &'static str,
    /// What it means for the retry.
    pub(crate) class: ErrorClass,
    /// AWS's code, if AWS answered.
    pub(crate) code: Option<String>,
    /// AWS's own words, or why there are none.
    pub(crate) message: String,
}

impl AwsError {
    /// For `map_err` behind a call of `operation`.
    pub(crate) fn of<E: ProvideErrorMetadata>(
        operation: &'static str,
    ) -> impl Fn(SdkError<E>) -> Self {
        move |error| {
            let code = match &error {
                SdkError::ServiceError(answer) => answer.err().code().map(str::to_owned),
                _ => None,
            };
            Self {
                operation,
                class: error_class(&error),
                code,
                message: aws_message(&error),
            }
        }
    }

    /// An answer that lacks what AWS documents to be in it.
    pub(crate) fn incomplete(operation: &'static str, what: &str) -> Self {
        Self {
            operation,
            class: ErrorClass::Transient,
            code: None,
            message: format!("the answer has no {what}"),
        }
    }

    /// Whether AWS does not have what the call names.
    pub(crate) fn is_not_found(&self) -> bool {
        self.code
            .as_deref()
            .is_some_and(|code| code.trim_end_matches("Exception").ends_with("NotFound"))
    }

    /// Whether AWS is still setting up what the call names: WAF hears of a new load
    /// balancer only when it is nearly active
    /// (<https://docs.aws.amazon.com/waf/latest/APIReference/API_AssociateWebACL.html>).
    pub(crate) fn is_not_ready(&self) -> bool {
        self.code.as_deref() == Some("WAFUnavailableEntityException")
    }

    pub(crate) fn run_error(self, step: &'static str) -> RunError {
        RunError::new(step, self.class, self)
    }

    pub(crate) fn failure(&self, step: &'static str) -> Failure {
        Failure {
            step,
            class: self.class,
            message: self.to_string(),
        }
    }
}

/// How often in a row a run is repeated at once after a failure that may pass by
/// itself; after that the run loop's longer and longer pauses take over.
const QUICK_RETRIES: u32 = 5;
const QUICK: Duration = Duration::from_secs(2);

/// For how many runs in a row something may be in use by what is being deleted.
const USED: u32 = 30;
/// And for how many something may not be ready, at the pace of WAF ten minutes.
const UNREADY: u32 = 300;

/// Counts runs in a row in which the same kind of thing went wrong.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    failed: u32,
    in_use: u32,
    not_ready: u32,
}

impl Retries {
    /// When to try again after these failures, if soon.
    pub(crate) fn after(&mut self, failures: &[Failure]) -> Option<Duration> {
        let passing = |failure: &Failure| {
            matches!(
                failure.class,
                ErrorClass::Conflict | ErrorClass::Transient | ErrorClass::Throttled
            )
        };
        if !failures.iter().any(passing) {
            self.failed = 0;
            return None;
        }
        self.failed += 1;
        (self.failed <= QUICK_RETRIES).then_some(QUICK)
    }

    /// What has been in use for so long that it is a failure.
    pub(crate) fn stuck<'a>(&mut self, in_use: &'a [AwsError]) -> &'a [AwsError] {
        count(&mut self.in_use, in_use, USED)
    }

    /// What has not been ready for so long that it is a failure.
    pub(crate) fn unready<'a>(&mut self, not_ready: &'a [AwsError]) -> &'a [AwsError] {
        count(&mut self.not_ready, not_ready, UNREADY)
    }
}

/// Counts runs in a row with such errors; gives them once there were more than `most`.
fn count<'a>(runs: &mut u32, errors: &'a [AwsError], most: u32) -> &'a [AwsError] {
    *runs = if errors.is_empty() { 0 } else { *runs + 1 };
    if *runs > most { errors } else { &[] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(class: ErrorClass) -> Failure {
        Failure {
            step: "apply",
            class,
            message: String::new(),
        }
    }

    #[test]
    fn what_may_pass_is_tried_again_soon_but_not_for_ever() {
        let mut retries = Retries::default();
        let passing = [failure(ErrorClass::Conflict), failure(ErrorClass::Invalid)];
        for _ in 0..QUICK_RETRIES {
            assert_eq!(retries.after(&passing), Some(QUICK));
        }
        assert_eq!(retries.after(&passing), None);
        assert_eq!(retries.after(&[failure(ErrorClass::Denied)]), None);
        assert_eq!(retries.after(&passing), Some(QUICK), "the row was broken");
    }

    #[test]
    fn what_stays_in_use_becomes_a_failure() {
        let error = AwsError {
            operation: "DeleteTargetGroup",
            class: ErrorClass::Conflict,
            code: Some("ResourceInUse".to_owned()),
            message: String::new(),
        };
        let mut retries = Retries::default();
        let in_use = [error];
        assert!((0..USED).all(|_| retries.stuck(&in_use).is_empty()));
        assert_eq!(retries.stuck(&in_use).len(), 1);
        assert!(retries.stuck(&[]).is_empty() && retries.stuck(&in_use).is_empty());
    }

    #[test]
    fn not_found_is_known_by_its_code() {
        let error = |code: &str| AwsError {
            operation: "DeleteListener",
            class: ErrorClass::Invalid,
            code: Some(code.to_owned()),
            message: String::new(),
        };
        for code in [
            "ListenerNotFound",
            "TargetGroupNotFound",
            "ResourceNotFoundException",
        ] {
            assert!(error(code).is_not_found(), "{code}");
        }
        assert!(!error("ResourceInUse").is_not_found());
    }
}
