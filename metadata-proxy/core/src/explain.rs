//! Why a pod gets which role, in words.

use jiff::Timestamp;

use crate::grant::{Grant, RoleOrigin, RoleState, Wanted};
use crate::identify::Directory;
use crate::index::Found;
use crate::pod::Pod;
use crate::refusal::Refusal;
use crate::source::{Identity, TokenVolume};

/// What the proxy makes of a pod, line by line, and how it answers its question for a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// For people, in the order of the decision.
    pub lines: Vec<String>,
    /// Whether the pod gets credentials.
    pub served: bool,
}

/// What there is to say about the file of a pod's token: `Ok` if it can be read.
pub type TokenLook<'a> = &'a dyn Fn(&TokenVolume, &str) -> Result<String, String>;

/// Explains what `directory` says of `pod` at `now`; the same code decides here
/// and there. `look` looks for a token in the kubelet's volume of the pod of a UID.
#[must_use]
pub fn explain(
    directory: &Directory,
    pod: &Pod,
    now: Timestamp,
    look: TokenLook<'_>,
) -> Explanation {
    let mut lines = vec![format!("{} (UID {})", pod.object(), pod.uid)];
    let found = found(directory, pod, now, &mut lines);
    annotations(directory, pod, &mut lines);
    let role = role(directory, pod, look, &mut lines);
    let refusal = found.or(role);
    lines.push(match refusal {
        None => "it is given the credentials of that role".to_owned(),
        Some(refusal) => format!("it is refused with {}: {refusal}", refusal.status()),
    });
    Explanation {
        lines,
        served: refusal.is_none(),
    }
}

/// Who is found by the pod's addresses.
fn found(
    directory: &Directory,
    pod: &Pod,
    now: Timestamp,
    lines: &mut Vec<String>,
) -> Option<Refusal> {
    if pod.host_network {
        lines.push("it is in the host network, where pods cannot be told from the node".to_owned());
        return Some(Refusal::HostAddress);
    }
    if !pod.lives(now) {
        lines.push("it has ended".to_owned());
        return Some(Refusal::PodUnknown);
    }
    if pod.addresses.is_empty() {
        lines.push("it has no address yet".to_owned());
        return Some(Refusal::PodUnknown);
    }
    let mut refusal = None;
    for address in &pod.addresses {
        let (text, problem) = match directory.pods.find(*address, now) {
            Found::Pod(found) if found.uid == pod.uid => ("its own".to_owned(), None),
            Found::Pod(other) => (
                format!("that of {}", other.object()),
                Some(Refusal::AmbiguousAddress),
            ),
            Found::Host => ("the node's".to_owned(), Some(Refusal::HostAddress)),
            Found::Nobody => ("nobody's".to_owned(), Some(Refusal::PodUnknown)),
            Found::Ambiguous(pods) => {
                let names: Vec<String> = pods.iter().map(|pod| pod.object().to_string()).collect();
                (
                    format!("that of {}", names.join(", ")),
                    Some(Refusal::AmbiguousAddress),
                )
            }
        };
        lines.push(format!("address {address} is {text}"));
        refusal = refusal.or(problem);
    }
    refusal
}

fn annotations(directory: &Directory, pod: &Pod, lines: &mut Vec<String>) {
    let account = format!("service account {}/{}", pod.namespace, pod.account());
    let none = "it has no role annotation";
    lines.push(
        match directory.rules.wanted(pod, &directory.service_accounts) {
            Wanted::Role(role, RoleOrigin::Pod) => format!("its role annotation is {role:?}"),
            Wanted::Role(role, RoleOrigin::ServiceAccount) => {
                format!("{none}; that of its {account} is {role:?}")
            }
            Wanted::Role(role, RoleOrigin::Default) => {
                format!("{none}, nor has its {account}; the default role is {role:?}")
            }
            Wanted::Nothing(RoleOrigin::ServiceAccount) => {
                format!("{none}; that of its {account} is empty: it wants none")
            }
            Wanted::Nothing(_) => "its role annotation is empty: it wants none".to_owned(),
            Wanted::Nowhere => {
                format!("{none}, nor has its {account}, and there is no default role")
            }
            Wanted::Unknown => format!("{none}, and its {account} is not known"),
        },
    );
    if let Some(id) = &pod.external_id {
        lines.push(format!("its external id annotation is {id:?}"));
    }
}

