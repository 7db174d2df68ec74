//! Which AWS resources are this cluster's.

use std::collections::BTreeMap;

/// The tag that says which controller of the cluster a resource belongs to.
pub const CONTROLLER_TAG: &str = "kubernetes:application";

/// This cluster's and controller's mark on AWS resources, the one that
/// kube-ingress-aws-controller and kube-static-egress-controller use:
/// `<prefix><cluster-id>=owned` and `kubernetes:application=<controller-id>`.
///
/// Nothing that does not carry both is ever changed or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ownership {
    cluster_tag: String,
    controller_id: String,
}

/// What a resource's tags say about its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Both marks are there.
    Ours,
    /// This cluster's, made by another controller.
    OtherController,
    /// Without this cluster's mark.
    Foreign,
}

impl Ownership {
    /// The prefix of the cluster tag that Kubernetes itself uses.
    pub const DEFAULT_TAG_PREFIX: &str = "kubernetes.io/cluster/";

    /// The mark of `controller_id` in `cluster_id`.
    #[must_use]
    pub fn new(tag_prefix: &str, cluster_id: &str, controller_id: &str) -> Self {
        Self {
            cluster_tag: format!("{tag_prefix}{cluster_id}"),
            controller_id: controller_id.to_owned(),
        }
    }

    /// The key of the cluster tag.
    #[must_use]
    pub fn cluster_tag(&self) -> &str {
        &self.cluster_tag
    }

    /// The value of [`CONTROLLER_TAG`].
    #[must_use]
    pub fn controller_id(&self) -> &str {
        &self.controller_id
    }

    /// The two tags that every resource is created with.
    #[must_use]
    pub fn tags(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            (self.cluster_tag.clone(), "owned".to_owned()),
            (CONTROLLER_TAG.to_owned(), self.controller_id.clone()),
        ])
    }

    /// Who owns a resource with these tags.
    #[must_use]
    pub fn claim(&self, tags: &BTreeMap<String, String>) -> Claim {
        if tags.get(&self.cluster_tag).map(String::as_str) != Some("owned") {
            return Claim::Foreign;
        }
        if tags.get(CONTROLLER_TAG) == Some(&self.controller_id) {
            Claim::Ours
        } else {
            Claim::OtherController
        }
    }

    /// Whether a resource with these tags may be changed or deleted.
    #[must_use]
    pub fn owns(&self, tags: &BTreeMap<String, String>) -> bool {
        self.claim(tags) == Claim::Ours
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_marks_are_needed() {
        let ours = Ownership::new(Ownership::DEFAULT_TAG_PREFIX, "aws:1:eu:kube-1", "isthmus");
        assert!(ours.owns(&ours.tags()));
        let mut tags = ours.tags();
        tags.insert(CONTROLLER_TAG.into(), "another".into());
        assert_eq!(ours.claim(&tags), Claim::OtherController);
        tags.remove("kubernetes.io/cluster/aws:1:eu:kube-1");
        assert_eq!(ours.claim(&tags), Claim::Foreign);
        tags.insert(
            "kubernetes.io/cluster/aws:1:eu:kube-1".into(),
            "shared".into(),
        );
        assert_eq!(ours.claim(&tags), Claim::Foreign);
        assert!(!ours.owns(&BTreeMap::new()));
    }
}
