//! The metric that only this controller has.

use prometheus::{IntGaugeVec, Opts};

use isthmus_runtime::Metrics;

/// `isthmus_egress_public_ip_info{az,ip}`.
#[derive(Clone, Debug)]
pub(crate) struct PublicIps {
    gauge: IntGaugeVec,
}

impl PublicIps {
    /// Registers it.
    ///
    /// # Panics
    ///
    /// If it is registered twice.
    pub(crate) fn register(metrics: &Metrics) -> Self {
        let options = Opts::new(
            "isthmus_egress_public_ip_info",
            "1 for each public address that egress traffic of a zone comes from.",
        );
        let gauge = IntGaugeVec::new(options, &["az", "ip"]).expect("a constant name");
        metrics.register(Box::new(gauge.clone()));
        Self { gauge }
    }

    /// Says which they are now.
    pub(crate) fn set<'a>(&self, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
        self.gauge.reset();
        for (zone, ip) in pairs {
            self.gauge.with_label_values(&[zone, ip]).set(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_these_metrics() {
        let metrics = Metrics::new();
        let _own = PublicIps::register(&metrics);
        let own = metrics.table_without(&Metrics::new());
        isthmus_runtime::documents::hold("metrics.md", "isthmus-egress", &own);
    }
}
