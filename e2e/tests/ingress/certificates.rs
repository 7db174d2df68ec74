//! Certificates of ACM and IAM, and whom to trust.

use anyhow::{Context, Result};
use aws_sdk_elasticloadbalancingv2::Client as Elb;
use isthmus_e2e::{Authority, Fault, PATIENCE, Process, Testbed, eventually};

use crate::reading::{all_told, events, hostname, hostnames, load_balancers, told};
use crate::{
    BINARY, CLUSTER, RESYNC, ingress, nothing_written, once, reconciled, shop, well, world,
};

/// The default certificate of the one load balancer.
async fn served(testbed: &Testbed) -> Result<String> {
    let balancers = load_balancers(testbed).await?;
    let [balancer] = &balancers[..] else {
        anyhow::bail!("{} load balancers", balancers.len());
    };
    let listeners = Elb::new(testbed.sdk())
        .describe_listeners()
        .load_balancer_arn(balancer.load_balancer_arn().unwrap_or_default())
        .send()
        .await?;
    let https = listeners.listeners().iter().find(|l| l.port == Some(443));
    let certificate = https.and_then(|listener| listener.certificates().first());
    let arn = certificate.and_then(|certificate| certificate.certificate_arn());
    Ok(arn.context("a certificate")?.to_owned())
}

/// The flag that makes an authority trusted.
fn trusting(testbed: &Testbed, authority: &Authority) -> Result<String> {
    let file = testbed.scratch()?.join("authority.pem");
    std::fs::write(&file, &authority.pem)?;
    Ok(format!("--cert-ca-bundle={}", file.display()))
}

/// Uploads a server certificate for `<name>.example.com` with the tag `use`.
pub(crate) async fn upload(
    testbed: &Testbed,
    authority: &Authority,
    name: &str,
    tagged: &str,
) -> Result<()> {
    let host = format!("{name}.example.com");
    let issued = authority.issue(&[&host], (2090, 1, 1))?;
    let tag = aws_sdk_iam::types::Tag::builder().key("use").value(tagged);
    aws_sdk_iam::Client::new(testbed.sdk())
        .upload_server_certificate()
        .server_certificate_name(name)
        .certificate_body(&issued.pem)
        .private_key(&issued.key)
        .tags(tag.build()?)
        .send()
        .await?;
    Ok(())
}

fn in_days(days: i64) -> Result<(i32, u8, u8)> {
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days);
    let date = at.to_zoned(jiff::tz::TimeZone::UTC).date();
    Ok((
        i32::from(date.year()),
        date.month().try_into()?,
        date.day().try_into()?,
    ))
}

fn count(testbed: &Testbed, action: &str) -> usize {
    let calls = testbed.gate.calls();
    calls.iter().filter(|call| call.action == action).count()
}

