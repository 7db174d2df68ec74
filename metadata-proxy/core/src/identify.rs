//! Who asks, and what the rules say about them.

use std::net::IpAddr;

use jiff::Timestamp;

use crate::decide::{Caller, TokenState};
use crate::grant::{Grant, Namespaces, RoleRules, RoleState};
use crate::index::{Found, PodIndex};
use crate::token::TokenKey;

/// Everything that is known about pods: what the watches filled and what the flags say.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// The pods of the node.
    pub pods: PodIndex,
    /// The allow-lists of namespaces.
    pub namespaces: Namespaces,
    /// The flags.
    pub rules: RoleRules,
}

impl Directory {
    /// Who is behind `peer`, the address at the other end of the connection. No
    /// header has a say in it.
    #[must_use]
    pub fn identify(
        &self,
        peer: IpAddr,
        token: Option<&[u8]>,
        key: &TokenKey,
        now: Timestamp,
    ) -> Caller {
        let pod = match self.pods.find(peer, now) {
            Found::Pod(pod) => pod,
            Found::Host => return Caller::Host,
            Found::Ambiguous(_) => return Caller::Ambiguous,
            Found::Nobody => return Caller::Unknown,
        };
        let token = match token {
            None => TokenState::Absent,
            Some(token) if key.accepts(token, &pod.uid, now) => TokenState::Valid,
            Some(_) => TokenState::Invalid,
        };
        Caller::Pod {
            role: self.rules.role_of(&pod, &self.namespaces),
            token,
            pod,
        }
    }

    /// What the living pods may have: the sessions worth holding ready.
    pub fn grants(&self, now: Timestamp) -> impl Iterator<Item = Grant> {
        let living = self
            .pods
            .pods()
            .filter(move |pod| pod.lives(now) && !pod.host_network);
        living.filter_map(|pod| match self.rules.role_of(pod, &self.namespaces) {
            RoleState::Granted(grant) => Some(grant),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{at, ip, pod};
    use crate::pod::Pod;
    use crate::role::BaseArn;
    use crate::token::TokenTtl;

    fn directory() -> Directory {
        let mut directory = Directory {
            rules: RoleRules {
                base: Some(BaseArn::parse("arn:aws:iam::1:role").unwrap()),
                ..RoleRules::default()
            },
            ..Directory::default()
        };
        for (name, address) in [("a", "10.0.0.1"), ("b", "10.0.0.2")] {
            directory.pods.apply(Pod {
                addresses: vec![ip(address)],
                role: Some(format!("role-{name}")),
                ..pod(name)
            });
        }
        directory
    }

    fn token_of(caller: &Caller) -> TokenState {
        match caller {
            Caller::Pod { token, .. } => *token,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_token_is_good_for_its_own_pod_alone() {
        let (directory, key) = (directory(), TokenKey::new([1; 32]));
        let token = key.issue("uid-a", TokenTtl::parse(b"60").unwrap(), at(0));
        let state = |address, token: Option<&[u8]>, now| {
            token_of(&directory.identify(ip(address), token, &key, at(now)))
        };
        assert_eq!(
            state("10.0.0.1", Some(token.as_bytes()), 0),
            TokenState::Valid
        );
        assert_eq!(
            state("10.0.0.1", Some(token.as_bytes()), 60),
            TokenState::Invalid
        );
        assert_eq!(
            state("10.0.0.2", Some(token.as_bytes()), 0),
            TokenState::Invalid
        );
        assert_eq!(state("10.0.0.1", Some(b"bogus"), 0), TokenState::Invalid);
        assert_eq!(state("10.0.0.1", Some(b""), 0), TokenState::Invalid);
        assert_eq!(state("10.0.0.1", None, 0), TokenState::Absent);
    }

    #[test]
    fn a_changed_annotation_is_seen_at_once() {
        let mut directory = directory();
        let role = |directory: &Directory| {
            let key = TokenKey::new([1; 32]);
            match directory.identify(ip("10.0.0.1"), None, &key, at(0)) {
                Caller::Pod {
                    role: RoleState::Granted(grant),
                    ..
                } => grant.role.name().to_owned(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(role(&directory), "role-a");
        directory.pods.apply(Pod {
            addresses: vec![ip("10.0.0.1")],
            role: Some("role-new".into()),
            ..pod("a")
        });
        assert_eq!(role(&directory), "role-new");
    }

    #[test]
    fn grants_are_those_of_living_pods() {
        let mut directory = directory();
        directory.pods.apply(Pod {
            role: Some("x".into()),
            finished: true,
            ..pod("c")
        });
        directory.pods.apply(Pod {
            role: Some("x".into()),
            host_network: true,
            ..pod("d")
        });
        directory.pods.apply(Pod {
            role: Some("a b".into()),
            ..pod("e")
        });
        directory.pods.apply(Pod {
            role: Some("early".into()),
            ..pod("f")
        });
        let names: Vec<_> = directory
            .grants(at(0))
            .map(|grant| grant.role.name().to_owned())
            .collect();
        assert_eq!(
            names,
            ["role-a", "role-b", "early"],
            "an address is not needed yet"
        );
    }
}
