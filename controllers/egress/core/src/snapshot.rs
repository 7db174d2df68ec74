//! The cluster, as far as egress is concerned.

use std::collections::BTreeMap;

use isthmus_core::ObjectRef;

use crate::UnixTime;

/// Every ConfigMap labelled `egress=static`, by namespace and name.
///
/// It is always the whole list: the store behind it replaces its contents at
/// each full list, so a deletion whose watch event was lost is seen then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// By namespace, then name.
    pub lists: BTreeMap<(String, String), CidrList>,
}

/// One ConfigMap that asks for networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CidrList {
    /// The ConfigMap.
    pub object: ObjectRef,
    /// `metadata.creationTimestamp`: older ones keep their place under a limit.
    pub created: UnixTime,
    /// `data`: every value is a network, or several.
    pub data: BTreeMap<String, String>,
}

impl Snapshot {
    /// A snapshot of these lists, in whatever order they come.
    pub fn new(lists: impl IntoIterator<Item = CidrList>) -> Self {
        let lists = lists.into_iter().map(|list| {
            let object = &list.object;
            ((object.namespace.clone(), object.name.clone()), list)
        });
        Self {
            lists: lists.collect(),
        }
    }

    /// Whether no ConfigMap is there at all: believed only after a second look.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }
}
