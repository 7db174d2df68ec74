//! The one place that says who is given what.

use std::sync::Arc;

use crate::grant::{Grant, RoleState};
use crate::pod::Pod;
use crate::refusal::Refusal;
use crate::request::{Class, Question};
use crate::role::BaseArn;
use crate::token::TokenTtl;

/// What is known of the pod that a request comes from.
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
}

/// `--imds-v2`: whether requests without a token are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImdsV2 {
    /// They are, as by IMDSv1.
    Optional,
    /// They get a 401.
    Required,
}

/// What is to be done for a request. Only the first four give a pod anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// A token for the pod of this UID.
    IssueToken(Arc<Pod>, TokenTtl),
    /// The name of the role of this grant.
    ListRole(Arc<Grant>),
    /// The credentials of this grant, which is the peer's own.
    GiveCredentials(Arc<Grant>),
    /// `iam/info` made up of this grant.
    DescribeRole(Arc<Grant>),
    /// An allowed path of the real IMDS.
    AskUpstream(&'a str),
    /// How the proxy is.
    TellHealth,
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
                token: T::Invalid, ..
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
            (_, R::None) => V::Refuse(Refusal::NoRole),
            (_, R::Invalid(_)) => V::Refuse(Refusal::InvalidRole),
            (_, R::NotAllowed(_)) => V::Refuse(Refusal::RoleNotAllowed),
            (_, R::NamespaceUnknown) => V::Wait(Refusal::NamespaceUnknown),
        },
    }
}

#[cfg(test)]
mod tests;
