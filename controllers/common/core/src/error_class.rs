//! The closed set of things a failure can mean.

use std::fmt;

use serde::Serialize;

/// What a failed call means. It decides the retry and is the value of the
/// metric label `class`, so the set is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorClass {
    /// The request is wrong and stays wrong: retried only after a change or at the resync.
    Invalid,
    /// Credentials are missing or do not allow it: retried slowly.
    Denied,
    /// AWS asks for fewer calls: retried later, the whole of it.
    Throttled,
    /// Somebody else changed it meanwhile, or it is still in use: observed again, then retried.
    Conflict,
    /// A time-out, a cut connection, a 5xx: retried soon.
    Transient,
}

impl ErrorClass {
    /// Every class, in the order of the enum.
    pub const ALL: [Self; 5] = [
        Self::Invalid,
        Self::Denied,
        Self::Throttled,
        Self::Conflict,
        Self::Transient,
    ];

    /// The label value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Denied => "denied",
            Self::Throttled => "throttled",
            Self::Conflict => "conflict",
            Self::Transient => "transient",
        }
    }

    /// The class of an AWS error code, by the code alone and never by the text.
    ///
    /// Codes are those of the [common errors] and of the services used here. A
    /// code that is not known is `Invalid` when AWS blames the caller (a 4xx
    /// status) and `Transient` otherwise.
    ///
    /// [common errors]: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
    #[must_use]
    pub fn from_aws(code: Option<&str>, http_status: Option<u16>) -> Self {
        let Some(code) = code else {
            return match http_status {
                Some(401 | 403) => Self::Denied,
                Some(429) => Self::Throttled,
                Some(400..=499) => Self::Invalid,
                _ => Self::Transient,
            };
        };
        match code {
            "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "RequestLimitExceeded"
            | "TooManyRequestsException"
            | "PriorRequestNotComplete"
            | "BandwidthLimitExceeded"
            | "LimitExceededException"
            | "SlowDown"
            | "EC2ThrottledException" => Self::Throttled,
            "AccessDenied"
            | "AccessDeniedException"
            | "AuthFailure"
            | "Blocked"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "IDPRejectedClaim"
            | "IDPRejectedClaimException"
            | "IncompleteSignature"
            | "InvalidClientTokenId"
            | "InvalidIdentityToken"
            | "InvalidIdentityTokenException"
            | "MissingAuthenticationToken"
            | "NotAuthorized"
            | "OptInRequired"
            | "PendingVerification"
            | "RegionDisabledException"
            | "RequestExpired"
            | "SignatureDoesNotMatch"
            | "UnauthorizedOperation"
            | "UnrecognizedClientException" => Self::Denied,
            "DependencyViolation"
            | "ResourceInUse"
            | "ResourceInUseException"
            | "Resource.AlreadyAssociated"
            | "IncorrectState"
            | "IncorrectInstanceState"
            | "InvalidIPAddress.InUse"
            | "OperationNotPermitted"
            | "DuplicateLoadBalancerName"
            | "DuplicateTargetGroupName"
            | "DuplicateListener"
            | "PriorityInUse"
            | "RouteAlreadyExists"
            | "InvalidSubnet.Conflict"
            | "IdempotentParameterMismatch"
            | "WAFOptimisticLockException"
            | "ConcurrentModification" => Self::Conflict,
            "InternalError"
            | "InternalFailure"
            | "InternalServerError"
            | "ServiceFailure"
            | "ServiceUnavailable"
            | "Unavailable"
            | "RequestTimeout"
            | "WAFInternalErrorException"
            | "WAFUnavailableEntityException"
            | "RequestTimeoutException"
            | "IDPCommunicationError"
            | "IDPCommunicationErrorException" => Self::Transient,
            _ => match http_status {
                Some(500..) => Self::Transient,
                _ => Self::Invalid,
            },
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_comes_from_the_code_before_the_status() {
        for (code, status, class) in [
            (Some("Throttling"), Some(400), ErrorClass::Throttled),
            (
                Some("PriorRequestNotComplete"),
                Some(400),
                ErrorClass::Throttled,
            ),
            (Some("UnauthorizedOperation"), Some(403), ErrorClass::Denied),
            (Some("InvalidIdentityToken"), Some(400), ErrorClass::Denied),
            (Some("IDPRejectedClaim"), Some(403), ErrorClass::Denied),
            (Some("ExpiredTokenException"), Some(400), ErrorClass::Denied),
            (
                Some("IDPCommunicationError"),
                Some(400),
                ErrorClass::Transient,
            ),
            (Some("DependencyViolation"), Some(400), ErrorClass::Conflict),
            (Some("ResourceInUse"), Some(400), ErrorClass::Conflict),
            (Some("InvalidChangeBatch"), Some(400), ErrorClass::Invalid),
            (Some("SomethingNew"), Some(400), ErrorClass::Invalid),
            (Some("SomethingNew"), Some(503), ErrorClass::Transient),
            (None, Some(500), ErrorClass::Transient),
            (None, Some(403), ErrorClass::Denied),
            (None, Some(429), ErrorClass::Throttled),
            (None, None, ErrorClass::Transient),
        ] {
            assert_eq!(
                ErrorClass::from_aws(code, status),
                class,
                "{code:?} {status:?}"
            );
        }
    }

    #[test]
    fn labels_are_distinct() {
        let labels: std::collections::BTreeSet<_> =
            ErrorClass::ALL.iter().map(|c| c.as_str()).collect();
        assert_eq!(labels.len(), ErrorClass::ALL.len());
    }
}
