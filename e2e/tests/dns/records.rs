//! Records come, change and go with their Ingress, and a zone is taken over as it is.

use anyhow::Result;
use aws_sdk_route53::types::{RrType, Tag, TagResourceType};
use isthmus_e2e::World;

use crate::stage::{
    BINARY, LB, OTHER_LB, SOURCE, Stage, alias, annotated, ingress, mark, metric, published,
    published_by, put_all, records, sorted, values,
};

#[tokio::test]
async fn an_ingress_gets_its_records_and_a_second_run_writes_nothing() -> Result<()> {
    let stage = Stage::new().await?;
    let hosts = ["shop.example.org", "*.shop.example.org", "example.org"];
    stage
        .apply(&[
            ingress("web", &hosts, &[LB]),
            ingress("cdn", &["cdn.example.org"], &["cdn.example.com"]),
        ])
        .await?;
    stage.well(&[]).await?;

    let cname = "cdn.example.org CNAME 300 cdn.example.com".to_owned();
    let cname_mark = "cname-cdn.example.org TXT 300 \"heritage=external-dns,external-dns/owner=default,external-dns/resource=ingress/shop/cdn\"";
    // At the apex external-dns's form would lie outside the zone.
    let apex = published("example.org", LB, "web").into_iter();
    let apex = apex.map(|line| line.replace("a-example.org TXT", "a.example.org TXT"));
    let apex = apex.map(|line| {
        if line.contains(" TXT ") {
            format!("_isthmus-{line}")
        } else {
            line
        }
    });
    let wanted = sorted(&[
        apex.collect(),
        published("shop.example.org", LB, "web"),
        published("*.shop.example.org", LB, "web"),
        vec![cname, cname_mark.to_owned()],
    ]);
    assert_eq!(stage.records().await?, wanted);

    stage.testbed.gate.clear();
    stage.well(&[]).await?;
    assert_eq!(
        stage.testbed.gate.writes().len(),
        0,
        "{:?}",
        stage.testbed.gate.writes()
    );
    assert_eq!(stage.testbed.gate.throttled(), 0);
    Ok(())
}

#[tokio::test]
async fn records_go_to_the_zone_with_the_longest_suffix() -> Result<()> {
    let stage = Stage::new().await?;
    let below = World::zone(&stage.testbed, "a.example.org").await?;
    stage
        .apply(&[ingress(
            "web",
            &["shop.a.example.org", "xa.example.org"],
            &[LB],
        )])
        .await?;
    stage.well(&["--alias-ipv6=dualstack"]).await?;
    let only_v4 = |host| -> Vec<String> {
        let lines = published(host, LB, "web").into_iter();
        lines
            .filter(|line| !line.contains(" AAAA ") && !line.starts_with("aaaa-"))
            .collect()
    };
    assert_eq!(stage.records().await?, only_v4("xa.example.org"));
    assert_eq!(
        records(&stage.testbed, &below).await?,
        only_v4("shop.a.example.org")
    );
    Ok(())
}

#[tokio::test]
async fn zones_are_chosen_by_tag_and_a_role_is_taken_on() -> Result<()> {
    let stage = Stage::new().await?;
    let other = World::zone(&stage.testbed, "example.net").await?;
    let tag = Tag::builder().key("team").value("edge").build();
    let client = aws_sdk_route53::Client::new(stage.testbed.sdk());
    let tagged = client
        .change_tags_for_resource()
        .resource_type(TagResourceType::Hostedzone);
    tagged.resource_id(&other).add_tags(tag).send().await?;
    stage
        .apply(&[ingress(
            "web",
            &["shop.example.org", "shop.example.net"],
            &[LB],
        )])
        .await?;
    let role = "--aws-assume-role=arn:aws:iam::123456789012:role/dns";
    stage
        .well(&[
            "--aws-zone-tags=team=edge",
            role,
            "--aws-assume-role-external-id=x",
        ])
        .await?;
    assert_eq!(stage.records().await?, [""; 0]);
    assert_eq!(
        records(&stage.testbed, &other).await?,
        published("shop.example.net", LB, "web")
    );
    let assumed = stage.testbed.gate.calls_of("AssumeRole");
    assert_eq!(assumed.len(), 1, "{assumed:?}");
    assert_eq!(assumed[0].params["ExternalId"], "x");
    Ok(())
}

