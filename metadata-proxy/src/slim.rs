//! Kubernetes objects, as far as they are read: what is left out of these types
//! is never in memory, and neither is the code that could decode it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

/// An object of the kind `K`, of which `S` and `U` are read in `spec` and `status`.
#[derive(Clone, Debug, Deserialize)]
#[serde(bound(deserialize = "S: Deserialize<'de> + Default, U: Deserialize<'de> + Default"))]
pub(crate) struct Slim<K, S, U> {
    #[serde(deserialize_with = "metadata")]
    pub(crate) metadata: ObjectMeta,
    #[serde(default)]
    pub(crate) spec: S,
    #[serde(default)]
    pub(crate) status: U,
    #[serde(skip)]
    kind: PhantomData<K>,
}

/// A Pod.
pub(crate) type Pod = Slim<v1::Pod, PodSpec, PodStatus>;
/// A Namespace: its annotations.
pub(crate) type Namespace = Slim<v1::Namespace, IgnoredAny, IgnoredAny>;
/// A ServiceAccount: its annotations.
pub(crate) type ServiceAccount = Slim<v1::ServiceAccount, IgnoredAny, IgnoredAny>;
/// A Node: its taints.
pub(crate) type Node = Slim<v1::Node, NodeSpec, IgnoredAny>;

/// `spec` of a Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PodSpec {
    pub(crate) node_name: Option<String>,
    pub(crate) service_account_name: Option<String>,
    pub(crate) host_network: Option<bool>,
    pub(crate) volumes: Option<Vec<Volume>>,
}

/// A volume: the projected tokens in it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Volume {
    pub(crate) name: String,
    pub(crate) projected: Option<Projected>,
}

/// A projected volume.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Projected {
    pub(crate) sources: Option<Vec<Source>>,
}

/// A source of a projected volume.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Source {
    pub(crate) service_account_token: Option<Token>,
}

/// A projected token.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Token {
    pub(crate) audience: Option<String>,
    pub(crate) path: String,
}

/// `status` of a Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PodStatus {
    pub(crate) phase: Option<String>,
    #[serde(rename = "podIP")]
    pub(crate) pod_ip: Option<String>,
    #[serde(rename = "podIPs")]
    pub(crate) pod_ips: Option<Vec<Address>>,
    #[serde(rename = "hostIP")]
    pub(crate) host_ip: Option<String>,
    #[serde(rename = "hostIPs")]
    pub(crate) host_ips: Option<Vec<Address>>,
}

/// An address in a list of them.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Address {
    pub(crate) ip: String,
}

/// `spec` of a Node.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NodeSpec {
    pub(crate) taints: Option<Vec<Taint>>,
}

/// A taint of a Node.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Taint {
    pub(crate) key: String,
    pub(crate) effect: String,
}

/// `metadata` without labels, owners and managed fields.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    deletion_timestamp: Option<Time>,
    annotations: Option<BTreeMap<String, String>>,
}

fn metadata<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let read = Metadata::deserialize(deserializer)?;
    Ok(ObjectMeta {
        name: read.name,
        namespace: read.namespace,
        uid: read.uid,
        resource_version: read.resource_version,
        deletion_timestamp: read.deletion_timestamp,
        annotations: read.annotations,
        ..ObjectMeta::default()
    })
}

impl<K: Resource<DynamicType = ()>, S, U> Resource for Slim<K, S, U> {
    type DynamicType = ();
    type Scope = K::Scope;

    fn kind(at: &()) -> Cow<'_, str> {
        K::kind(at)
    }

    fn group(at: &()) -> Cow<'_, str> {
        K::group(at)
    }

    fn version(at: &()) -> Cow<'_, str> {
        K::version(at)
    }

    fn plural(at: &()) -> Cow<'_, str> {
        K::plural(at)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
