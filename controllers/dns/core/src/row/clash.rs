//! Wants of different objects that Route 53 does not keep side by side.

use super::{Row, Want, exclude, place_of};
use crate::record::RecordType;
use crate::registry::Claim;
use crate::{Routing, reason};

impl Row<'_> {
    /// Drops what clashes with something that comes first: what is there
    /// already and belongs to its author, then what is no CNAME (external-dns's
    /// rule), then by the author's name. Tells the author.
    pub(super) fn drop_clashing(&mut self) {
        let mut wants: Vec<Want> = self.wants.values().cloned().collect();
        wants.sort_by_cached_key(|want| {
            let key = &want.record.key;
            let cname = key.record_type == RecordType::Cname;
            (
                !self.is_there(want),
                cname,
                want.origin.resource.clone(),
                key.clone(),
            )
        });
        let mut kept: Vec<Want> = Vec::new();
        for want in wants {
            let Some(first) = kept
                .iter()
                .find(|first| exclude(&first.record, &want.record))
            else {
                kept.push(want);
                continue;
            };
            let key = &want.record.key;
            let author = first.objects.first();
            let author = author.map_or_else(|| first.origin.resource.clone(), ToString::to_string);
            let routing = match &first.record.routing {
                Routing::Simple => String::new(),
                routing => format!(" with {routing}"),
            };
            let message = format!(
                "{key} is not published: {author} asks for {}{routing}, and Route 53 does not keep both",
                first.record.key
            );
            let objects = want.objects.clone();
            self.reject(&objects, reason::HOST_CONFLICT, &message);
            self.dropped.insert(place_of(key));
            self.wants.remove(key);
        }
    }

    /// Whether what is wanted is there already, of the same nature and for the same object.
    fn is_there(&self, want: &Want) -> bool {
        let key = &want.record.key;
        let there = self.scene.records.records.get(key);
        there.is_some_and(|there| {
            let claim = self.claim(key);
            there.routing.same_kind(&want.record.routing)
                && matches!(claim, Claim::Ours { resource: Some(resource), .. } if resource == want.origin.resource)
        })
    }
}
