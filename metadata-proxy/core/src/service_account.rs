//! The roles that ServiceAccounts are annotated with.

use std::collections::{BTreeMap, BTreeSet};

/// The role annotations of all ServiceAccounts, as the watch shows them.
#[derive(Clone, Debug, Default)]
pub struct ServiceAccounts {
    /// Whether they are watched. Otherwise they have no say.
    watched: bool,
    by_name: BTreeMap<(String, String), Option<String>>,
}

/// What is known of the ServiceAccount of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountRole<'a> {
    /// Its annotation, as written; empty is not the same as absent.
    Annotated(&'a str),
    /// It has no annotation, or ServiceAccounts have no say.
    None,
    /// The watch has not shown it yet.
    Unknown,
}

impl ServiceAccounts {
    /// Of a proxy that watches them.
    #[must_use]
    pub fn watched() -> Self {
        Self {
            watched: true,
            ..Self::default()
        }
    }

    /// One was created or changed.
    pub fn apply(&mut self, namespace: &str, name: &str, role: Option<&str>) {
        let key = (namespace.to_owned(), name.to_owned());
        self.by_name.insert(key, role.map(str::to_owned));
    }

    /// One is deleted.
    pub fn delete(&mut self, namespace: &str, name: &str) {
        self.by_name
            .remove(&(namespace.to_owned(), name.to_owned()));
    }

    /// The watch was begun anew and these are all there are, by namespace and name.
    pub fn retain(&mut self, names: &BTreeSet<(String, String)>) {
        self.by_name.retain(|name, _| names.contains(name));
    }

    /// How many are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// What is known of one. A pod without a name for it (the API server fills
    /// `default` in, unless its admission is switched off) has none.
    #[must_use]
    pub fn role_of(&self, namespace: &str, name: &str) -> AccountRole<'_> {
        if !self.watched || name.is_empty() {
            return AccountRole::None;
        }
        match self.by_name.get(&(namespace.to_owned(), name.to_owned())) {
            Some(Some(role)) => AccountRole::Annotated(role),
            Some(None) => AccountRole::None,
            None => AccountRole::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_account_is_of_its_namespace() {
        let mut accounts = ServiceAccounts::watched();
        assert_eq!(accounts.role_of("shop", "web"), AccountRole::Unknown);
        accounts.apply("shop", "web", Some("role-a"));
        accounts.apply("shop", "plain", None);
        assert_eq!(
            accounts.role_of("shop", "web"),
            AccountRole::Annotated("role-a")
        );
        assert_eq!(accounts.role_of("bank", "web"), AccountRole::Unknown);
        assert_eq!(accounts.role_of("shop", "plain"), AccountRole::None);
        assert_eq!(accounts.role_of("shop", ""), AccountRole::None);
        accounts.retain(&[("shop".to_owned(), "plain".to_owned())].into());
        assert_eq!(accounts.role_of("shop", "web"), AccountRole::Unknown);
        accounts.delete("shop", "plain");
        assert_eq!(accounts.role_of("shop", "plain"), AccountRole::Unknown);
    }

    #[test]
    fn unwatched_they_have_no_say() {
        let mut accounts = ServiceAccounts::default();
        accounts.apply("shop", "web", Some("role-a"));
        assert_eq!(accounts.role_of("shop", "web"), AccountRole::None);
    }
}