#[tokio::test]
async fn a_running_controller_follows_the_ingress_and_reads_only_what_it_touches() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply(&[ingress("first", &["first.example.org"], &[LB])])
        .await?;
    let first = published("first.example.org", LB, "first");
    let args = [&SOURCE[..], &["--policy=sync"]].concat();
    let mut process = stage.testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    stage.wait_for_records(&first).await?;

    for (step, wanted) in [
        (
            ingress("web", &["shop.example.org"], &[LB]),
            published("shop.example.org", LB, "web"),
        ),
        (
            ingress("web", &["shop.example.org"], &[OTHER_LB]),
            published("shop.example.org", OTHER_LB, "web"),
        ),
    ] {
        stage.testbed.gate.clear();
        stage.apply(&[step]).await?;
        stage
            .wait_for_records(&sorted(&[first.clone(), wanted]))
            .await?;
        let calls: Vec<_> = stage
            .testbed
            .gate
            .calls()
            .into_iter()
            .map(|call| call.action)
            .collect();
        assert_eq!(
            calls,
            ["ListResourceRecordSets", "ChangeResourceRecordSets"]
        );
    }
    stage.testbed.gate.clear();
    stage.delete("web").await?;
    stage.wait_for_records(&first).await?;
    assert!(
        stage.testbed.gate.calls().len() <= 3,
        "{:?}",
        stage.testbed.gate.calls()
    );

    // The records are there before that is counted and shown.
    let added = "isthmus_dns_changes_total{effect=\"add\",result=\"accepted\"} 8";
    metric(&process, added).await?;
    metric(&process, "isthmus_managed{kind=\"name\"} 1").await?;
    let (_, page) = process.admin_page("/").await?;
    assert!(
        page.contains("example.org") && page.contains(&stage.zone),
        "{page}"
    );
    assert_eq!(process.terminate().await?.code, Some(0));
    Ok(())
}

#[tokio::test]
async fn without_the_policy_sync_nothing_is_deleted() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply(&[ingress("web", &["shop.example.org"], &[LB])])
        .await?;
    stage.well(&[]).await?;
    stage.delete("web").await?;
    let finished = stage.well(&[]).await?;
    assert_eq!(
        stage.records().await?,
        published("shop.example.org", LB, "web")
    );
    assert!(
        finished
            .stderr
            .contains("--policy=upsert-only does not delete"),
        "{finished}"
    );
    stage.well(&["--policy=sync"]).await?;
    assert_eq!(stage.records().await?, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_foreign_record_is_left_and_told() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .put(values("shop.example.org", RrType::A, 60, &["192.0.2.1"])?)
        .await?;
    stage
        .put(values("api.example.org", RrType::A, 60, &["192.0.2.2"])?)
        .await?;
    stage
        .put(mark("a-api.example.org", "somebody-else", "api")?)
        .await?;
    let before = stage.records().await?;
    stage
        .apply(&[
            ingress("web", &["shop.example.org", "api.example.org"], &[LB]),
            ingress("good", &["good.example.org"], &[LB]),
        ])
        .await?;
    stage.well(&["--policy=sync"]).await?;
    let wanted = sorted(&[before, published("good.example.org", LB, "good")]);
    assert_eq!(stage.records().await?, wanted);
    let events = stage.events("web").await?;
    let told = |text: &str| {
        events
            .iter()
            .any(|(reason, note)| reason == "ForeignRecord" && note.contains(text))
    };
    assert!(
        told("has no ownership record") && told("is owned by \"somebody-else\""),
        "{events:?}"
    );
    assert_eq!(stage.events("good").await?, []);
    Ok(())
}

