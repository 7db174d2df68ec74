//! The instances that `CUSTOM_FILTERS` selects, read as seldom as will do.

use std::collections::BTreeSet;

use ingress_core::{Ec2Filter, Node};

use crate::aws::Ec2;
use crate::error::AwsError;

/// What was read last.
pub(crate) struct Selected {
    ids: BTreeSet<String>,
    /// The instances of the Nodes at that time.
    nodes: BTreeSet<String>,
}

impl Selected {
    pub(crate) fn ids(&self) -> BTreeSet<String> {
        self.ids.clone()
    }

    /// Reads anew at a full run, and when a Node has come or gone: with it, most
    /// likely, an instance. What cannot be read stays as it was.
    pub(crate) async fn refresh(
        selected: &mut Option<Self>,
        (ec2, filters): (&Ec2, &[Ec2Filter]),
        (vpc, nodes): (&str, &[Node]),
        full: bool,
    ) -> Option<AwsError> {
        let nodes: BTreeSet<_> = nodes
            .iter()
            .filter_map(|node| node.provider_id.clone())
            .collect();
        if !full && selected.as_ref().is_some_and(|s| s.nodes == nodes) {
            return None;
        }
        match ec2.instances(vpc, filters).await {
            Ok(ids) => {
                *selected = Some(Self { ids, nodes });
                None
            }
            Err(error) => Some(error),
        }
    }
}
