//! What the golden and the property tests share.
#![allow(dead_code, clippy::unwrap_used)] // each test binary uses its part, and all of it is tests

pub(crate) mod clusters;
pub(crate) mod fake;
mod objects;
pub(crate) mod worlds;
pub(crate) mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dns_core::{
    Affix, AliasIpv6, AliasOptions, Config, Decision, DomainFilter, Grace, Observed, Policy,
    RecordType, Registry, ServiceOptions, Snapshot, SourceOptions, Targets, TxtRegistry,
    ZoneFilter, ZoneType,
};
use isthmus_core::{Rejection, RemovalLimit};

/// The flags of a case, by their names, with external-dns's defaults where they are not given.
pub(crate) type Flags = BTreeMap<String, String>;

pub(crate) fn config(flags: &Flags) -> Config {
    let get = |flag: &str| flags.get(flag).map_or("", String::as_str);
    let list = |flag: &str| -> Vec<String> {
        get(flag)
            .split(',')
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let on = |flag: &str| get(flag) == "true";
    let excluded: Vec<RecordType> = list("exclude-record-types")
        .iter()
        .map(|t| t.parse().unwrap())
        .collect();
    let managed: Vec<RecordType> = match flags.get("managed-record-types") {
        Some(_) => list("managed-record-types")
            .iter()
            .map(|t| t.parse().unwrap())
            .collect(),
        None => vec![RecordType::A, RecordType::Aaaa, RecordType::Cname],
    };
    Config {
        policy: match get("policy") {
            "create-only" => Policy::CreateOnly,
            "upsert-only" => Policy::UpsertOnly,
            _ => Policy::Sync,
        },
        registry: match get("registry") {
            "noop" => Registry::Noop,
            _ => {
                let owner = flags.get("txt-owner-id").map_or("default", String::as_str);
                let affix = Affix::new(
                    get("txt-prefix"),
                    get("txt-suffix"),
                    get("txt-wildcard-replacement"),
                );
                let key = get("txt-encrypt-aes-key");
                Registry::Txt(TxtRegistry {
                    encryption: dns_core::Encryption::new(key, on("txt-encrypt-enabled")),
                    adopt_from: list("adopt-from-owner").into_iter().collect(),
                    ..TxtRegistry::new(owner, affix)
                })
            }
        },
        types: managed
            .into_iter()
            .filter(|t| !excluded.contains(t))
            .collect::<BTreeSet<_>>(),
        domains: DomainFilter::new(&list("domain-filter"), &list("exclude-domains")),
        zones: ZoneFilter {
            ids: list("zone-id-filter"),
            zone_type: match get("aws-zone-type") {
                "public" => Some(ZoneType::Public),
                "private" => Some(ZoneType::Private),
                _ => None,
            },
            match_parent: on("aws-zone-match-parent"),
            tags: Vec::new(),
        },
        source: SourceOptions {
            ingress_classes: list("ingress-class"),
            annotations: get("annotation-filter").parse().unwrap(),
            labels: get("label-filter").parse().unwrap(),
            ignore_hostname_annotation: on("ignore-hostname-annotation"),
            ignore_tls: on("ignore-ingress-tls-spec"),
            ignore_rules: on("ignore-ingress-rules-spec"),
            service: ServiceOptions {
                types: list("service-type-filter"),
                publish_internal: on("publish-internal-services"),
                publish_host_ip: on("publish-host-ip"),
                publish_not_ready: on("always-publish-not-ready-addresses"),
                expose_internal_ipv6: on("expose-internal-ipv6"),
            },
            default_targets: Targets::parse(&list("default-targets")).unwrap(),
            ..SourceOptions::default()
        },
        alias: AliasOptions {
            prefer_cname: on("aws-prefer-cname"),
            evaluate_target_health: get("aws-evaluate-target-health") != "false",
            ipv6: if get("alias-ipv6") == "dualstack" {
                AliasIpv6::Dualstack
            } else {
                AliasIpv6::Always
            },
        },
        min_ttl: flags.get("min-ttl").map(|ttl| ttl.parse().unwrap()),
    }
}

/// The whole way from a snapshot to a guarded plan. `waited` is how long objects
/// without a target have been without one.
pub(crate) fn decide(
    snapshot: &Snapshot,
    observed: &Observed,
    config: &Config,
    waited: Duration,
) -> (Decision, Vec<Rejection>) {
    let (mut desired, mut rejections) = dns_core::desired(snapshot, config);
    let mut grace = Grace::new(Duration::from_secs(120));
    grace.apply(&mut desired.clone(), Duration::ZERO);
    grace.apply(&mut desired, waited);
    let mut admitted = observed.clone();
    admitted
        .zones
        .retain(|_, zone| config.zones.admits(zone, &config.domains));
    let zones = admitted.zones.clone();
    admitted.records.retain(|id, _| zones.contains_key(id));
    admitted.unreadable.retain(|id, _| zones.contains_key(id));
    let mut decision = dns_core::plan(&desired, &admitted, config);
    let managed = decision.managed;
    decision
        .plan
        .guard_removals(&RemovalLimit::default(), managed);
    rejections.extend(decision.rejections.iter().cloned());
    rejections.sort();
    (decision, rejections)
}
