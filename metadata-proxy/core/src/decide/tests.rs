use super::*;
use std::borrow::Cow;

use crate::fixture::pod;
use crate::grant::{GrantError, Namespaces, RoleRules};
use crate::role::{RoleArn, RoleError};
use crate::service_account::ServiceAccounts;

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
    match rules.role_of(&pod, &Namespaces::default(), &ServiceAccounts::default()) {
        RoleState::Granted(grant) => grant,
        other => panic!("{other:?}"),
    }
}

fn roles() -> Vec<RoleState> {
    vec![
        RoleState::Granted(grant()),
        RoleState::NoToken(grant()),
        RoleState::None,
        RoleState::Invalid(GrantError::Role(RoleError::NotARole("a b".into()))),
        RoleState::NotAllowed(RoleArn::parse("arn:aws:iam::1:role/x").unwrap()),
        RoleState::NamespaceUnknown,
        RoleState::ServiceAccountUnknown,
    ]
}

const BEARERS: [Bearer; 8] = [
    Bearer::Absent,
    Bearer::Malformed,
    Bearer::Expired,
    Bearer::WrongAudience,
    Bearer::NotOfPod,
    Bearer::Unverified,
    Bearer::Refused,
    Bearer::Verified,
];

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
        .chain([None, Some(b"a.b.c".as_slice())].map(|bearer| Class::Container { bearer }))
        .collect()
}

fn callers() -> Vec<Caller> {
    let tokens = [TokenState::Absent, TokenState::Valid, TokenState::Invalid];
    let tokens = tokens.into_iter().chain(BEARERS.map(TokenState::Bearer));
    let pods = roles().into_iter().flat_map(|role| {
        tokens.clone().map(move |token| Caller::Pod {
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
        Class::Container { .. } => return expected_of_container(pod, role, token),
        Class::Refused(_) | Class::Health => unreachable!(),
    };
    if !matches!(token, TokenState::Absent | TokenState::Valid) {
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
        RoleState::NoToken(_) => return Verdict::Refuse(Refusal::NoPodToken),
        RoleState::ServiceAccountUnknown => {
            return Verdict::Wait(Refusal::ServiceAccountUnknown);
        }
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

/// The token first, then the role, and the API server's word last.
fn expected_of_container(pod: &Arc<Pod>, role: &RoleState, token: TokenState) -> Verdict<'static> {
    let TokenState::Bearer(bearer) = token else {
        return Verdict::Refuse(Refusal::BearerMissing);
    };
    let wrong = match bearer {
        Bearer::Absent => Some(Refusal::BearerMissing),
        Bearer::Malformed => Some(Refusal::BearerMalformed),
        Bearer::Expired => Some(Refusal::BearerExpired),
        Bearer::WrongAudience => Some(Refusal::BearerAudience),
        Bearer::NotOfPod => Some(Refusal::BearerNotOfPod),
        Bearer::Refused => Some(Refusal::BearerRefused),
        Bearer::Unverified | Bearer::Verified => None,
    };
    if let Some(refusal) = wrong {
        return Verdict::Refuse(refusal);
    }
    let grant = match role {
        RoleState::Granted(grant) | RoleState::NoToken(grant) => grant.clone(),
        RoleState::None => return Verdict::Refuse(Refusal::NoRole),
        RoleState::Invalid(_) => return Verdict::Refuse(Refusal::InvalidRole),
        RoleState::NotAllowed(_) => return Verdict::Refuse(Refusal::RoleNotAllowed),
        RoleState::NamespaceUnknown => return Verdict::Wait(Refusal::NamespaceUnknown),
        RoleState::ServiceAccountUnknown => return Verdict::Wait(Refusal::ServiceAccountUnknown),
    };
    if bearer == Bearer::Verified {
        Verdict::GiveToContainer(grant)
    } else {
        Verdict::Review(pod.clone())
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
    assert_eq!(cases, 2 * (8 + Refusal::ALL.len() + 4) * (7 * 11 + 3));
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
            match (decide(&class, &caller, policy), &caller) {
                (
                    Verdict::GiveCredentials(given),
                    Caller::Pod {
                        pod,
                        role: RoleState::Granted(own),
                        token: TokenState::Absent | TokenState::Valid,
                    },
                )
                | (
                    Verdict::GiveToContainer(given),
                    Caller::Pod {
                        pod,
                        role: RoleState::Granted(own) | RoleState::NoToken(own),
                        token: TokenState::Bearer(Bearer::Verified),
                    },
                ) => {
                    assert_eq!(&given, own);
                    assert_eq!(given.pod_uid, pod.uid);
                }
                (Verdict::GiveCredentials(_) | Verdict::GiveToContainer(_), caller) => {
                    panic!("given to {caller:?}")
                }
                _ => {}
            }
        }
    }
}
