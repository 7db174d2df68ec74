use std::collections::BTreeSet;

use crate::Snapshot;

/// The Ingress classes that this controller serves: `--ingress-class-filter`.
///
/// A comma-separated list. The empty list serves every Ingress; an empty member
/// (`skipper,`) is the class of Ingresses that name none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassFilter(BTreeSet<String>);

/// An IngressClass. Its `spec.controller` plays no part: as with
/// kube-ingress-aws-controller, `--ingress-class-filter` says which classes are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressClass {
    /// `metadata.name`.
    pub name: String,
    /// The annotation `ingressclass.kubernetes.io/is-default-class: "true"`: the
    /// class of Ingresses that name none
    /// (<https://kubernetes.io/docs/concepts/services-networking/ingress/#default-ingress-class>).
    pub default: bool,
}

impl ClassFilter {
    /// Reads the flag.
    #[must_use]
    pub fn new(flag: &str) -> Self {
        if flag.is_empty() {
            return Self::default();
        }
        Self(
            flag.split(',')
                .map(|class| class.trim().to_owned())
                .collect(),
        )
    }

    /// Whether Ingresses of this class are served; the empty class is none.
    #[must_use]
    pub fn serves(&self, class: &str) -> bool {
        self.0.is_empty() || self.0.contains(class)
    }

    /// Whether those that name no class are served: by the filter, or because
    /// the default class is. `None` while that cannot be known.
    #[must_use]
    pub fn serves_unnamed(&self, snapshot: &Snapshot) -> Option<bool> {
        if self.serves("") {
            return Some(true);
        }
        let classes = snapshot.classes.as_ref()?;
        Some(classes.iter().any(|c| c.default && self.serves(&c.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_serves_all_and_an_empty_member_those_without() {
        let all = ClassFilter::new("");
        assert!(all.serves("") && all.serves("nginx"));
        let named = ClassFilter::new("skipper, skipper-test");
        assert!(named.serves("skipper-test") && !named.serves("") && !named.serves("nginx"));
        let also_none = ClassFilter::new("skipper,");
        assert!(also_none.serves("") && also_none.serves("skipper") && !also_none.serves("nginx"));
    }

    #[test]
    fn the_default_class_is_that_of_those_without() {
        let class = |name: &str, default| IngressClass {
            name: name.to_owned(),
            default,
        };
        let with = |classes: Option<Vec<IngressClass>>| Snapshot {
            classes,
            ..Snapshot::default()
        };
        let filter = ClassFilter::new("skipper");
        let ours = with(Some(vec![class("nginx", false), class("skipper", true)]));
        assert_eq!(filter.serves_unnamed(&ours), Some(true));
        let theirs = with(Some(vec![class("nginx", true), class("skipper", false)]));
        assert_eq!(filter.serves_unnamed(&theirs), Some(false));
        assert_eq!(filter.serves_unnamed(&with(None)), None);
        let all = ClassFilter::new("skipper,");
        assert_eq!(all.serves_unnamed(&theirs), Some(true));
    }
}
