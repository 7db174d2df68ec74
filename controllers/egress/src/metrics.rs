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
        let registered = metrics.registry().register(Box::new(gauge.clone()));
        registered.expect("registered once");
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
