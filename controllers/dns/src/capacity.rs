//! How full the hosted zones are.

use std::collections::BTreeMap;

use dns_core::{Observed, ZoneId};

use crate::aws::Route53;

/// How many record sets a hosted zone may have unless AWS has raised it
/// ([quotas](https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html)).
const USUAL: usize = 10_000;

/// Whether nine tenths are reached.
fn is_nearly_full(count: usize, most: usize) -> bool {
    count * 10 >= most * 9
}

/// How many record sets the zones may have, of those that are near the usual
/// limit: it can be raised, and is asked for once between two full reads.
#[derive(Debug, Default)]
pub(crate) struct Capacity {
    most: BTreeMap<ZoneId, usize>,
}

impl Capacity {
    /// Everything was read: the limits are asked for anew.
    pub(crate) fn forget(&mut self) {
        self.most.clear();
    }

    /// Warns of zones that are nearly full, and gives the share that the fullest
    /// one has of what it may have.
    pub(crate) async fn check<R: Route53>(&mut self, route53: &R, observed: &Observed) -> f64 {
        let mut fullest = 0.0_f64;
        for (id, records) in &observed.records {
            let count = records.listed();
            let mut most = self.most.get(id).copied().unwrap_or(USUAL);
            if is_nearly_full(count, USUAL) && !self.most.contains_key(id) {
                most = route53.capacity(id).await.unwrap_or(USUAL).max(1);
                self.most.insert(id.clone(), most);
                if is_nearly_full(count, most) {
                    let zone = &records.zone;
                    tracing::warn!(
                        "{zone} has {count} of {most} record sets; ask AWS to raise the quota \"Records per hosted zone\""
                    );
                }
            }
            fullest = fullest.max(count as f64 / most as f64);
        }
        fullest
    }
}
