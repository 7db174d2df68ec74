//! What a pod may have: its role, and how the role is assumed for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::allow_list::{AllowList, AllowListError, PatternFormat};
use crate::pod::Pod;
use crate::policy_arns::{PolicyArns, PolicyArnsError};
use crate::role::{BaseArn, RoleArn, RoleError};
use crate::service_account::{AccountRole, ServiceAccounts};
use crate::source::{Identity, SourceMode};

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
    /// [Session policies](https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session), if the pod names some.
    pub policy_arns: PolicyArns,
    /// Whose word STS is given.
    pub identity: Identity,
    /// The namespace of the pod and of its service account.
    pub namespace: String,
    /// The pod for which the session is: two pods never share one, even where
    /// their names are equal after the cut or one follows the other.
    pub pod_uid: String,
}

/// The [audience](https://docs.aws.amazon.com/eks/latest/userguide/iam-roles-for-service-accounts.html)
/// of tokens for STS: the default of `--token-audience`.
pub const STS_AUDIENCE: &str = "sts.amazonaws.com";

/// Which roles pods may have, as the flags say.
#[derive(Clone, Debug)]
pub struct RoleRules {
    /// `--base-role-arn`, or what was discovered.
    pub base: Option<BaseArn>,
    /// `--default-role`, or what was discovered: for pods without the annotation.
    pub default_role: Option<String>,
    /// `--namespace-restrictions` and its format; `None` if every role is allowed.
    pub restrictions: Option<PatternFormat>,
    /// `--session-tags`: the name of the cluster for `eks-cluster-name` (may be empty), if tags are wanted.
    pub session_tags: Option<String>,
    /// `--credential-source`.
    pub source: SourceMode,
    /// `--token-audience`: that of pods' own tokens.
    pub audience: String,
}

impl Default for RoleRules {
    fn default() -> Self {
        Self {
            base: None,
            default_role: None,
            restrictions: None,
            session_tags: None,
            source: SourceMode::default(),
            audience: STS_AUDIENCE.to_owned(),
        }
    }
}

/// Where a pod's role is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoleOrigin {
    /// The pod's own annotation. It comes first.
    Pod,
    /// The annotation of the pod's service account.
    ServiceAccount,
    /// `--default-role`, or what was discovered.
    Default,
}

impl RoleOrigin {
    /// Every place, in the order in which they are looked at.
    pub const ALL: [Self; 3] = [Self::Pod, Self::ServiceAccount, Self::Default];

    /// The value of the metric label `origin`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pod => "pod",
            Self::ServiceAccount => "service-account",
            Self::Default => "default",
        }
    }
}

/// Which role a pod asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// This one, as written, which is not empty.
    Role(&'a str, RoleOrigin),
    /// None: an empty annotation, at this place. It is the way to have no role
    /// in spite of what the later places say.
    Nothing(RoleOrigin),
    /// None, at any place.
    Nowhere,
    /// The pod does not say, and its service account is not known yet.
    Unknown,
}

/// What the rules say about one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleState {
    /// It may have this.
    Granted(Arc<Grant>),
    /// It may have this once it presents a token at the container endpoint:
    /// nothing in its spec asks the kubelet for one.
    NoToken(Arc<Grant>),
    /// It has no role annotation, or an empty one, and there is no default.
    None,
    /// What it asks for cannot be read.
    Invalid(GrantError),
    /// Its namespace does not allow the role.
    NotAllowed(RoleArn),
    /// The watch has not shown its namespace yet.
    NamespaceUnknown,
    /// The watch has not shown its service account yet.
    ServiceAccountUnknown,
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
    /// An external id where STS takes none.
    #[error(
        "the external id {0:?} cannot be sent: AssumeRoleWithWebIdentity takes none; remove the annotation, and condition the role's trust on the service account instead"
    )]
    ExternalIdOfWebIdentity(String),
    /// The session policies.
    #[error(transparent)]
    SessionPolicies(#[from] PolicyArnsError),
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
}

