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
    ListRole(Grant),
    /// The credentials of this grant, which is the peer's own.
    GiveCredentials(Grant),
    /// `iam/info` made up of this grant.
    DescribeRole(Grant),
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
        (Metadata { .. }, C::Pod { token: T::Invalid, .. }) => V::Refuse(Refusal::TokenInvalid),
        (Metadata { .. }, C::Pod { token: T::Absent, .. }) if required => V::Refuse(Refusal::TokenMissing),
        (Metadata { question, .. }, C::Pod { token: T::Absent | T::Valid, role, .. }) => match (question, role) {
            (Q::Upstream(path), _) => V::AskUpstream(path),
            (Q::RoleList, R::Granted(grant)) => V::ListRole(grant.clone()),
            (Q::InstanceInfo, R::Granted(grant)) => V::DescribeRole(grant.clone()),
            (Q::Credentials(asked), R::Granted(grant)) if grant.role.is_named(asked, policy.base) => {
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
mod tests {
    use super::*;
    use std::borrow::Cow;

    use crate::fixture::pod;
    use crate::grant::{GrantError, Namespaces, RoleRules};
    use crate::role::{RoleArn, RoleError};

    fn base() -> BaseArn {
        BaseArn::parse("arn:aws:iam::1:role").unwrap()
    }

    fn grant() -> Grant {
        let rules = RoleRules { base: Some(base()), ..RoleRules::default() };
        let pod = Pod { role: Some("p/own".into()), ..pod("a") };
        match rules.role_of(&pod, &Namespaces::default()) {
            RoleState::Granted(grant) => grant,
            other => panic!("{other:?}"),
        }
    }

    fn roles() -> Vec<RoleState> {
        vec![
            RoleState::Granted(grant()),
            RoleState::None,
            RoleState::Invalid(GrantError::Role(RoleError::NotARole("a b".into()))),
            RoleState::NotAllowed(RoleArn::parse("arn:aws:iam::1:role/x").unwrap()),
            RoleState::NamespaceUnknown,
        ]
    }

    fn classes() -> Vec<Class<'static>> {
        let questions = [
            Question::RoleList,
            Question::Credentials(Cow::Borrowed("own")),
            Question::Credentials(Cow::Borrowed("p/own")),
            Question::Credentials(Cow::Borrowed("arn:aws:iam::1:role/p/own")),
            Question::Credentials(Cow::Borrowed("other")),
            Question::Credentials(Cow::Borrowed("")),
            Question::InstanceInfo,
            Question::Upstream("/latest/meta-data/placement/region"),
        ];
        let metadata = questions.map(|question| Class::Metadata { question, token: None });
        let refused = Refusal::ALL.map(Class::Refused);
        let token = Class::Token(TokenTtl::parse(b"60").unwrap());
        metadata.into_iter().chain(refused).chain([Class::Health, token]).collect()
    }

    fn callers() -> Vec<Caller> {
        let tokens = [TokenState::Absent, TokenState::Valid, TokenState::Invalid];
        let pods = roles().into_iter().flat_map(|role| {
            tokens.map(|token| Caller::Pod { pod: Arc::new(pod("a")), role: role.clone(), token })
        });
        pods.chain([Caller::Host, Caller::Ambiguous, Caller::Unknown]).collect()
    }

    /// What should come out, said the other way round: by refusal, in the order of precedence.
    fn expected(class: &Class<'static>, caller: &Caller, imds_v2: ImdsV2) -> Verdict<'static> {
        if let Class::Refused(refusal) = class {
            return Verdict::Refuse(*refusal);
        }
        if *class == Class::Health {
            return Verdict::TellHealth;
        }
        let (pod, role, token) = match caller {
            Caller::Pod { pod, role, token } => (pod, role, *token),
            Caller::Host => return Verdict::Refuse(Refusal::HostAddress),
            Caller::Ambiguous => return Verdict::Refuse(Refusal::AmbiguousAddress),
            Caller::Unknown => return Verdict::Wait(Refusal::PodUnknown),
        };
        let question = match class {
            Class::Metadata { question, .. } => question,
            Class::Token(ttl) => return Verdict::IssueToken(pod.clone(), *ttl),
            Class::Refused(_) | Class::Health => unreachable!(),
        };
        if token == TokenState::Invalid {
            return Verdict::Refuse(Refusal::TokenInvalid);
        }
        if token == TokenState::Absent && imds_v2 == ImdsV2::Required {
            return Verdict::Refuse(Refusal::TokenMissing);
        }
        if let Question::Upstream(path) = question {
            return Verdict::AskUpstream(path);
        }
        let grant = match role {
            RoleState::Granted(grant) => grant.clone(),
            RoleState::None => return Verdict::Refuse(Refusal::NoRole),
            RoleState::Invalid(_) => return Verdict::Refuse(Refusal::InvalidRole),
            RoleState::NotAllowed(_) => return Verdict::Refuse(Refusal::RoleNotAllowed),
            RoleState::NamespaceUnknown => return Verdict::Wait(Refusal::NamespaceUnknown),
        };
        match question {
            Question::RoleList => Verdict::ListRole(grant),
            Question::InstanceInfo => Verdict::DescribeRole(grant),
            Question::Credentials(asked) if matches!(asked.as_ref(), "own" | "p/own" | "arn:aws:iam::1:role/p/own") => {
                Verdict::GiveCredentials(grant)
            }
            Question::Credentials(_) => Verdict::Refuse(Refusal::WrongRole),
            Question::Upstream(_) => unreachable!(),
        }
    }

    #[test]
    fn every_question_of_every_caller() {
        let base = base();
        let mut cases = 0;
        for imds_v2 in [ImdsV2::Optional, ImdsV2::Required] {
            for class in classes() {
                for caller in callers() {
                    let policy = Policy { imds_v2, base: Some(&base) };
                    let verdict = decide(&class, &caller, policy);
                    assert_eq!(verdict, expected(&class, &caller, imds_v2), "{class:?} {caller:?} {imds_v2:?}");
                    cases += 1;
                }
            }
        }
        assert_eq!(cases, 2 * (8 + Refusal::ALL.len() + 2) * (5 * 3 + 3));
    }

    #[test]
    fn credentials_are_only_ever_the_callers_own() {
        let base = base();
        for class in classes() {
            for caller in callers() {
                let policy = Policy { imds_v2: ImdsV2::Optional, base: Some(&base) };
                if let Verdict::GiveCredentials(given) = decide(&class, &caller, policy) {
                    let Caller::Pod { pod, role: RoleState::Granted(own), token } = &caller else {
                        panic!("given to {caller:?}");
                    };
                    assert_eq!(&given, own);
                    assert_eq!(given.pod_uid, pod.uid);
                    assert_ne!(*token, TokenState::Invalid);
                }
            }
        }
    }
}
