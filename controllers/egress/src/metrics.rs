//! The metrics that only this controller has.

use egress_core::{Inventory, NatState, Planned};
use isthmus_runtime::Metrics;
use prometheus::{IntGauge, IntGaugeVec, Opts};

/// `isthmus_egress_public_ip_info{az,ip}`, `isthmus_egress_nat_gateways{state}`
/// and `isthmus_egress_zone_problems`.
#[derive(Clone, Debug)]
pub(crate) struct EgressMetrics {
    ips: IntGaugeVec,
    nat_gateways: IntGaugeVec,
    problems: IntGauge,
}

const STATES: [NatState; 5] = [
    NatState::Pending,
    NatState::Available,
    NatState::Failed,
    NatState::Deleting,
    NatState::Deleted,
];

impl EgressMetrics {
    /// Registers them.
    ///
    /// # Panics
    ///
    /// If they are registered twice.
    pub(crate) fn register(metrics: &Metrics) -> Self {
        let ips = Opts::new(
            "isthmus_egress_public_ip_info",
            "1 for each public address that egress traffic of a zone comes from.",
        );
        let nat_gateways = Opts::new(
            "isthmus_egress_nat_gateways",
            "NAT gateways of this cluster by the state that EC2 tells.",
        );
        let problems = IntGauge::new(
            "isthmus_egress_zone_problems",
            "Zones that cannot be built or repaired as they are.",
        );
        let all = Self {
            ips: IntGaugeVec::new(ips, &["az", "ip"]).expect("a constant name"),
            nat_gateways: IntGaugeVec::new(nat_gateways, &["state"]).expect("a constant name"),
            problems: problems.expect("a constant name"),
        };
        metrics.register(Box::new(all.ips.clone()));
        metrics.register(Box::new(all.nat_gateways.clone()));
        metrics.register(Box::new(all.problems.clone()));
        all
    }

    /// Says which the public addresses are now.
    pub(crate) fn public_ips<'a>(&self, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
        self.ips.reset();
        for (zone, ip) in pairs {
            self.ips.with_label_values(&[zone, ip]).set(1);
        }
    }

    /// Says how the zones are.
    pub(crate) fn zones(&self, inventory: &Inventory<'_>, planned: &Planned) {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.problems.set(count(planned.problems.len()));
        for state in STATES {
            let zones = inventory.zones.values();
            let gateways = zones.flat_map(|zone| zone.nat_gateways.values());
            let found = gateways.filter(|nat| nat.state == state).count();
            self.nat_gateways
                .with_label_values(&[state.as_str()])
                .set(count(found));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_these_metrics() {
        let metrics = Metrics::new();
        let _own = EgressMetrics::register(&metrics);
        let own = metrics.table_without(&Metrics::new());
        isthmus_runtime::documents::hold("metrics.md", "isthmus-egress", &own);
    }
}
