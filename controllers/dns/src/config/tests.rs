use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use dns_core::{Affix, RecordType, Registry, TxtRegistry, ZoneId};

use super::*;

fn settings(flags: &[&str]) -> Result<Settings, Vec<String>> {
    let argv = ["isthmus-dns"]
        .into_iter()
        .chain(flags.iter().copied())
        .map(OsString::from);
    let args = isthmus_runtime::parse_args::<Args>("isthmus-dns", "", argv, &BTreeMap::new());
    let args = args.map_err(|exit| exit.text.lines().map(str::to_owned).collect::<Vec<_>>())?;
    let mut problems = Problems::default();
    Settings::new(args, &mut problems).ok_or_else(|| problems.lines().to_vec())
}

#[test]
fn the_defaults_are_those_of_external_dns() {
    let settings = settings(&["--source=ingress", "--provider=aws"]).unwrap();
    let config = &settings.decisions;
    assert_eq!(config.policy, Policy::UpsertOnly);
    assert_eq!(
        config.registry,
        Registry::Txt(TxtRegistry::new("default", Affix::default()))
    );
    assert_eq!(
        config.types,
        BTreeSet::from([RecordType::A, RecordType::Aaaa, RecordType::Cname])
    );
    assert!(config.alias.evaluate_target_health && !config.alias.prefer_cname);
    assert_eq!(config.alias.ipv6, AliasIpv6::Always);
    assert_eq!((config.min_ttl, settings.rate.0.get()), (None, 4000));
    assert_eq!(settings.limits, Limits::default());
    assert_eq!(settings.resync, Duration::from_secs(1800));
    assert_eq!(settings.empty_target_grace, Duration::from_secs(120));
}

#[test]
fn every_problem_is_said() {
    let problems = settings(&[
        "--source=node",
        "--source=pod",
        "--provider=google",
        "--policy=never",
        "--registry=dynamodb",
        "--txt-owner-id=a,b",
        "--txt-prefix=a",
        "--txt-suffix=b",
        "--aws-zone-type=secret",
        "--regex-domain-filter=(",
        "--managed-record-types=B",
        "--label-filter=a in",
        "--alias-ipv6=never",
        "--aws-api-rate=0",
        "--aws-batch-change-size=1001",
        "--aws-assume-role=me",
        "--fqdn-template=x",
        "--txt-encrypt-enabled",
        "--annotation-prefix=example.com/",
    ])
    .unwrap_err();
    let flags: BTreeSet<_> = problems
        .iter()
        .filter_map(|line| line.split(':').next())
        .collect();
    assert_eq!((problems.len(), flags.len()), (18, 17), "{problems:#?}");
    assert!(problems.contains(
        &r#"--policy: "never" is not allowed; allowed: sync, upsert-only, create-only"#.to_owned()
    ));
    assert!(
        problems
            .contains(&r#"--source: "pod" is not supported; allowed: ingress, service, skipper-routegroup, crd"#.to_owned())
    );
    assert!(problems.contains(&"--fqdn-template: is not supported".to_owned()));
}

#[test]
fn a_source_is_required() {
    assert_eq!(
        settings(&[]).unwrap_err(),
        ["--source: is required: ingress, service, skipper-routegroup, crd"]
    );
}

#[test]
fn flags_without_effect_are_noted() {
    let settings = settings(&[
        "--source=ingress",
        "--events",
        "--provider-cache-time=5m",
        "--no-aws-evaluate-target-health",
    ])
    .unwrap();
    assert_eq!(settings.notes.len(), 2, "{:?}", settings.notes);
    assert!(!settings.decisions.alias.evaluate_target_health);
}

#[test]
fn an_encryption_key_is_never_shown() {
    let problems = settings(&["--source=ingress", "--txt-encrypt-aes-key=s3cr3t"]).unwrap_err();
    assert!(!problems.concat().contains("s3cr3t"), "{problems:?}");
}

#[test]
fn the_flags_of_single_sources() {
    let flags = [
        "--source=service",
        "--source=crd",
        "--service-type-filter=LoadBalancer",
        "--publish-internal-services",
        "--crd-source-apiversion=example.org/v1",
        "--crd-source-kind=Name",
        "--default-targets=192.0.2.1",
    ];
    let found = settings(&flags).unwrap();
    assert_eq!(
        found.sources,
        BTreeSet::from([Source::Service, Source::Crd])
    );
    let source = &found.decisions.source;
    assert_eq!(source.service.types, ["LoadBalancer"]);
    assert!(source.service.publish_internal && !source.service.publish_host_ip);
    assert_eq!(source.crd, ("example.org/v1", "Name"));
    assert_eq!(source.default_targets.v4.len(), 1);

    let wrong = [
        "--source=crd",
        "--service-type-filter=Headless",
        "--crd-source-apiversion=v1",
        "--crd-source-kind=",
        "--default-targets=a b",
    ];
    let problems = settings(&wrong).unwrap_err();
    assert_eq!(problems.len(), 4, "{problems:#?}");
}

#[test]
fn roles_of_zones() {
    let given = settings(&[
        "--source=ingress",
        "--zone-role=Z1=arn:aws:iam::1:role/a",
        "--zone-role=/hostedzone/Z2=arn:aws:iam::2:role/b",
        "--aws-assume-role-external-id=x",
        "--zone-id-filter=Z1",
        "--adopt-from-owner=old",
        "--migrate-from-txt-owner=older",
    ])
    .unwrap();
    assert_eq!(
        given.roles.zones[&ZoneId::new("Z2")].arn,
        "arn:aws:iam::2:role/b"
    );
    assert_eq!(
        given.roles.zones[&ZoneId::new("Z1")].external_id.as_deref(),
        Some("x")
    );
    assert!(
        !given.lists_account(),
        "the filter names a zone with a role only"
    );
    let Registry::Txt(registry) = &given.decisions.registry else {
        panic!("a registry of TXT records");
    };
    assert_eq!(registry.adopt_from.len(), 2);
    let wrong = [
        "--source=ingress",
        "--zone-role=Z1",
        "--zone-role=Z1=me",
        "--zone-role=Z2=arn:aws:iam::1:role/a",
        "--zone-role=Z2=arn:aws:iam::1:role/b",
        "--adopt-from-owner=default",
    ];
    assert_eq!(settings(&wrong).unwrap_err().len(), 4);
}
