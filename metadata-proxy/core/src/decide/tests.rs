use super::*;
use std::borrow::Cow;

use crate::fixture::pod;
use crate::grant::{GrantError, Namespaces, RoleRules};
use crate::role::{RoleArn, RoleError};

fn base() -> BaseArn {
    BaseArn::parse("arn:aws:iam::1:role").unwrap()
}

fn grant() -> Arc<Grant> {
    let rules = RoleRules {
        base: Some(base()),
        ..RoleRules::default()
    };
    let pod = Pod {
        role: Some("p/own".into()),
        ..pod("a")
    };
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
    let metadata = questions.map(|question| Class::Metadata {
        question,
        token: None,
    });
    let refused = Refusal::ALL.map(Class::Refused);
    let token = Class::Token(TokenTtl::parse(b"60").unwrap());
    metadata
        .into_iter()
        .chain(refused)
        .chain([Class::Health, token])
        .collect()
}

fn callers() -> Vec<Caller> {
    let tokens = [TokenState::Absent, TokenState::Valid, TokenState::Invalid];
    let pods = roles().into_iter().flat_map(|role| {
        tokens.map(|token| Caller::Pod {
            pod: Arc::new(pod("a")),
            role: role.clone(),
            token,
        })
    });
    pods.chain([Caller::Host, Caller::Ambiguous, Caller::Unknown])
        .collect()
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
        Question::Credentials(asked)
            if matches!(
                asked.as_ref(),
                "own" | "p/own" | "arn:aws:iam::1:role/p/own"
            ) =>
        {
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
                let policy = Policy {
                    imds_v2,
                    base: Some(&base),
                };
                let verdict = decide(&class, &caller, policy);
                assert_eq!(
                    verdict,
                    expected(&class, &caller, imds_v2),
                    "{class:?} {caller:?} {imds_v2:?}"
                );
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
            let policy = Policy {
                imds_v2: ImdsV2::Optional,
                base: Some(&base),
            };
            if let Verdict::GiveCredentials(given) = decide(&class, &caller, policy) {
                let Caller::Pod {
                    pod,
                    role: RoleState::Granted(own),
                    token,
                } = &caller
                else {
                    panic!("given to {caller:?}");
                };
                assert_eq!(&given, own);
                assert_eq!(given.pod_uid, pod.uid);
                assert_ne!(*token, TokenState::Invalid);
            }
        }
    }
}
