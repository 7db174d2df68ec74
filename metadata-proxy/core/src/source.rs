//! Whose word STS is given for a pod: the node's, or the pod's own.

/// How credentials are asked for: `--credential-source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SourceMode {
    /// [`AssumeRole`](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html)
    /// with the credentials of the proxy, which are the node's.
    #[default]
    AssumeRole,
    /// [`AssumeRoleWithWebIdentity`](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html)
    /// with the token of the pod. The proxy needs no credentials of its own.
    WebIdentity,
}

impl SourceMode {
    /// The value of the flag and of the metric label `source`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AssumeRole => "assume-role",
            Self::WebIdentity => "web-identity",
        }
    }
}

/// Whose word STS is given for one session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identity {
    /// The node's.
    Node,
    /// The pod's, as its service account.
    Pod {
        /// The service account's name, which is the token's subject together with the namespace.
        service_account: String,
        /// Where the kubelet keeps a token of the right audience for it, if the pod's
        /// spec asks for one. Otherwise the pod has to present one.
        token: Option<TokenVolume>,
    },
}

impl Identity {
    /// Which flag value leads to it.
    #[must_use]
    pub fn source(&self) -> SourceMode {
        match self {
            Self::Node => SourceMode::AssumeRole,
            Self::Pod { .. } => SourceMode::WebIdentity,
        }
    }
}

/// A [projected service account token](https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#launch-a-pod-using-service-account-token-projection)
/// in a pod's spec: the volume and the path in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenVolume {
    volume: String,
    path: String,
}

/// The folder of the kubelet's plugin for projected volumes.
const PLUGIN: &str = "kubernetes.io~projected";

impl TokenVolume {
    /// A volume's name and a path as the API server takes them: a DNS label, and
    /// a relative path without `..`. `None` for anything else: it would lead elsewhere.
    #[must_use]
    pub fn new(volume: &str, path: &str) -> Option<Self> {
        let legal = is_label(volume) && path.len() <= 512 && path.split('/').all(is_plain_segment);
        legal.then(|| Self {
            volume: volume.to_owned(),
            path: path.to_owned(),
        })
    }

    /// The folders from the kubelet's root (`/var/lib/kubelet`) down to the
    /// volume of the pod of this UID. `None` if the UID is none.
    #[must_use]
    pub fn folders(&self, pod_uid: &str) -> Option<[String; 5]> {
        is_label(pod_uid)
            .then(|| ["pods", pod_uid, "volumes", PLUGIN, &self.volume].map(str::to_owned))
    }

    /// The path in the volume.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The whole way from the kubelet's root, for people.
    #[must_use]
    pub fn shown(&self, pod_uid: &str) -> String {
        format!(
            "pods/{pod_uid}/volumes/{PLUGIN}/{}/{}",
            self.volume, self.path
        )
    }
}

/// Letters, digits and hyphens: a volume's name, a UID.
fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// A name that leads nowhere but down. Names that begin with two dots are the
/// kubelet's own; the API server refuses them too.
fn is_plain_segment(segment: &str) -> bool {
    !segment.is_empty()
        && segment != "."
        && !segment.starts_with("..")
        && !segment.contains(['\0', '\\'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kubelets_folders() {
        let volume = TokenVolume::new("aws-token", "sub/token").unwrap();
        assert_eq!(
            volume.folders("u-1").unwrap().join("/"),
            "pods/u-1/volumes/kubernetes.io~projected/aws-token"
        );
        assert_eq!(
            volume.shown("u-1"),
            "pods/u-1/volumes/kubernetes.io~projected/aws-token/sub/token"
        );
        for uid in ["", "..", "a/b", "a b"] {
            assert_eq!(volume.folders(uid), None, "{uid:?}");
        }
    }

    #[test]
    fn nothing_leads_elsewhere() {
        for (volume, path) in [
            ("", "token"),
            ("..", "token"),
            ("a/b", "token"),
            ("a.b", "token"),
            ("v", ""),
            ("v", "/etc/shadow"),
            ("v", "../token"),
            ("v", "a/../../token"),
            ("v", "a//b"),
            ("v", "./token"),
            ("v", "..data/token"),
            ("v", "a/"),
            ("v", "a\0b"),
        ] {
            assert_eq!(TokenVolume::new(volume, path), None, "{volume:?} {path:?}");
        }
    }
}
