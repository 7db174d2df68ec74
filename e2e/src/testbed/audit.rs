//! What a ServiceAccount asks the API server for, from the server's own audit log.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::{Api, PostParams};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Testbed, kubernetes};
use crate::eventually;

/// The file of the policy, in the folder of the API server.
pub(super) const POLICY: &str = "audit-policy.yaml";
/// The file that the API server writes, one JSON object a line.
pub(super) const LOG: &str = "audit.log";

/// Only ServiceAccounts are of interest, and only once a request: a watch would
/// otherwise be told at its end alone.
/// <https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/>
pub(super) fn write_policy(folder: &Path) -> Result<()> {
    let policy = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [ResponseStarted, ResponseComplete]
rules:
- level: Metadata
  userGroups: ['system:serviceaccounts']
- level: None
";
    std::fs::write(folder.join(POLICY), policy)?;
    Ok(())
}

/// One right, in the words of RBAC.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`.
    pub verb: String,
    /// The API group; empty for the core group.
    pub group: String,
    /// The resource, with its subresource after a slash.
    pub resource: String,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            verb,
            group,
            resource,
        } = self;
        match group.as_str() {
            "" => write!(f, "{verb} {resource}"),
            _ => write!(f, "{verb} {resource}.{group}"),
        }
    }
}

/// A ServiceAccount as a client of the API server.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    user: String,
    kubeconfig: PathBuf,
    log: PathBuf,
    from: u64,
}

impl ServiceAccount {
    pub(super) async fn new(testbed: &Testbed, namespace: &str, name: &str) -> Result<Self> {
        let api: Api<k8s_openapi::api::core::v1::ServiceAccount> =
            Api::namespaced(testbed.kube(), namespace);
        let request = TokenRequest {
            spec: TokenRequestSpec {
                expiration_seconds: Some(3600),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let made = api
            .create_token_request(name, &PostParams::default(), &request)
            .await
            .with_context(|| format!("a token of {namespace}/{name}"))?;
        let token = made.status.context("a token request has a status")?.token;
        let administrator = std::fs::read_to_string(testbed.kubeconfig())?;
        let folder = testbed.kubeconfig().parent().context("a folder")?;
        let log = folder.join(LOG);
        let kubeconfig = with_token(&administrator, folder, name, &token)?;
        let client = kubernetes::client(&kubeconfig).await?;
        // One of the same name may still be in the API server's mind.
        eventually("the token to be known", async || {
            Ok(client.apiserver_version().await.ok())
        })
        .await?;
        Ok(Self {
            user: format!("system:serviceaccount:{namespace}:{name}"),
            kubeconfig,
            from: std::fs::metadata(&log).map_or(0, |file| file.len()),
            log,
        })
    }

    /// Waits until the API server allows it something: it hears of new roles and
    /// bindings a moment after they were made.
    ///
    /// # Errors
    /// If it is never allowed.
    pub async fn may(&self, testbed: &Testbed, right: &Right) -> Result<()> {
        let reviews: Api<SubjectAccessReview> = Api::all(testbed.kube());
        let (resource, subresource) = match right.resource.split_once('/') {
            Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
            None => (right.resource.as_str(), None),
        };
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(self.user.clone()),
                resource_attributes: Some(ResourceAttributes {
                    verb: Some(right.verb.clone()),
                    group: Some(right.group.clone()),
                    resource: Some(resource.to_owned()),
                    subresource,
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        eventually(
            &format!("{} to be allowed to {right}", self.user),
            async || {
                let answer = reviews.create(&PostParams::default(), &review).await?;
                let allowed = answer.status.is_some_and(|status| status.allowed);
                Ok(allowed.then_some(()))
            },
        )
        .await
    }

    /// A kubeconfig with its token.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// What it asked for since this value was made, allowed or not.
    ///
    /// # Errors
    /// If the audit log cannot be read.
    pub fn asked(&self) -> Result<BTreeSet<Right>> {
        let log = std::fs::read(&self.log).context("the audit log")?;
        let from = usize::try_from(self.from)?.min(log.len());
        let mut rights = BTreeSet::new();
        for line in String::from_utf8_lossy(whole_lines(&log, from)).lines() {
            let entry: Entry = serde_json::from_str(line).context("a line of the audit log")?;
            // What is no object (`/api`, `/version`) is open to every user.
            if let (true, Some(object)) = (entry.user.username == self.user, entry.object_ref) {
                rights.insert(object.right(entry.verb));
            }
        }
        Ok(rights)
    }
}

/// The lines that begin at `from` or behind it and have ended: the server may be
/// in the middle of one, at either end.
fn whole_lines(log: &[u8], from: usize) -> &[u8] {
    let is_end = |byte: &u8| *byte == b'\n';
    let begins = from == 0 || log[from - 1] == b'\n';
    let skipped = match begins {
        true => 0,
        false => log[from..]
            .iter()
            .position(is_end)
            .map_or(log.len() - from, |at| at + 1),
    };
    let lines = &log[from + skipped..];
    let end = lines.iter().rposition(is_end).map_or(0, |at| at + 1);
    &lines[..end]
}

/// The administrator's kubeconfig with another user.
fn with_token(administrator: &str, folder: &Path, name: &str, token: &str) -> Result<PathBuf> {
    let mut config: Value = serde_yaml_ng::from_str(administrator)?;
    let Some(user) = config.pointer_mut("/users/0/user") else {
        bail!("a kubeconfig has a user");
    };
    *user = json!({ "token": token });
    let path = folder.join(format!("kubeconfig-{name}"));
    std::fs::write(&path, serde_yaml_ng::to_string(&config)?)?;
    Ok(path)
}

/// <https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/#audit-k8s-io-v1-Event>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    verb: String,
    user: User,
    object_ref: Option<ObjectRef>,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ObjectRef {
    resource: String,
    #[serde(default)]
    api_group: String,
    #[serde(default)]
    subresource: String,
}

impl ObjectRef {
    fn right(self, verb: String) -> Right {
        let resource = match self.subresource.as_str() {
            "" => self.resource,
            subresource => format!("{}/{subresource}", self.resource),
        };
        Right {
            verb,
            group: self.api_group,
            resource,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::whole_lines;

    #[test]
    fn a_line_that_is_being_written_is_left_out() {
        assert_eq!(whole_lines(b"one\ntwo\nth", 0), b"one\ntwo\n");
        assert_eq!(whole_lines(b"one\ntwo\nth", 4), b"two\n");
        assert_eq!(whole_lines(b"one\ntwo\nth", 2), b"two\n");
        assert_eq!(whole_lines(b"one\ntwo\nth", 9), b"");
        assert_eq!(whole_lines(b"", 0), b"");
    }
}
