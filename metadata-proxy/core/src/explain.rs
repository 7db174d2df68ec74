//! Why a pod gets which role, in words.

use jiff::Timestamp;

use crate::grant::RoleState;
use crate::identify::Directory;
use crate::index::Found;
use crate::pod::Pod;
use crate::refusal::Refusal;

/// What the proxy makes of a pod, line by line, and how it answers its question for a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// For people, in the order of the decision.
    pub lines: Vec<String>,
    /// Whether the pod gets credentials.
    pub served: bool,
}

/// Explains what `directory` says of `pod` at `now`; the same code decides here and there.
#[must_use]
pub fn explain(directory: &Directory, pod: &Pod, now: Timestamp) -> Explanation {
    let mut lines = vec![format!("{} (UID {})", pod.object(), pod.uid)];
    let found = found(directory, pod, now, &mut lines);
    annotations(directory, pod, &mut lines);
    let role = role(directory, pod, &mut lines);
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
    lines.push(match (&pod.role, &directory.rules.default_role) {
        (Some(role), _) if role.is_empty() => {
            "its role annotation is empty: it wants none".to_owned()
        }
        (Some(role), _) => format!("its role annotation is {role:?}"),
        (None, Some(role)) => format!("it has no role annotation; the default role is {role:?}"),
        (None, None) => "it has no role annotation, and there is no default role".to_owned(),
    });
    if let Some(id) = &pod.external_id {
        lines.push(format!("its external id annotation is {id:?}"));
    }
}

fn role(directory: &Directory, pod: &Pod, lines: &mut Vec<String>) -> Option<Refusal> {
    let (line, refusal) = match directory.rules.role_of(pod, &directory.namespaces) {
        RoleState::None => return Some(Refusal::NoRole),
        RoleState::Granted(grant) => (
            format!(
                "that is {}, in a session named {}",
                grant.role, grant.session_name
            ),
            None,
        ),
        RoleState::Invalid(error) => (error.to_string(), Some(Refusal::InvalidRole)),
        RoleState::NotAllowed(role) => {
            let line = format!(
                "namespace {} does not allow {role} in its list of roles",
                pod.namespace
            );
            (line, Some(Refusal::RoleNotAllowed))
        }
        RoleState::NamespaceUnknown => (
            format!("namespace {} is not known", pod.namespace),
            Some(Refusal::NamespaceUnknown),
        ),
    };
    lines.push(line);
    refusal
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allow_list::PatternFormat;
    use crate::fixture::{at, ip, pod};
    use crate::grant::RoleRules;
    use crate::role::BaseArn;

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
        let explanation = explain(&directory, pod, at(0));
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
             that is arn:aws:iam::1:role/role-a, in a session named shop.web\nit is given the credentials of that role"
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