fn role(
    directory: &Directory,
    pod: &Pod,
    look: TokenLook<'_>,
    lines: &mut Vec<String>,
) -> Option<Refusal> {
    let (line, refusal) = match directory.role_of(pod) {
        RoleState::None => return Some(Refusal::NoRole),
        RoleState::Granted(grant) | RoleState::NoToken(grant) => {
            return session(directory, &grant, look, lines);
        }
        RoleState::Invalid(error) => (error.to_string(), Refusal::InvalidRole),
        RoleState::NotAllowed(role) => {
            let line = format!(
                "namespace {} does not allow {role} in its list of roles",
                pod.namespace
            );
            (line, Refusal::RoleNotAllowed)
        }
        RoleState::NamespaceUnknown => (
            format!("namespace {} is not known", pod.namespace),
            Refusal::NamespaceUnknown,
        ),
        RoleState::ServiceAccountUnknown => return Some(Refusal::ServiceAccountUnknown),
    };
    lines.push(line);
    Some(refusal)
}

/// What STS is asked for, and with whose word.
fn session(
    directory: &Directory,
    grant: &Grant,
    look: TokenLook<'_>,
    lines: &mut Vec<String>,
) -> Option<Refusal> {
    lines.push(format!(
        "that is {}, in a session named {}",
        grant.role, grant.session_name
    ));
    if !grant.policy_arns.is_empty() {
        lines.push(format!(
            "narrowed by the session policies {}",
            grant.policy_arns
        ));
    }
    let (account, token) = match &grant.identity {
        Identity::Node => {
            lines.push("the node's own credentials assume it (AssumeRole)".to_owned());
            return None;
        }
        Identity::Pod {
            service_account,
            token,
        } => (service_account, token),
    };
    lines.push(format!(
        "the pod's own token assumes it (AssumeRoleWithWebIdentity), as system:serviceaccount:{}:{account}",
        grant.namespace
    ));
    let Some(token) = token else {
        lines.push(advice(&directory.rules.audience));
        return Some(Refusal::NoPodToken);
    };
    match look(token, &grant.pod_uid) {
        Ok(said) => {
            lines.push(said);
            None
        }
        Err(said) => {
            lines.push(said);
            Some(Refusal::PodTokenUnavailable)
        }
    }
}

