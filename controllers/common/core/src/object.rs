//! Kubernetes objects by name, and what is wrong with them.

use std::fmt;

use serde::Serialize;

/// A Kubernetes object, as plans, rejections and Events name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ObjectRef {
    /// For example `networking.k8s.io/v1`.
    pub api_version: &'static str,
    /// For example `Ingress`.
    pub kind: &'static str,
    /// Empty for an object that is not namespaced.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`, empty where it is not known. An Event without it is not shown by `kubectl describe`.
    #[serde(skip)]
    pub uid: String,
}

impl ObjectRef {
    /// An object by kind, namespace and name, with no UID yet.
    pub fn new(
        api_version: &'static str,
        kind: &'static str,
        namespace: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        Self {
            api_version,
            kind,
            namespace: namespace.into(),
            name: name.into(),
            uid: String::new(),
        }
    }

    /// The same object, with its UID.
    #[must_use]
    pub fn with_uid(mut self, uid: impl Into<String>) -> Self {
        self.uid = uid.into();
        self
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

/// What one object asks for and cannot have. It becomes an Event on that object
/// and a metric, and never stops any other object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Rejection {
    /// The object that caused it.
    pub object: ObjectRef,
    /// The Event's reason and the metric's label: `CamelCase`, one of a closed set in each component.
    pub reason: &'static str,
    /// One sentence that its author can act on: the field, the value, what is allowed.
    pub message: String,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.object, self.reason, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_kubectl() {
        let ingress = ObjectRef::new("networking.k8s.io/v1", "Ingress", "shop", "web");
        assert_eq!(ingress.to_string(), "Ingress shop/web");
        assert_eq!(ObjectRef::new("v1", "Node", "", "a").to_string(), "Node a");
        let rejection = Rejection {
            object: ingress,
            reason: "InvalidAnnotation",
            message: "bad".into(),
        };
        assert_eq!(
            rejection.to_string(),
            "Ingress shop/web: InvalidAnnotation: bad"
        );
    }
}
