//! What a pod may have: its role, and how the role is assumed for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::allow_list::{AllowList, AllowListError, PatternFormat};
use crate::pod::Pod;
use crate::role::{BaseArn, RoleArn, RoleError};

/// Everything that makes one session different from another. It is what STS is
/// asked for and the key of the cache, so that a session is never given to a pod
/// that would have asked for another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The role to assume.
    pub role: RoleArn,
    /// [`sts:ExternalId`](https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html), if the pod names one.
    pub external_id: Option<String>,
    /// `<namespace>.<pod>`, cut to the 64 characters that STS takes.
    pub session_name: String,
    /// [Session tags](https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html), in the names that EKS Pod Identity uses.
    pub session_tags: BTreeMap<String, String>,
    /// The pod for which the session is: two pods never share one, even where
    /// their names are equal after the cut or one follows the other.
    pub pod_uid: String,
}

/// Which roles pods may have, as the flags say.
#[derive(Clone, Debug, Default)]
pub struct RoleRules {
    /// `--base-role-arn`, or what was discovered.
    pub base: Option<BaseArn>,
    /// `--default-role`, or what was discovered: for pods without the annotation.
    pub default_role: Option<String>,
    /// `--namespace-restrictions` and its format; `None` if every role is allowed.
    pub restrictions: Option<PatternFormat>,
    /// `--session-tags`: the name of the cluster for `eks-cluster-name` (may be empty), if tags are wanted.
    pub session_tags: Option<String>,
}

/// What the rules say about one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleState {
    /// It may have this.
    Granted(Arc<Grant>),
    /// It has no role annotation, or an empty one, and there is no default.
    None,
    /// What it asks for cannot be read.
    Invalid(GrantError),
    /// Its namespace does not allow the role.
    NotAllowed(RoleArn),
    /// The watch has not shown its namespace yet.
    NamespaceUnknown,
}

/// Why a pod's annotations name nothing that it could have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// The role.
    #[error(transparent)]
    Role(#[from] RoleError),
    /// The external id.
    #[error(
        "{0:?} is not an external id; allowed: 2 to 1224 letters, digits and the characters _+=,.@:/-"
    )]
    ExternalId(String),
}

/// The allow-lists of all namespaces.
#[derive(Clone, Debug, Default)]
pub struct Namespaces {
    by_name: BTreeMap<String, Option<AllowList>>,
}

impl Namespaces {
    /// A namespace was created or changed. `annotation` is its allow-list as
    /// written; none, or one that is wrong, allows nothing.
    ///
    /// # Errors
    ///
    /// What is wrong with the annotation, for its author. The namespace is taken all the same.
    pub fn apply(
        &mut self,
        name: &str,
        annotation: Option<&str>,
        format: PatternFormat,
    ) -> Result<(), AllowListError> {
        let list = annotation
            .map(|text| AllowList::parse(text, format))
            .transpose();
        let (list, result) = match list {
            Ok(list) => (list, Ok(())),
            Err(error) => (None, Err(error)),
        };
        self.by_name.insert(name.to_owned(), list);
        result
    }

    /// A namespace is deleted.
    pub fn delete(&mut self, name: &str) {
        self.by_name.remove(name);
    }

    /// The watch was begun anew and these are the names of all namespaces.
    pub fn retain(&mut self, names: &std::collections::BTreeSet<String>) {
        self.by_name.retain(|name, _| names.contains(name));
    }
}

impl RoleRules {
    /// What `pod` may have.
    #[must_use]
    pub fn role_of(&self, pod: &Pod, namespaces: &Namespaces) -> RoleState {
        // An empty annotation is a pod's way to have no role in spite of a default.
        let text = pod.role.as_ref().or(self.default_role.as_ref());
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return RoleState::None;
        };
        let grant = match self.grant(pod, text) {
            Ok(grant) => Arc::new(grant),
            Err(error) => return RoleState::Invalid(error),
        };
        if self.restrictions.is_none() || self.is_default(&grant.role) {
            return RoleState::Granted(grant);
        }
        match namespaces.by_name.get(&pod.namespace) {
            None => RoleState::NamespaceUnknown,
            Some(Some(list)) if list.allows(&grant.role, self.base.as_ref()) => {
                RoleState::Granted(grant)
            }
            Some(_) => RoleState::NotAllowed(grant.role.clone()),
        }
    }

    fn grant(&self, pod: &Pod, role: &str) -> Result<Grant, GrantError> {
        if let Some(id) = pod.external_id.as_ref().filter(|id| !is_external_id(id)) {
            return Err(GrantError::ExternalId(id.clone()));
        }
        Ok(Grant {
            role: RoleArn::resolve(role, self.base.as_ref())?,
            external_id: pod.external_id.clone(),
            session_name: session_name(pod),
            session_tags: self
                .session_tags
                .as_deref()
                .map_or_else(BTreeMap::new, |cluster| tags(pod, cluster)),
            pod_uid: pod.uid.clone(),
        })
    }

    /// The default role is an operator's choice: every namespace may have it.
    fn is_default(&self, role: &RoleArn) -> bool {
        self.default_role
            .as_ref()
            .and_then(|text| RoleArn::resolve(text, self.base.as_ref()).ok())
            .is_some_and(|default| default == *role)
    }
}

/// [`ExternalId`](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html): `[\w+=,.@:\/-]*`, 2 to 1224 of them.
fn is_external_id(text: &str) -> bool {
    (2..=1224).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b))
}

/// [`RoleSessionName`](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html):
/// 2 to 64 of `[\w+=,.@-]`, which the names of namespaces and pods are made of.
fn session_name(pod: &Pod) -> String {
    let mut name: String = format!("{}.{}", pod.namespace, pod.name)
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "_+=,.@-".contains(c) {
                c
            } else {
                '-'
            }
        })
        .collect();
    name.truncate(64);
    name
}

/// The tags of [EKS Pod Identity](https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html).
fn tags(pod: &Pod, cluster: &str) -> BTreeMap<String, String> {
    [
        ("eks-cluster-name", cluster),
        ("kubernetes-namespace", &pod.namespace),
        ("kubernetes-service-account", &pod.service_account),
        ("kubernetes-pod-name", &pod.name),
        ("kubernetes-pod-uid", &pod.uid),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect()
}

#[cfg(test)]
mod tests;