#[tokio::test]
async fn a_zone_of_external_dns_is_taken_over_without_a_change() -> Result<()> {
    let stage = Stage::new().await?;
    let mut zone = Vec::new();
    let mut objects = Vec::new();
    for index in 0..60 {
        let (name, host) = (format!("app-{index}"), format!("app-{index}.example.org"));
        zone.push(alias(&host, RrType::A, &LB.to_uppercase())?);
        zone.push(alias(&host, RrType::Aaaa, LB)?);
        // What each age of external-dns has left.
        match index % 3 {
            0 => zone.push(mark(&format!("a-{host}"), "kube-1", &name)?),
            1 => zone.push(mark(&format!("cname-{host}"), "kube-1", &name)?),
            _ => zone.push(mark(&host, "kube-1", &name)?),
        }
        zone.push(mark(&format!("aaaa-{host}"), "kube-1", &name)?);
        objects.push(ingress(&name, &[&host], &[LB]));
    }
    put_all(&stage.testbed, &stage.zone, zone).await?;
    stage.apply(&objects).await?;
    let before = stage.records().await?;
    let finished = stage
        .well(&["--txt-owner-id=kube-1", "--policy=sync", "--dry-run"])
        .await?;
    assert_eq!(finished.stdout, "nothing to do\n", "{finished}");
    stage
        .well(&["--txt-owner-id=kube-1", "--policy=sync"])
        .await?;
    assert_eq!(stage.testbed.gate.writes().len(), 0);
    assert_eq!(stage.records().await?, before);

    // And it is ours: what goes away goes with every trace, and nothing else.
    for index in 0..3 {
        stage.delete(&format!("app-{index}")).await?;
    }
    stage
        .well(&["--txt-owner-id=kube-1", "--policy=sync"])
        .await?;
    let gone = |line: &String| {
        ["app-0.", "app-1.", "app-2."]
            .iter()
            .any(|host| line.contains(host))
    };
    let wanted: Vec<_> = before.into_iter().filter(|line| !gone(line)).collect();
    assert_eq!(stage.records().await?, wanted);
    Ok(())
}

#[tokio::test]
async fn two_owners_share_a_zone_in_peace() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply(&[ingress("web", &["shop.example.org"], &[LB])])
        .await?;
    stage.well(&["--txt-owner-id=blue"]).await?;
    stage
        .apply(&[ingress(
            "web",
            &["shop.example.org", "new.example.org"],
            &[OTHER_LB],
        )])
        .await?;
    stage
        .well(&["--txt-owner-id=green", "--policy=sync"])
        .await?;
    let wanted = sorted(&[
        published_by("shop.example.org", LB, "web", "blue"),
        published_by("new.example.org", OTHER_LB, "web", "green"),
    ]);
    assert_eq!(stage.records().await?, wanted);
    Ok(())
}

#[tokio::test]
async fn annotations_of_both_prefixes_count() -> Result<()> {
    let stage = Stage::new().await?;
    let old = [
        (
            "external-dns.alpha.kubernetes.io/hostname",
            "old.example.org",
        ),
        ("external-dns.alpha.kubernetes.io/ttl", "1m"),
        (
            "external-dns.alpha.kubernetes.io/ingress-hostname-source",
            "annotation-only",
        ),
    ];
    let new = [
        ("external-dns.kubernetes.io/target", "192.0.2.7"),
        ("external-dns.kubernetes.io/ttl", "90"),
    ];
    stage
        .apply(&[
            annotated("old", &["x.example.org"], &["lb.example.com"], &old),
            annotated("new", &["new.example.org"], &[LB], &new),
        ])
        .await?;
    stage.well(&[]).await?;
    let found = stage.records().await?;
    assert!(
        found.contains(&"old.example.org CNAME 60 lb.example.com".to_owned()),
        "{found:?}"
    );
    assert!(
        found.contains(&"new.example.org A 90 192.0.2.7".to_owned()),
        "{found:?}"
    );
    assert_eq!(found.len(), 4, "{found:?}");
    Ok(())
}
