//! The controller's own metrics.

use std::collections::BTreeMap;

use ingress_core::Arn;
use isthmus_runtime::Metrics;
use jiff::Timestamp;
use prometheus::{IntGaugeVec, Opts};

/// What is measured here beside what every controller measures.
pub(crate) struct IngressMetrics {
    certificate_expiry: IntGaugeVec,
}

impl IngressMetrics {
    /// # Panics
    ///
    /// Never in practice: the names are constant and distinct.
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let options = Opts::new(
            "isthmus_certificate_expiry_timestamp_seconds",
            "When a certificate that a load balancer serves runs out, as Unix time; by the last part of its ARN.",
        );
        let certificate_expiry =
            IntGaugeVec::new(options, &["certificate"]).expect("a constant name");
        metrics.register(Box::new(certificate_expiry.clone()));
        Self { certificate_expiry }
    }

    /// The certificates that are served now; those that were are forgotten.
    pub(crate) fn served(&self, certificates: &BTreeMap<&Arn, Timestamp>) {
        self.certificate_expiry.reset();
        for (arn, end) in certificates {
            self.certificate_expiry
                .with_label_values(&[arn.id()])
                .set(end.as_second());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_these_metrics() {
        let metrics = Metrics::new();
        let _own = IngressMetrics::new(&metrics);
        let own = metrics.table_without(&Metrics::new());
        isthmus_runtime::documents::hold("metrics.md", "isthmus-ingress", &own);
    }
}