/// What a pod that has no token for STS lacks, for its author.
#[must_use]
pub fn advice(audience: &str) -> String {
    format!(
        "nothing in the pod's spec asks for a token for STS: add to spec.volumes a projected volume with a source \
         serviceAccountToken {{audience: {audience}, path: token}}, or have the pod present such a token at /v1/credentials"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allow_list::PatternFormat;
    use crate::fixture::{at, ip, pod};
    use crate::grant::RoleRules;
    use crate::role::BaseArn;
    use crate::service_account::ServiceAccounts;
    use crate::source::SourceMode;

    fn told(change: impl FnOnce(&mut Directory), pod: &Pod) -> (bool, String) {
        let mut directory = Directory {
            rules: RoleRules {
                base: Some(BaseArn::parse("arn:aws:iam::1:role").unwrap()),
                ..RoleRules::default()
            },
            ..Directory::default()
        };
        change(&mut directory);
        directory.pods.apply(pod.clone());
        let look = |token: &TokenVolume, uid: &str| match uid {
            "uid-web" => Ok(format!("its token is at {}", token.shown(uid))),
            _ => Err("its token is not there".to_owned()),
        };
        let explanation = explain(&directory, pod, at(0), &look);
        (explanation.served, explanation.lines.join("\n"))
    }

    fn web() -> Pod {
        Pod {
            addresses: vec![ip("10.0.0.1")],
            role: Some("role-a".into()),
            ..pod("web")
        }
    }

    #[test]
    fn a_pod_that_is_served() {
        let (served, text) = told(|_| (), &web());
        assert!(served);
        assert_eq!(
            text,
            "Pod shop/web (UID uid-web)\naddress 10.0.0.1 is its own\nits role annotation is \"role-a\"\n\
             that is arn:aws:iam::1:role/role-a, in a session named shop.web\n\
             the node's own credentials assume it (AssumeRole)\nit is given the credentials of that role"
        );
    }

    #[test]
    fn web_identity_is_explained() {
        let web_identity = |directory: &mut Directory| {
            directory.rules.source = SourceMode::WebIdentity;
            directory.service_accounts = ServiceAccounts::watched();
            let accounts = &mut directory.service_accounts;
            accounts.apply("shop", "default", Some("of-account"));
        };
        let with_token = Pod {
            role: None,
            token: TokenVolume::new("aws", "token"),
            session_policies: Some("arn:aws:iam::aws:policy/p".into()),
            ..web()
        };
        let (served, text) = told(web_identity, &with_token);
        assert!(served, "{text}");
        for line in [
            "it has no role annotation; that of its service account shop/default is \"of-account\"",
            "narrowed by the session policies arn:aws:iam::aws:policy/p",
            "the pod's own token assumes it (AssumeRoleWithWebIdentity), as system:serviceaccount:shop:default",
            "its token is at pods/uid-web/volumes/kubernetes.io~projected/aws/token",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        let elsewhere = Pod {
            uid: "other".into(),
            ..with_token.clone()
        };
        let (served, text) = told(web_identity, &elsewhere);
        let end = "its token is not there\nit is refused with 503: the pod's own token cannot be read at the moment";
        assert!(!served && text.ends_with(end), "{text}");
        let without = Pod {
            token: None,
            ..with_token
        };
        let (served, text) = told(web_identity, &without);
        assert!(
            !served
                && text.contains("serviceAccountToken {audience: sts.amazonaws.com, path: token}"),
            "{text}"
        );
        assert!(
            text.ends_with("it is refused with 404: the pod has no projected token for STS"),
            "{text}"
        );
        let with_id = Pod {
            external_id: Some("id-1".into()),
            ..web()
        };
        let (served, text) = told(web_identity, &with_id);
        assert!(
            !served && text.contains("AssumeRoleWithWebIdentity takes none"),
            "{text}"
        );
    }

    #[test]
    fn pods_that_are_not() {
        let twin = Pod {
            uid: "twin".into(),
            name: "twin".into(),
            ..web()
        };
        let restrict =
            |directory: &mut Directory| directory.rules.restrictions = Some(PatternFormat::Glob);
        let deny = |directory: &mut Directory| {
            restrict(directory);
            directory
                .namespaces
                .apply("shop", None, PatternFormat::Glob)
                .unwrap();
        };
        let nothing = |_: &mut Directory| ();
        for ((served, text), end) in [
            (
                told(|d| d.pods.apply(twin), &web()),
                "refused with 503: more than one pod has this address",
            ),
            (
                told(
                    nothing,
                    &Pod {
                        role: None,
                        ..web()
                    },
                ),
                "refused with 404: the pod has no role",
            ),
            (
                told(
                    nothing,
                    &Pod {
                        role: Some(String::new()),
                        ..web()
                    },
                ),
                "refused with 404: the pod has no role",
            ),
            (
                told(
                    nothing,
                    &Pod {
                        role: Some("a b".into()),
                        ..web()
                    },
                ),
                "refused with 404: the pod's role annotations cannot be read",
            ),
            (
                told(
                    nothing,
                    &Pod {
                        host_network: true,
                        ..web()
                    },
                ),
                "refused with 403: pods in the host network are not served",
            ),
            (
                told(
                    nothing,
                    &Pod {
                        finished: true,
                        ..web()
                    },
                ),
                "refused with 503: no pod is known by this address yet",
            ),
            (
                told(
                    nothing,
                    &Pod {
                        addresses: vec![],
                        ..web()
                    },
                ),
                "refused with 503: no pod is known by this address yet",
            ),
            (
                told(restrict, &web()),
                "refused with 503: the pod's namespace is not known yet",
            ),
            (
                told(deny, &web()),
                "refused with 404: the pod's namespace does not allow its role",
            ),
        ] {
            assert!(!served && text.ends_with(end), "{text}\n{end}");
        }
    }
}