async fn errors(process: &Process) -> Result<u64> {
    let (_, metrics) = process.admin_page("/metrics").await?;
    let line = metrics.lines().find(|line| {
        line.starts_with(r#"isthmus_reconcile_errors_total{class="denied",step="certificates"}"#)
    });
    let count = line.and_then(|line| line.rsplit(' ').next());
    Ok(count.unwrap_or("0").parse()?)
}

#[tokio::test]
async fn a_trusted_one_of_iam_goes_before_untrusted_ones() -> Result<()> {
    let (testbed, world) = world(&shop()).await?;
    let authority = Authority::new("the company's own")?;
    let issued = authority.issue(&["shop.example.org"], (2090, 1, 1))?;
    let arn = authority
        .upload(&testbed, &issued, ("/old/", "shop-2090"))
        .await?;
    assert!(arn.ends_with(":server-certificate/old/shop-2090"), "{arn}");
    let stranger = Authority::new("nobody's")?;
    let longer = stranger.issue(&["shop.example.org"], (2098, 1, 1))?;
    stranger.import(&testbed, &longer).await?;

    well(&testbed, &["--dry-run"]).await?;
    let trusting = trusting(&testbed, &authority)?;
    well(&testbed, &[&trusting]).await?;
    assert_eq!(served(&testbed).await?, arn);
    assert_eq!(hostnames(&testbed, "shop").await?.len(), 1);

    let blacklist = format!("--blacklist-certificate-arns={arn}");
    well(&testbed, &[&trusting, &blacklist]).await?;
    let now = served(&testbed).await?;
    assert_eq!(
        now, world.shop_certificate.arn,
        "untrusted, the longest to live"
    );
    assert_eq!(testbed.gate.throttled(), 0);
    Ok(())
}

#[tokio::test]
async fn a_pinned_one_is_used_as_told_or_the_ingress_is_refused() -> Result<()> {
    let (testbed, _) = world("").await?;
    let authority = Authority::new("nobody's")?;
    let issued = authority.issue(&["other.example.net"], (2026, 2, 1))?;
    let arn = authority.upload(&testbed, &issued, ("/", "pinned")).await?;
    let gone = arn.replace("pinned", "gone");
    let yaml = [
        ingress("shop", &["shop.example.org"], &[("ssl-cert", &arn)]),
        ingress("gone", &["gone.example.org"], &[("ssl-cert", &gone)]),
    ];
    testbed.apply_yaml(&yaml.concat()).await?;
    well(&testbed, &[]).await?;
    assert_eq!(served(&testbed).await?, arn);
    assert!(hostnames(&testbed, "gone").await?.is_empty());
    let events = events(&testbed, "gone").await?;
    let said = events
        .iter()
        .any(|(reason, text)| reason == "NoCertificate" && text.contains(&gone));
    assert!(said, "{events:?}");
    Ok(())
}

#[tokio::test]
async fn the_end_of_a_served_certificate_is_measured_and_warned_of() -> Result<()> {
    let (testbed, _) = world("").await?;
    let authority = Authority::new("the company's own")?;
    let soon = authority.issue(&["soon.example.com"], in_days(5)?)?;
    let soon = authority.import(&testbed, &soon).await?;
    let later = authority.issue(&["later.example.com"], in_days(40)?)?;
    let later = authority.import(&testbed, &later).await?;
    let yaml = [
        ingress("soon", &["soon.example.com"], &[]),
        ingress("later", &["later.example.com"], &[]),
    ];
    testbed.apply_yaml(&yaml.concat()).await?;
    let mut process = testbed.spawn(BINARY, &[CLUSTER]).await?;
    process.wait_ready().await?;
    let warning = told(&testbed, "soon", ("CertificateExpires", &soon)).await?;
    assert!(warning.contains("runs out at"), "{warning}");
    all_told(&testbed).await?;
    let others = events(&testbed, "later").await?;
    assert!(
        others.iter().all(|(r, _)| r != "CertificateExpires"),
        "{others:?}"
    );
    let (_, metrics) = process.admin_page("/metrics").await?;
    for arn in [&soon, &later] {
        let id = arn.rsplit('/').next().unwrap_or_default();
        let line =
            format!("isthmus_certificate_expiry_timestamp_seconds{{certificate=\"{id}\"}} 1");
        assert!(metrics.contains(&line), "{line} is not in\n{metrics}");
    }
    Ok(())
}

#[tokio::test]
async fn a_list_that_fails_changes_nothing_and_chains_are_read_once() -> Result<()> {
    let (testbed, _) = world(&shop()).await?;
    let authority = Authority::new("the company's own")?;
    let issued = authority.issue(&["shop.example.org"], (2090, 1, 1))?;
    let arn = authority.upload(&testbed, &issued, ("/", "shop")).await?;
    let trusting = trusting(&testbed, &authority)?;
    let args = [CLUSTER, "--cert-polling-interval=1s", RESYNC, &trusting];
    let mut process = testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    hostname(&testbed, "shop").await?;
    assert_eq!(served(&testbed).await?, arn);
    testbed
        .gate
        .wait_for(PATIENCE, |calls| {
            let lists = calls
                .iter()
                .filter(|c| c.action == "ListServerCertificates");
            lists.count() >= 3
        })
        .await?;
    assert_eq!(count(&testbed, "GetServerCertificate"), 1);

    testbed.gate.clear();
    testbed
        .gate
        .fault(Fault::denied("ListServerCertificates").always());
    let before = errors(&process).await?;
    eventually("failures", async || {
        Ok((errors(&process).await? > before).then_some(()))
    })
    .await?;
    nothing_written(&testbed);
    assert_eq!(served(&testbed).await?, arn);
    testbed.gate.clear_faults();
    assert_eq!(testbed.gate.throttled(), 0);
    process.terminate().await?;

    testbed
        .gate
        .fault(Fault::denied("ListServerCertificates").always());
    testbed.gate.clear();
    let finished = once(&testbed, &[]).await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    nothing_written(&testbed);
    Ok(())
}

#[tokio::test]
async fn a_certificate_of_any_key_type_and_one_that_comes_later_are_found() -> Result<()> {
    let yaml = ingress("late", &["late.example.com"], &[]);
    let (testbed, _) = world(&yaml).await?;
    let args = [CLUSTER, "--cert-polling-interval=1s", RESYNC];
    let mut process = testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    assert!(hostnames(&testbed, "late").await?.is_empty());
    let authority = Authority::new("nobody's")?;
    // rcgen's keys are P-256: not among the types that AWS lists unasked.
    let issued = authority.issue(&["*.example.com"], (2090, 1, 1))?;
    authority.import(&testbed, &issued).await?;
    hostname(&testbed, "late").await?;
    reconciled(&process, 2).await?;
    assert_eq!(testbed.gate.throttled(), 0, "one list a second at most");
    Ok(())
}

#[tokio::test]
async fn a_tag_chooses_certificates_of_both_services() -> Result<()> {
    let yaml = [
        shop(),
        ingress("old", &["old.example.com"], &[]),
        ingress("untagged", &["untagged.example.com"], &[]),
    ];
    let (testbed, world) = world(&yaml.concat()).await?;
    let authority = Authority::new("the company's own")?;
    for (name, value) in [("old", "yes"), ("untagged", "no")] {
        upload(&testbed, &authority, name, value).await?;
    }
    let tag = aws_sdk_acm::types::Tag::builder().key("use").value("yes");
    aws_sdk_acm::Client::new(testbed.sdk())
        .add_tags_to_certificate()
        .certificate_arn(&world.wildcard_certificate.arn)
        .tags(tag.build()?)
        .send()
        .await?;
    well(&testbed, &["--cert-filter-tag=use=yes"]).await?;
    let told = hostnames(&testbed, "shop").await?;
    assert_eq!(told.len(), 1, "by the wildcard");
    assert_eq!(hostnames(&testbed, "old").await?, told);
    assert!(hostnames(&testbed, "untagged").await?.is_empty());
    let all = [&world.shop_certificate.arn];
    let served = served(&testbed).await?;
    assert!(!all.contains(&&served), "{served}");
    Ok(())
}

#[tokio::test]
async fn a_bundle_that_is_none_is_refused() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let file = testbed.scratch()?.join("empty.pem");
    std::fs::write(&file, "nothing")?;
    let empty = format!("--cert-ca-bundle={}", file.display());
    let finished = once(&testbed, &[&empty, "--cert-ca-bundle=missing.pem"]).await?;
    assert_eq!(finished.code, Some(2), "{finished}");
    let lines: Vec<_> = finished.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{finished}");
    assert!(
        lines.iter().all(|l| l.starts_with("--cert-ca-bundle: ")),
        "{finished}"
    );
    Ok(())
}
