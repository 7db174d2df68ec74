//! A pod, as far as the proxy has to know it.

use std::net::IpAddr;

use isthmus_core::ObjectRef;
use jiff::Timestamp;

use crate::source::TokenVolume;

/// The few fields of a Pod that decide what it may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// `metadata.uid`. It alone says that two reports are about one pod.
    pub uid: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `spec.serviceAccountName`.
    pub service_account: String,
    /// `status.podIPs` and `status.podIP`, both families.
    pub addresses: Vec<IpAddr>,
    /// `status.hostIPs` and `status.hostIP`.
    pub host_addresses: Vec<IpAddr>,
    /// `spec.hostNetwork`: its addresses are the node's.
    pub host_network: bool,
    /// `status.phase` is `Succeeded` or `Failed`: its containers are gone for good.
    pub finished: bool,
    /// `metadata.deletionTimestamp`: the moment at which a pod that is being
    /// deleted [has to be gone](https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/).
    pub gone_by: Option<Timestamp>,
    /// The role annotation as written; empty is not the same as absent.
    pub role: Option<String>,
    /// The external id annotation as written.
    pub external_id: Option<String>,
    /// The session policy annotation as written.
    pub session_policies: Option<String>,
    /// The first projected service account token in `spec.volumes` that is for AWS.
    pub token: Option<TokenVolume>,
}

impl Pod {
    /// Whether the pod's containers can be running at `now`. A pod that is being
    /// deleted still needs its credentials to shut down, until its grace period is over.
    #[must_use]
    pub fn lives(&self, now: Timestamp) -> bool {
        !self.finished && self.gone_by.is_none_or(|gone_by| now < gone_by)
    }

    /// The name of its service account. Without one it is `default`, as the API
    /// server fills in.
    #[must_use]
    pub fn account(&self) -> &str {
        match self.service_account.as_str() {
            "" => "default",
            name => name,
        }
    }

    /// The pod as Events and the admin page name it.
    #[must_use]
    pub fn object(&self) -> ObjectRef {
        ObjectRef::new("v1", "Pod", &self.namespace, &self.name).with_uid(&self.uid)
    }
}
