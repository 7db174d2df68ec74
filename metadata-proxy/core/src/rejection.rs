//! What pods ask for and cannot have, for their authors.

use isthmus_core::Rejection;
use jiff::Timestamp;

use crate::explain::advice;
use crate::grant::RoleState;
use crate::identify::Directory;
use crate::pod::Pod;
use crate::reason;

impl Directory {
    /// Why `pod` is refused, if its author or the owner of its namespace can change it.
    #[must_use]
    pub fn rejection(&self, pod: &Pod) -> Option<Rejection> {
        let (why, message) = match self.role_of(pod) {
            RoleState::Invalid(error) => (reason::INVALID_ROLE, error.to_string()),
            RoleState::NotAllowed(role) => {
                let namespace = &pod.namespace;
                let message =
                    format!("namespace {namespace} does not allow {role} in its list of roles");
                (reason::ROLE_NOT_ALLOWED, message)
            }
            RoleState::NoToken(_) => (reason::NO_POD_TOKEN, advice(&self.rules.audience)),
            RoleState::Granted(_)
            | RoleState::None
            | RoleState::NamespaceUnknown
            | RoleState::ServiceAccountUnknown => return None,
        };
        Some(Rejection {
            object: pod.object(),
            reason: why,
            message,
        })
    }

    /// The rejections of all pods that can be running and would be served.
    pub fn rejections(&self, now: Timestamp) -> impl Iterator<Item = Rejection> {
        let living = self
            .pods
            .pods()
            .filter(move |pod| pod.lives(now) && !pod.host_network);
        living.filter_map(|pod| self.rejection(pod))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{at, pod};
    use crate::grant::RoleRules;
    use crate::role::BaseArn;
    use crate::source::{SourceMode, TokenVolume};

    #[test]
    fn only_what_somebody_can_mend_and_of_the_living() {
        let mut directory = Directory {
            rules: RoleRules {
                base: BaseArn::parse("arn:aws:iam::1:role").ok(),
                source: SourceMode::WebIdentity,
                ..RoleRules::default()
            },
            ..Directory::default()
        };
        let with = |name: &str, role: &str| Pod {
            role: Some(role.into()),
            ..pod(name)
        };
        for pod in [
            with("no-token", "x"),
            with("wrong", "a b"),
            Pod {
                token: TokenVolume::new("v", "token"),
                ..with("served", "x")
            },
            Pod {
                finished: true,
                ..with("finished", "a b")
            },
            pod("plain"),
        ] {
            directory.pods.apply(pod);
        }
        let found: Vec<_> = directory
            .rejections(at(0))
            .map(|rejection| format!("{} {}", rejection.object, rejection.reason))
            .collect();
        assert_eq!(
            found,
            ["Pod shop/no-token NoPodToken", "Pod shop/wrong InvalidRole"]
        );
    }
}
