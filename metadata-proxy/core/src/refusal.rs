//! The ways in which a request is not answered.

use std::fmt;

/// Why a request is refused. The set is closed: it is the label of a metric, and
/// each reason has one status and one fixed text, which names no role, pod or account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// Not a request that a client of this service has a reason to send.
    Malformed,
    /// A `Host` that the service does not go by.
    HostNotAllowed,
    /// The path takes `GET` and `HEAD` alone.
    OnlyGet,
    /// The path takes `PUT` alone.
    OnlyPut,
    /// A path that is not served.
    NotFound,
    /// The time to live of a token is missing, repeated or out of range.
    TokenTtl,
    /// A request for a token that came through a proxy.
    ForwardedTokenRequest,
    /// A token is required and there is none.
    TokenMissing,
    /// The token is not this pod's, or has expired.
    TokenInvalid,
    /// The node itself, or a pod in its network.
    HostAddress,
    /// More than one pod has the address.
    AmbiguousAddress,
    /// No pod has the address yet.
    PodUnknown,
    /// The pod's namespace is not known yet.
    NamespaceUnknown,
    /// The pod's service account is not known yet.
    ServiceAccountUnknown,
    /// The pod has no role.
    NoRole,
    /// The pod's annotations cannot be read.
    InvalidRole,
    /// The pod's namespace does not allow its role.
    RoleNotAllowed,
    /// The role that was asked for is not the pod's.
    WrongRole,
    /// The pod has no token of its own that STS would take.
    NoPodToken,
    /// The pod's own token cannot be read at the moment.
    PodTokenUnavailable,
    /// The container endpoint was asked without a token.
    BearerMissing,
    /// What was presented there is not a token of a service account.
    BearerMalformed,
    /// The token that was presented has expired.
    BearerExpired,
    /// The token that was presented is not for AWS.
    BearerAudience,
    /// The token that was presented is another pod's.
    BearerNotOfPod,
    /// The API server does not take the token that was presented.
    BearerRefused,
    /// The API server cannot be asked about a token at the moment.
    ReviewUnavailable,
    /// STS does not give credentials of this role.
    StsDenied,
    /// STS cannot be reached, is throttling or takes too long.
    StsUnavailable,
    /// The real IMDS does not answer.
    UpstreamUnavailable,
    /// The proxy has just started and does not know the node's pods yet.
    NotReady,
    /// The proxy is not well.
    Unhealthy,
    /// The pod asks too often.
    TooManyRequests,
}

impl Refusal {
    /// Every reason, in the order of the enum.
    pub const ALL: [Self; 33] = [
        Self::Malformed,
        Self::HostNotAllowed,
        Self::OnlyGet,
        Self::OnlyPut,
        Self::NotFound,
        Self::TokenTtl,
        Self::ForwardedTokenRequest,
        Self::TokenMissing,
        Self::TokenInvalid,
        Self::HostAddress,
        Self::AmbiguousAddress,
        Self::PodUnknown,
        Self::NamespaceUnknown,
        Self::ServiceAccountUnknown,
        Self::NoRole,
        Self::InvalidRole,
        Self::RoleNotAllowed,
        Self::WrongRole,
        Self::NoPodToken,
        Self::PodTokenUnavailable,
        Self::BearerMissing,
        Self::BearerMalformed,
        Self::BearerExpired,
        Self::BearerAudience,
        Self::BearerNotOfPod,
        Self::BearerRefused,
        Self::ReviewUnavailable,
        Self::StsDenied,
        Self::StsUnavailable,
        Self::UpstreamUnavailable,
        Self::NotReady,
        Self::Unhealthy,
        Self::TooManyRequests,
    ];

