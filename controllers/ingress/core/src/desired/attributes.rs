//! The attributes that load balancers get.

use std::collections::BTreeMap;

use crate::{Config, GroupKey, LoadBalancerType};

/// The [attributes] that are managed; what is not in it stays as it is.
///
/// [attributes]: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html
pub(super) fn attributes(key: &GroupKey, config: &Config) -> BTreeMap<String, String> {
    let mut attributes = match key.kind {
        LoadBalancerType::Application => application(key, config),
        LoadBalancerType::Network => network(config),
    };
    let mut set = |key: &str, value: &str| {
        attributes.insert(key.to_owned(), value.to_owned());
    };
    match &config.access_logs {
        Some(logs) => {
            set("access_logs.s3.enabled", "true");
            set("access_logs.s3.bucket", &logs.bucket);
            set("access_logs.s3.prefix", &logs.prefix);
        }
        None => set("access_logs.s3.enabled", "false"),
    }
    if config.deletion_protection {
        set("deletion_protection.enabled", "true");
    }
    attributes
}

/// Headers that are no valid HTTP never reach the targets: proxies disagree on
/// what they mean, which is how requests are smuggled.
fn application(key: &GroupKey, config: &Config) -> BTreeMap<String, String> {
    let attributes = [
        (
            "idle_timeout.timeout_seconds",
            config.idle_timeout.to_string(),
        ),
        ("routing.http2.enabled", key.http2.to_string()),
        (
            "routing.http.drop_invalid_header_fields.enabled",
            true.to_string(),
        ),
    ];
    attributes
        .map(|(key, value)| (key.to_owned(), value))
        .into()
}

fn network(config: &Config) -> BTreeMap<String, String> {
    let nlb = &config.network_load_balancers;
    let attributes = [
        (
            "load_balancing.cross_zone.enabled",
            nlb.cross_zone.to_string(),
        ),
        (
            "dns_record.client_routing_policy",
            nlb.zone_affinity.as_str().to_owned(),
        ),
    ];
    attributes
        .map(|(key, value)| (key.to_owned(), value))
        .into()
}
