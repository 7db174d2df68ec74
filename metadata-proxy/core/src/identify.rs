//! Who asks, and what the rules say about them.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::bearer::{Bearer, Review};
use crate::decide::{Caller, TokenState};
use crate::grant::{Grant, Namespaces, RoleRules, RoleState};
use crate::index::{Found, PodIndex};
use crate::pod::Pod;
use crate::service_account::ServiceAccounts;
use crate::token::TokenKey;

/// Everything that is known about pods: what the watches filled and what the flags say.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// The pods of the node.
    pub pods: PodIndex,
    /// The allow-lists of namespaces.
    pub namespaces: Namespaces,
    /// The roles of ServiceAccounts.
    pub service_accounts: ServiceAccounts,
    /// The flags.
    pub rules: RoleRules,
}

/// A session token that came with a request, and the key that such tokens are made with.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The token, if there was one.
    pub token: Option<&'a [u8]>,
    /// The proxy's key.
    pub key: &'a TokenKey,
}

/// A token that a pod presents at the container endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// The `Authorization`, if there was one.
    pub token: Option<&'a [u8]>,
    /// What the API server says of it.
    pub review: &'a Review,
}

impl Directory {
    /// Who is behind `peer`, the address at the other end of the connection. No
    /// header has a say in it. `role_of` is [`Directory::role_of`], or something
    /// that remembers what that said.
    #[must_use]
    pub fn identify(
        &self,
        peer: IpAddr,
        shown: Shown<'_>,
        now: Timestamp,
        role_of: impl FnOnce(&Pod) -> RoleState,
    ) -> Caller {
        let token = |pod: &Pod| match shown.token {
            None => TokenState::Absent,
            Some(token) if shown.key.accepts(token, &pod.uid, now) => TokenState::Valid,
            Some(_) => TokenState::Invalid,
        };
        self.caller(peer, now, token, role_of)
    }

    /// Who asks the container endpoint: the pod behind `peer`, if the token that
    /// it presents is its own by the word of the API server. `role_of` as in
    /// [`Directory::identify`].
    #[must_use]
    pub fn identify_bearer(
        &self,
        peer: IpAddr,
        presented: Presented<'_>,
        now: Timestamp,
        role_of: impl FnOnce(&Pod) -> RoleState,
    ) -> Caller {
        let audience = &self.rules.audience;
        let Presented { token, review } = presented;
        let judge =
            |pod: &Pod| TokenState::Bearer(Bearer::judge(token, pod, audience, review, now));
        self.caller(peer, now, judge, role_of)
    }

    fn caller(
        &self,
        peer: IpAddr,
        now: Timestamp,
        token: impl FnOnce(&Pod) -> TokenState,
        role_of: impl FnOnce(&Pod) -> RoleState,
    ) -> Caller {
        match self.pods.find(peer, now) {
            Found::Pod(pod) => Caller::Pod {
                role: role_of(&pod),
                token: token(&pod),
                pod,
            },
            Found::Host => Caller::Host,
            Found::Ambiguous(_) => Caller::Ambiguous,
            Found::Nobody => Caller::Unknown,
        }
    }

    /// What the rules say about a pod. It does not depend on the time.
    #[must_use]
    pub fn role_of(&self, pod: &Pod) -> RoleState {
        self.rules
            .role_of(pod, &self.namespaces, &self.service_accounts)
    }

    /// What the living pods may have: the sessions worth holding ready. Those of
    /// pods that have yet to present a token are among them. `role_of` as in
    /// [`Directory::identify`].
    pub fn grants<'a>(
        &'a self,
        now: Timestamp,
        role_of: impl Fn(&Pod) -> RoleState + 'a,
    ) -> impl Iterator<Item = Arc<Grant>> + 'a {
        let living = self
            .pods
            .pods()
            .filter(move |pod| pod.lives(now) && !pod.host_network);
        living.filter_map(move |pod| match role_of(pod) {
            RoleState::Granted(grant) | RoleState::NoToken(grant) => Some(grant),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{at, ip, pod};
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
            let shown = Shown { token, key: &key };
            token_of(&directory.identify(ip(address), shown, at(now), |pod| directory.role_of(pod)))
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
            let shown = Shown {
                token: None,
                key: &key,
            };
            match directory.identify(ip("10.0.0.1"), shown, at(0), |pod| directory.role_of(pod)) {
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
            .grants(at(0), |pod| directory.role_of(pod))
            .map(|grant| grant.role.name().to_owned())
            .collect();
        assert_eq!(
            names,
            ["role-a", "role-b", "early"],
            "an address is not needed yet"
        );
    }
}
