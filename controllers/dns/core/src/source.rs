//! Where names come from.

use isthmus_core::ObjectRef;
use serde::Serialize;

use crate::SourceOptions;

/// A kind of objects that names come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Ingresses.
    Ingress,
    /// Services.
    Service,
    /// RouteGroups of Skipper.
    SkipperRoutegroup,
    /// DNSEndpoints, or another kind of the same shape.
    Crd,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Ingress,
        Self::Service,
        Self::SkipperRoutegroup,
        Self::Crd,
    ];

    /// The value of `--source`.
    #[must_use]
    pub fn flag(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Service => "service",
            Self::SkipperRoutegroup => "skipper-routegroup",
            Self::Crd => "crd",
        }
    }

    /// The word for it in the registry: a mark says `<word>/<namespace>/<name>`.
    fn word(self) -> &'static str {
        match self {
            Self::SkipperRoutegroup => "routegroup",
            other => other.flag(),
        }
    }

    /// An object in the words of the registry.
    #[must_use]
    pub fn resource(self, object: &ObjectRef) -> String {
        format!("{}/{}/{}", self.word(), object.namespace, object.name)
    }

    /// The source that an object in the words of the registry is of.
    #[must_use]
    pub fn of(resource: &str) -> Option<Self> {
        let (word, _) = resource.split_once('/')?;
        Self::ALL.into_iter().find(|source| source.word() == word)
    }
}

/// The object that a record was made for, from the words of the registry.
pub(crate) fn object(resource: &str, options: &SourceOptions) -> Option<ObjectRef> {
    let mut parts = resource.splitn(3, '/').skip(1);
    let (namespace, name) = (parts.next()?, parts.next()?);
    let (api_version, kind) = match Source::of(resource)? {
        Source::Ingress => ("networking.k8s.io/v1", "Ingress"),
        Source::Service => ("v1", "Service"),
        Source::SkipperRoutegroup => ("zalando.org/v1", "RouteGroup"),
        Source::Crd => options.crd,
    };
    Some(ObjectRef::new(api_version, kind, namespace, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_their_words() {
        let options = SourceOptions::default();
        for source in Source::ALL {
            let there = ObjectRef::new("v1", "Any", "shop", "web");
            let resource = source.resource(&there);
            assert_eq!(Source::of(&resource), Some(source));
            let back = object(&resource, &options).unwrap();
            assert_eq!(
                (back.namespace.as_str(), back.name.as_str()),
                ("shop", "web")
            );
        }
        assert_eq!(object("node/a/b", &options), None);
        assert_eq!(object("crd/a", &options), None);
    }
}
