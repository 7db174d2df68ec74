//! What is printed when something is wrong, and that a dry run touches nothing.

use anyhow::Result;

use crate::stage::{BINARY, LB, SOURCE, Stage, annotated, ingress};

#[tokio::test]
async fn a_dry_run_prints_its_plan_and_writes_nothing() -> Result<()> {
    let stage = Stage::new().await?;
    let faulty = [("external-dns.kubernetes.io/ttl", "soon")];
    stage
        .apply(&[
            ingress("web", &["shop.example.org"], &[LB]),
            annotated("faulty", &["faulty.example.org"], &[LB], &faulty),
        ])
        .await?;
    let finished = stage.well(&["--dry-run"]).await?;
    let zone = &stage.zone;
    let expected: String = [
        format!("+ record-set shop.example.org A: alias {LB}"),
        format!("+ record-set shop.example.org AAAA: alias {LB}"),
        "+ ownership a-shop.example.org TXT: \"heritage=external-dns,external-dns/owner=default,external-dns/resource=ingress/shop/web\" ttl 300".to_owned(),
        "+ ownership aaaa-shop.example.org TXT: \"heritage=external-dns,external-dns/owner=default,external-dns/resource=ingress/shop/web\" ttl 300".to_owned(),
    ]
    .map(|line| format!("{line} in zone example.org ({zone})\n"))
    .concat();
    assert_eq!(finished.stdout, expected, "{finished}");
    assert_eq!(stage.testbed.gate.writes().len(), 0);
    assert_eq!(stage.records().await?, [""; 0]);
    assert_eq!(
        stage.events("faulty").await?,
        [],
        "a dry run sends no Event"
    );
    Ok(())
}

#[tokio::test]
async fn wrong_flags_end_it_before_anything_is_touched() -> Result<()> {
    let stage = Stage::new().await?;
    let args = [
        "--source=ingress",
        "--policy=never",
        "--fqdn-template=x",
        "--txt-prefix=a",
        "--txt-suffix=b",
        "--max-removal-percent=101",
    ];
    let finished = stage.testbed.run(BINARY, &args).await?;
    assert_eq!(finished.code, Some(2), "{finished}");
    let mut lines: Vec<_> = finished.stderr.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "--fqdn-template: is not supported",
            "--max-removal-percent: \"101\" is not allowed; allowed: 0 to 100",
            "--policy: \"never\" is not allowed; allowed: sync, upsert-only, create-only",
            "--txt-suffix: \"b\" is not allowed; allowed: a suffix or --txt-prefix, not both",
        ]
    );
    assert_eq!(stage.testbed.gate.calls().len(), 0);
    let finished = stage
        .testbed
        .command(BINARY)
        .await?
        .env("ISTHMUS_SOURCE", "ingress,pod")
        .run()
        .await?;
    assert_eq!(finished.code, Some(2), "{finished}");
    assert_eq!(
        finished.stderr,
        "--source: \"pod\" is not supported; allowed: ingress, service, skipper-routegroup, crd\n"
    );
    Ok(())
}

#[tokio::test]
async fn a_wrong_annotation_is_told_on_its_ingress_and_harms_nobody() -> Result<()> {
    let stage = Stage::new().await?;
    let faulty = [
        ("external-dns.alpha.kubernetes.io/ttl", "soon"),
        ("external-dns.alpha.kubernetes.io/aws-wieght", "1"),
    ];
    stage
        .apply(&[
            annotated("faulty", &["faulty.example.org"], &[LB], &faulty),
            ingress("lost", &["shop.example.com"], &[LB]),
            ingress("good", &["good.example.org"], &[LB]),
        ])
        .await?;
    stage.well(&[]).await?;
    assert_eq!(stage.records().await?.len(), 4, "only the good one's");
    let mut events = stage.events("faulty").await?;
    events.sort();
    let events: Vec<_> = events
        .into_iter()
        .map(|(reason, note)| format!("{reason}: {note}"))
        .collect();
    assert_eq!(
        events,
        [
            "InvalidAnnotation: annotation external-dns.alpha.kubernetes.io/ttl: \"soon\" is not allowed; allowed: seconds, or a duration such as 1m, from 1s to 2147483647s",
            "UnknownAnnotation: annotation external-dns.alpha.kubernetes.io/aws-wieght is not known and has no effect",
        ]
    );
    let lost = stage.events("lost").await?;
    assert_eq!(
        lost,
        [(
            "NoHostedZone".to_owned(),
            "shop.example.com is not published: no hosted zone covers it; there are example.org"
                .to_owned()
        )]
    );
    Ok(())
}

#[tokio::test]
async fn what_is_unreachable_is_named() -> Result<()> {
    let stage = Stage::new().await?;
    let once = [&SOURCE[..], &["--once"]].concat();
    let command = async || anyhow::Ok(stage.testbed.command(BINARY).await?.args(&once));

    // Beside the original, which names its certificates by relative paths.
    let nowhere = stage.testbed.kubeconfig().with_file_name("nowhere");
    let text = std::fs::read_to_string(stage.testbed.kubeconfig())?;
    let mut kubeconfig: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text)?;
    kubeconfig["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1".into();
    std::fs::write(&nowhere, serde_yaml_ng::to_string(&kubeconfig)?)?;
    let finished = command()
        .await?
        .env("KUBECONFIG", &nowhere.display().to_string())
        .run()
        .await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    let said = format!(
        "isthmus-dns: the Kubernetes API server https://127.0.0.1:1/ (KUBECONFIG {}) cannot be reached: ",
        nowhere.display()
    );
    assert!(
        finished.stderr.starts_with(&said) && finished.stderr.contains("Connection refused"),
        "{finished}"
    );

    let finished = command()
        .await?
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .run()
        .await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(finished.stderr.contains("ListHostedZones"), "{finished}");

    let bare = command()
        .await?
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    let finished = bare.env("AWS_EC2_METADATA_DISABLED", "true").run().await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    assert_eq!(finished.stderr.lines().count(), 1, "{finished}");
    assert!(
        finished
            .stderr
            .contains("no AWS credentials: looked for AWS_ACCESS_KEY_ID"),
        "{finished}"
    );
    assert_eq!(stage.testbed.gate.calls().len(), 0);
    Ok(())
}
