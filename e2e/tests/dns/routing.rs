//! Routing policies, as Route 53 keeps them: written, read back, changed, deleted.

use std::collections::BTreeMap;

use anyhow::Result;
use aws_sdk_route53::Client as Route53;
use aws_sdk_route53::types::{ResourceRecordSet, RrType};
use isthmus_e2e::{Fault, eventually};

use crate::stage::{LB, Stage, annotated};

const PREFIX: &str = "external-dns.kubernetes.io/";

/// An object with a policy: host, set identifier, annotations, and what Route 53 shall say.
type Policy = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

const POLICIES: [Policy; 11] = [
    ("w", "blue", &[("aws-weight", "10")], "weight 10"),
    ("w", "green", &[("aws-weight", "0")], "weight 0"),
    (
        "l",
        "eu",
        &[("aws-region", "eu-central-1")],
        "region eu-central-1",
    ),
    (
        "l",
        "us",
        &[("aws-region", "us-east-1")],
        "region us-east-1",
    ),
    (
        "f",
        "one",
        &[("aws-failover", "PRIMARY")],
        "failover PRIMARY",
    ),
    (
        "f",
        "two",
        &[("aws-failover", "SECONDARY")],
        "failover SECONDARY",
    ),
    (
        "h",
        "one",
        &[("aws-failover", "PRIMARY"), ("aws-health-check-id", "hc-1")],
        "failover PRIMARY health check hc-1",
    ),
    (
        "g",
        "eu",
        &[("aws-geolocation-continent-code", "EU")],
        "continent EU",
    ),
    (
        "g",
        "ny",
        &[
            ("aws-geolocation-country-code", "US"),
            ("aws-geolocation-subdivision-code", "NY"),
        ],
        "country US subdivision NY",
    ),
    (
        "g",
        "rest",
        &[("aws-geolocation-country-code", "*")],
        "country *",
    ),
    (
        "m",
        "1",
        &[("aws-multi-value-answer", "true"), ("target", "192.0.2.1")],
        "multivalue",
    ),
];

fn objects() -> Vec<String> {
    let object = |(host, set, policy, _): &Policy| {
        let mut annotations = BTreeMap::from([(format!("{PREFIX}set-identifier"), *set)]);
        annotations.extend(
            policy
                .iter()
                .map(|(key, value)| (format!("{PREFIX}{key}"), *value)),
        );
        let annotations: Vec<_> = annotations.iter().map(|(k, v)| (k.as_str(), *v)).collect();
        let name = format!("{host}-{set}");
        annotated(
            &name,
            &[&format!("{host}.example.org")],
            &[LB],
            &annotations,
        )
    };
    POLICIES.iter().map(object).collect()
}

async fn sets(stage: &Stage) -> Result<Vec<ResourceRecordSet>> {
    let list = Route53::new(stage.testbed.sdk()).list_resource_record_sets();
    let listed = list.hosted_zone_id(&stage.zone).send().await?;
    let own = |set: &ResourceRecordSet| !matches!(set.r#type(), RrType::Ns | RrType::Soa);
    Ok(listed
        .resource_record_sets
        .into_iter()
        .filter(own)
        .collect())
}

/// The policy of a record set, in words.
fn policy(set: &ResourceRecordSet) -> String {
    let mut words = Vec::new();
    words.extend(set.weight().map(|weight| format!("weight {weight}")));
    words.extend(
        set.region()
            .map(|region| format!("region {}", region.as_str())),
    );
    words.extend(
        set.failover()
            .map(|side| format!("failover {}", side.as_str())),
    );
    if let Some(place) = set.geo_location() {
        let continent = place
            .continent_code()
            .map(|code| format!("continent {code}"));
        let country = place.country_code().map(|code| format!("country {code}"));
        let part = place
            .subdivision_code()
            .map(|code| format!("subdivision {code}"));
        words.extend([continent, country, part].into_iter().flatten());
    }
    words.extend(
        set.multi_value_answer()
            .filter(|on| *on)
            .map(|_| "multivalue".to_owned()),
    );
    words.extend(set.health_check_id().map(|id| format!("health check {id}")));
    words.join(" ")
}

#[tokio::test]
async fn every_policy_is_written_read_back_changed_and_deleted() -> Result<()> {
    let stage = Stage::new().await?;
    stage.apply(&objects()).await?;
    stage.well(&["--policy=sync"]).await?;
    let found = sets(&stage).await?;
    for (host, set, _, wanted) in POLICIES {
        let name = format!("{host}.example.org.");
        let at = |name: &str, kind: RrType| {
            let here = found.iter().find(|record| {
                record.name() == name
                    && *record.r#type() == kind
                    && record.set_identifier() == Some(set)
            });
            here.map(policy)
        };
        assert_eq!(
            at(&name, RrType::A).as_deref(),
            Some(wanted),
            "{name} {set}"
        );
        // The ownership record has the policy of its record, but for a primary without
        // a health check: Route 53 takes that of an alias only.
        let (mark, policy) = match wanted {
            "failover PRIMARY" => (format!("_isthmus-a.{name}"), "weight 0"),
            _ => (format!("a-{name}"), wanted),
        };
        assert_eq!(
            at(&mark, RrType::Txt).as_deref(),
            Some(policy),
            "{mark} {set}"
        );
    }

    stage.testbed.gate.clear();
    stage.well(&["--policy=sync"]).await?;
    assert_eq!(
        stage.testbed.gate.writes().len(),
        0,
        "a second sync writes nothing"
    );

    // A weight is changed in place, and a policy into another one by way of deletion.
    let weighted = |set: &str, value: &str| {
        let (id, weight) = (
            format!("{PREFIX}set-identifier"),
            format!("{PREFIX}aws-weight"),
        );
        let annotations = [(id.as_str(), set), (weight.as_str(), value)];
        annotated(&format!("w-{set}"), &["w.example.org"], &[LB], &annotations)
    };
    stage.apply(&[weighted("blue", "90")]).await?;
    stage.well(&["--policy=sync"]).await?;
    let found = sets(&stage).await?;
    let blue: Vec<_> = found
        .iter()
        .filter(|set| set.set_identifier() == Some("blue"))
        .collect();
    assert_eq!(blue.len(), 4);
    assert!(blue.iter().all(|set| set.weight() == Some(90)), "{blue:?}");

    for (host, set, _, _) in POLICIES {
        stage.delete(&format!("{host}-{set}")).await?;
    }
    stage.well(&["--policy=sync"]).await?;
    assert_eq!(stage.records().await?, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn names_that_the_role_may_not_change_hold_up_nobody() -> Result<()> {
    let stage = Stage::new().await?;
    let denied = Fault::denied("ChangeResourceRecordSets").mentioning("b-1.example.org");
    stage.testbed.gate.fault(denied.always());
    let names = ["a-1", "b-1", "c-1", "d-1"];
    let objects = names.map(|name| annotated(name, &[&format!("{name}.example.org")], &[LB], &[]));
    stage.apply(&objects).await?;
    let finished = stage.once(&["--aws-api-rate=16"]).await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    let found = stage.records().await?;
    assert_eq!(found.len(), 3 * 4, "{found:?}");
    assert!(!found.iter().any(|line| line.contains("b-1")), "{found:?}");
    let event = eventually("an Event", async || Ok(stage.events("b-1").await?.pop())).await?;
    assert_eq!(event.0, "RecordRefused");
    assert!(event.1.contains("AccessDenied"), "{event:?}");
    assert_eq!(stage.events("a-1").await?, []);
    Ok(())
}
