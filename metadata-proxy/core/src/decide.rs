//! The one place that says who is given what.

use std::sync::Arc;

use crate::bearer::Bearer;
use crate::grant::{Grant, RoleState};
use crate::pod::Pod;
use crate::refusal::Refusal;
use crate::request::{Class, Question};
use crate::role::BaseArn;
use crate::token::TokenTtl;

/// What is known of the pod that a request comes from.
// One at a time, on the stack: a box would be an allocation for each request.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Exactly one living pod has the peer's address.
    Pod {
        /// The pod.
        pod: Arc<Pod>,
        /// What it may have.
        role: RoleState,
        /// What became of the token that it showed.
        token: TokenState,
    },
    /// The peer is the node, or cannot be told from it.
    Host,
    /// More than one living pod has the peer's address.
    Ambiguous,
    /// No pod has it yet.
    Unknown,
}

/// The token that came with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// None.
    Absent,
    /// Issued to this very pod and still good.
    Valid,
    /// Anything else.
    Invalid,
    /// It was presented at the container endpoint, where tokens are of another kind.
    Bearer(Bearer),
}

/// `--imds-v2`: whether requests without a token are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImdsV2 {
    /// They are, as by IMDSv1.
    Optional,
    /// They get a 401.
    Required,
}

/// What is to be done for a request. Only the first five give a pod anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// A token for the pod of this UID.
    IssueToken(Arc<Pod>, TokenTtl),
    /// The name of the role of this grant.
    ListRole(Arc<Grant>),
    /// The credentials of this grant, which is the peer's own.
    GiveCredentials(Arc<Grant>),
    /// The credentials of this grant, which is the peer's own, as the container
    /// endpoint gives them.
    GiveToContainer(Arc<Grant>),
    /// `iam/info` made up of this grant.
    DescribeRole(Arc<Grant>),
    /// An allowed path of the real IMDS.
    AskUpstream(&'a str),
    /// How the proxy is.
    TellHealth,
    /// The API server has to say whether the token that was presented is
    /// genuine and this pod's; then decide again.
    Review(Arc<Pod>),
    /// The watch may be behind: look again when it has shown more, and refuse
    /// for this reason if it does not in time.
    Wait(Refusal),
    /// No.
    Refuse(Refusal),
}

/// The flags that a decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// `--imds-v2`.
    pub imds_v2: ImdsV2,
    /// `--base-role-arn`: the names by which a role may be asked for.
    pub base: Option<&'a BaseArn>,
}

/// Decides. The match is exhaustive over what is asked, who asks, the token and
/// the role; whatever is not given in its upper half is refused in its lower one.
#[must_use]
pub fn decide<'a>(class: &Class<'a>, caller: &Caller, policy: Policy<'_>) -> Verdict<'a> {
    use Caller as C;
    use Class::{Health, Metadata, Refused, Token};
    use Question as Q;
    use RoleState as R;
    use TokenState as T;
    use Verdict as V;
    let required = policy.imds_v2 == ImdsV2::Required;
    match (class, caller) {
        (Refused(refusal), _) => V::Refuse(*refusal),
        (Health, _) => V::TellHealth,
        (_, C::Host) => V::Refuse(Refusal::HostAddress),
        (_, C::Ambiguous) => V::Refuse(Refusal::AmbiguousAddress),
        (_, C::Unknown) => V::Wait(Refusal::PodUnknown),
        (Token(ttl), C::Pod { pod, .. }) => V::IssueToken(pod.clone(), *ttl),
        (
            Metadata { .. },
            C::Pod {
                token: T::Invalid | T::Bearer(_),
                ..
            },
        ) => V::Refuse(Refusal::TokenInvalid),
        (
            Metadata { .. },
            C::Pod {
                token: T::Absent, ..
            },
        ) if required => V::Refuse(Refusal::TokenMissing),
        (
            Metadata { question, .. },
            C::Pod {
                token: T::Absent | T::Valid,
                role,
                ..
            },
        ) => match (question, role) {
            (Q::Upstream(path), _) => V::AskUpstream(path),
            (Q::RoleList, R::Granted(grant)) => V::ListRole(grant.clone()),
            (Q::InstanceInfo, R::Granted(grant)) => V::DescribeRole(grant.clone()),
            (Q::Credentials(asked), R::Granted(grant))
                if grant.role.is_named(asked, policy.base) =>
            {
                V::GiveCredentials(grant.clone())
            }
            (Q::Credentials(_), R::Granted(_)) => V::Refuse(Refusal::WrongRole),
            (_, R::NoToken(_)) => V::Refuse(Refusal::NoPodToken),
            (_, R::None | R::Invalid(_) | R::NotAllowed(_)) => V::Refuse(without_role(role)),
            (_, R::NamespaceUnknown | R::ServiceAccountUnknown) => V::Wait(without_role(role)),
        },
        (
            Class::Container { .. },
            C::Pod {
                token: T::Bearer(bearer),
                role,
                pod,
            },
        ) => match (bearer, role) {
            (Bearer::Absent, _) => V::Refuse(Refusal::BearerMissing),
            (Bearer::Malformed, _) => V::Refuse(Refusal::BearerMalformed),
            (Bearer::Expired, _) => V::Refuse(Refusal::BearerExpired),
            (Bearer::WrongAudience, _) => V::Refuse(Refusal::BearerAudience),
            (Bearer::NotOfPod, _) => V::Refuse(Refusal::BearerNotOfPod),
            (Bearer::Refused, _) => V::Refuse(Refusal::BearerRefused),
            // A pod that could be given nothing costs no call.
            (_, R::None | R::Invalid(_) | R::NotAllowed(_)) => V::Refuse(without_role(role)),
            (_, R::NamespaceUnknown | R::ServiceAccountUnknown) => V::Wait(without_role(role)),
            (Bearer::Unverified, R::Granted(_) | R::NoToken(_)) => V::Review(pod.clone()),
            (Bearer::Verified, R::Granted(grant) | R::NoToken(grant)) => {
                V::GiveToContainer(grant.clone())
            }
        },
        (
            Class::Container { .. },
            C::Pod {
                token: T::Absent | T::Valid | T::Invalid,
                ..
            },
        ) => V::Refuse(Refusal::BearerMissing),
    }
}

/// Why a pod without a grant is refused.
fn without_role(role: &RoleState) -> Refusal {
    match role {
        RoleState::Invalid(_) => Refusal::InvalidRole,
        RoleState::NotAllowed(_) => Refusal::RoleNotAllowed,
        RoleState::NamespaceUnknown => Refusal::NamespaceUnknown,
        RoleState::ServiceAccountUnknown => Refusal::ServiceAccountUnknown,
        RoleState::NoToken(_) => Refusal::NoPodToken,
        RoleState::None | RoleState::Granted(_) => Refusal::NoRole,
    }
}

#[cfg(test)]
mod tests;