impl RoleRules {
    /// Which role `pod` asks for: by its own annotation, else by that of its
    /// service account, else by default.
    #[must_use]
    pub fn wanted<'a>(&'a self, pod: &'a Pod, accounts: &'a ServiceAccounts) -> Wanted<'a> {
        let account = || accounts.role_of(&pod.namespace, &pod.service_account);
        let (text, origin) = match (&pod.role, &self.default_role) {
            (Some(text), _) => (text.as_str(), RoleOrigin::Pod),
            (None, default) => match (account(), default) {
                (AccountRole::Unknown, _) => return Wanted::Unknown,
                (AccountRole::Annotated(text), _) => (text, RoleOrigin::ServiceAccount),
                (AccountRole::None, Some(text)) => (text.as_str(), RoleOrigin::Default),
                (AccountRole::None, None) => return Wanted::Nowhere,
            },
        };
        if text.is_empty() {
            Wanted::Nothing(origin)
        } else {
            Wanted::Role(text, origin)
        }
    }

    /// What `pod` may have.
    #[must_use]
    pub fn role_of(
        &self,
        pod: &Pod,
        namespaces: &Namespaces,
        accounts: &ServiceAccounts,
    ) -> RoleState {
        let text = match self.wanted(pod, accounts) {
            Wanted::Role(text, _) => text,
            Wanted::Nothing(_) | Wanted::Nowhere => return RoleState::None,
            Wanted::Unknown => return RoleState::ServiceAccountUnknown,
        };
        let grant = match self.grant(pod, text) {
            Ok(grant) => Arc::new(grant),
            Err(error) => return RoleState::Invalid(error),
        };
        if self.restrictions.is_none() || self.is_default(&grant.role) {
            return granted(grant);
        }
        match namespaces.by_name.get(&pod.namespace) {
            None => RoleState::NamespaceUnknown,
            Some(Some(list)) if list.allows(&grant.role, self.base.as_ref()) => granted(grant),
            Some(_) => RoleState::NotAllowed(grant.role.clone()),
        }
    }

    fn grant(&self, pod: &Pod, role: &str) -> Result<Grant, GrantError> {
        Ok(Grant {
            role: RoleArn::resolve(role, self.base.as_ref())?,
            external_id: self.external_id(pod)?,
            policy_arns: match &pod.session_policies {
                Some(text) => PolicyArns::parse(text)?,
                None => PolicyArns::default(),
            },
            identity: match self.source {
                SourceMode::AssumeRole => Identity::Node,
                SourceMode::WebIdentity => Identity::Pod {
                    service_account: pod.account().to_owned(),
                    token: pod.token.clone(),
                },
            },
            namespace: pod.namespace.clone(),
            session_name: session_name(pod),
            session_tags: self
                .session_tags
                .as_deref()
                .map_or_else(BTreeMap::new, |cluster| tags(pod, cluster)),
            pod_uid: pod.uid.clone(),
        })
    }

    fn external_id(&self, pod: &Pod) -> Result<Option<String>, GrantError> {
        match (&pod.external_id, self.source) {
            (None, _) => Ok(None),
            (Some(id), SourceMode::WebIdentity) => {
                Err(GrantError::ExternalIdOfWebIdentity(id.clone()))
            }
            (Some(id), SourceMode::AssumeRole) if is_external_id(id) => Ok(Some(id.clone())),
            (Some(id), SourceMode::AssumeRole) => Err(GrantError::ExternalId(id.clone())),
        }
    }

    /// The default role is an operator's choice: every namespace may have it.
    fn is_default(&self, role: &RoleArn) -> bool {
        self.default_role
            .as_ref()
            .and_then(|text| RoleArn::resolve(text, self.base.as_ref()).ok())
            .is_some_and(|default| default == *role)
    }
}

/// A grant that can be acted on, or one that waits for the pod to present a token.
fn granted(grant: Arc<Grant>) -> RoleState {
    match &grant.identity {
        Identity::Pod { token: None, .. } => RoleState::NoToken(grant),
        Identity::Pod { token: Some(_), .. } | Identity::Node => RoleState::Granted(grant),
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