    /// The HTTP status. SDKs retry a 5xx and give up on a 4xx, so what can pass
    /// is a 503: too many requests as well, which the SDK for Rust would not
    /// retry as a 429.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed
            | Self::TokenTtl
            | Self::BearerMissing
            | Self::BearerMalformed
            | Self::BearerExpired
            | Self::BearerAudience => 400,
            Self::TokenMissing | Self::TokenInvalid | Self::BearerRefused => 401,
            Self::HostNotAllowed
            | Self::ForwardedTokenRequest
            | Self::HostAddress
            | Self::WrongRole
            | Self::BearerNotOfPod => 403,
            Self::NotFound
            | Self::NoRole
            | Self::InvalidRole
            | Self::RoleNotAllowed
            | Self::NoPodToken => 404,
            Self::OnlyGet | Self::OnlyPut => 405,
            Self::StsDenied | Self::Unhealthy => 500,
            Self::AmbiguousAddress
            | Self::PodUnknown
            | Self::NamespaceUnknown
            | Self::ServiceAccountUnknown
            | Self::PodTokenUnavailable
            | Self::ReviewUnavailable
            | Self::StsUnavailable
            | Self::UpstreamUnavailable
            | Self::NotReady
            | Self::TooManyRequests => 503,
        }
    }

    /// The label value of `isthmus_proxy_refusals_total{reason}`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::HostNotAllowed => "host-not-allowed",
            Self::OnlyGet | Self::OnlyPut => "method",
            Self::NotFound => "not-found",
            Self::TokenTtl => "token-ttl",
            Self::ForwardedTokenRequest => "forwarded",
            Self::TokenMissing => "token-missing",
            Self::TokenInvalid => "token-invalid",
            Self::HostAddress => "host-address",
            Self::AmbiguousAddress => "ambiguous-address",
            Self::PodUnknown => "pod-unknown",
            Self::NamespaceUnknown => "namespace-unknown",
            Self::ServiceAccountUnknown => "service-account-unknown",
            Self::NoRole => "no-role",
            Self::InvalidRole => "invalid-role",
            Self::RoleNotAllowed => "role-not-allowed",
            Self::WrongRole => "wrong-role",
            Self::NoPodToken => "no-pod-token",
            Self::PodTokenUnavailable => "pod-token-unavailable",
            Self::BearerMissing => "bearer-missing",
            Self::BearerMalformed => "bearer-malformed",
            Self::BearerExpired => "bearer-expired",
            Self::BearerAudience => "bearer-audience",
            Self::BearerNotOfPod => "bearer-not-of-pod",
            Self::BearerRefused => "bearer-refused",
            Self::ReviewUnavailable => "review-unavailable",
            Self::StsDenied => "sts-denied",
            Self::StsUnavailable => "sts-unavailable",
            Self::UpstreamUnavailable => "upstream-unavailable",
            Self::NotReady => "not-ready",
            Self::Unhealthy => "unhealthy",
            Self::TooManyRequests => "too-many-requests",
        }
    }

    /// One line for whoever reads the answer.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Malformed => "bad request",
            Self::HostNotAllowed => "this service does not go by that Host",
            Self::OnlyGet | Self::OnlyPut => "method not allowed",
            Self::NotFound => "not found",
            Self::TokenTtl => {
                "X-aws-ec2-metadata-token-ttl-seconds has to be there once, from 1 to 21600"
            }
            Self::ForwardedTokenRequest => "a token is not given to a forwarded request",
            Self::TokenMissing => "a session token is required",
            Self::TokenInvalid => "the session token is not valid",
            Self::HostAddress => "pods in the host network are not served",
            Self::AmbiguousAddress => "more than one pod has this address",
            Self::PodUnknown => "no pod is known by this address yet",
            Self::NamespaceUnknown => "the pod's namespace is not known yet",
            Self::ServiceAccountUnknown => "the pod's service account is not known yet",
            Self::NoRole => "the pod has no role",
            Self::InvalidRole => "the pod's role annotations cannot be read",
            Self::RoleNotAllowed => "the pod's namespace does not allow its role",
            Self::WrongRole => "not the pod's role",
            Self::NoPodToken => "the pod has no projected token for STS",
            Self::PodTokenUnavailable => "the pod's own token cannot be read at the moment",
            Self::BearerMissing => "Service account token cannot be empty",
            Self::BearerMalformed => "Service account token cannot be parsed",
            Self::BearerExpired => "Service account token is expired or not valid yet",
            Self::BearerAudience => "Service account token is not for this audience",
            Self::BearerNotOfPod => {
                "Service account token is not bound to the pod that presents it"
            }
            Self::BearerRefused => "Service account token is not accepted by the API server",
            Self::ReviewUnavailable => "Service account token cannot be verified at the moment",
            Self::StsDenied => "STS gives no credentials for the pod's role",
            Self::StsUnavailable => "credentials are not to be had at the moment",
            Self::UpstreamUnavailable => "instance metadata is not to be had at the moment",
            Self::NotReady => "the pods of the node are not known yet",
            Self::Unhealthy => "the instance id could not be read from instance metadata",
            Self::TooManyRequests => "too many requests: this pod asks more often than it may",
        }
    }

    /// Whether the connection ends with the answer: its next bytes are not to be trusted.
    #[must_use]
    pub fn closes(self) -> bool {
        self == Self::Malformed
    }

    /// The `Allow` header of a 405.
    #[must_use]
    pub fn allow(self) -> Option<&'static str> {
        match self {
            Self::OnlyGet => Some("GET, HEAD"),
            Self::OnlyPut => Some("PUT"),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole_and_in_order() {
        assert!(Refusal::ALL.is_sorted());
        assert_eq!(
            Refusal::ALL.last().map(|last| *last as usize),
            Some(Refusal::ALL.len() - 1)
        );
        for refusal in Refusal::ALL {
            assert!((400..=503).contains(&refusal.status()), "{refusal:?}");
            assert_eq!(refusal.allow().is_some(), refusal.status() == 405);
        }
    }
}
