//! Ingress → load balancer → certificates and targets; and its names in Route 53.

use anyhow::{Context, Result, ensure};
use aws_sdk_acm::Client as Acm;
use aws_sdk_elasticloadbalancingv2::Client as Elb;
use aws_sdk_elasticloadbalancingv2::types::{Listener, LoadBalancer};
use aws_sdk_route53::Client as Route53;
use aws_sdk_route53::types::{ResourceRecordSet, RrType};
use k8s_openapi::api::networking::v1::Ingress;

use super::{named, said};
use crate::playground::tree::Tree;
use crate::{Testbed, World};

pub(super) async fn draw(testbed: &Testbed, world: &World, ingress: &Ingress) -> Tree {
    let mut tree = Tree::new(format!("Ingress {}", named(ingress)));
    let Some(hostname) = status_hostname(ingress) else {
        tree.add(Tree::lacking(format!(
            "the load balancer's name in the status of Ingress {}",
            named(ingress)
        )));
        return tree;
    };
    let read = load_balancer(testbed, hostname).await;
    tree.add(Tree::from(read.map_err(said("load balancer"))));
    for host in hosts(ingress) {
        let read = name(testbed, world, host, hostname).await;
        tree.add(Tree::from(read.map_err(said(&format!("name {host}")))));
    }
    tree
}

fn status_hostname(ingress: &Ingress) -> Option<&str> {
    let status = ingress.status.as_ref()?.load_balancer.as_ref()?;
    status.ingress.as_ref()?.first()?.hostname.as_deref()
}

fn hosts(ingress: &Ingress) -> impl Iterator<Item = &str> {
    let rules = ingress.spec.as_ref().and_then(|spec| spec.rules.as_ref());
    rules
        .into_iter()
        .flatten()
        .filter_map(|rule| rule.host.as_deref())
}

async fn load_balancer(testbed: &Testbed, hostname: &str) -> Result<Tree> {
    let elb = Elb::new(testbed.sdk());
    let all = elb.describe_load_balancers().send().await?;
    let found = all
        .load_balancers()
        .iter()
        .find(|lb| {
            lb.dns_name()
                .is_some_and(|name| name.eq_ignore_ascii_case(hostname))
        })
        .with_context(|| format!("none has the name {hostname}"))?;
    let arn = found.load_balancer_arn().context("an ARN")?;
    let mut tree = Tree::new(title(found));
    let listeners = elb
        .describe_listeners()
        .load_balancer_arn(arn)
        .send()
        .await?;
    for listener in listeners.listeners() {
        tree.add(draw_listener(testbed, &elb, listener).await?);
    }
    let groups = elb
        .describe_target_groups()
        .load_balancer_arn(arn)
        .send()
        .await?;
    for group in groups.target_groups() {
        let arn = group.target_group_arn().context("an ARN")?;
        let health = elb
            .describe_target_health()
            .target_group_arn(arn)
            .send()
            .await?;
        let mut below = Tree::new(format!(
            "target group {}",
            group.target_group_name().unwrap_or_default()
        ));
        for target in health.target_health_descriptions() {
            let id = target.target().and_then(|t| t.id()).unwrap_or_default();
            let state = target.target_health().and_then(|h| h.state());
            below.add(Tree::new(format!(
                "node {id}: {}",
                state.map_or("?", |s| s.as_str())
            )));
        }
        if health.target_health_descriptions().is_empty() {
            below.add(Tree::lacking("targets in the target group"));
        }
        tree.add(below);
    }
    Ok(tree)
}

fn title(lb: &LoadBalancer) -> String {
    let scheme = lb.scheme().map_or("", |s| s.as_str());
    let state = lb.state().and_then(|s| s.code()).map_or("", |c| c.as_str());
    format!(
        "load balancer {} ({scheme}, {state})",
        lb.dns_name().unwrap_or_default()
    )
}

async fn draw_listener(testbed: &Testbed, elb: &Elb, listener: &Listener) -> Result<Tree> {
    let protocol = listener.protocol().map_or("", |p| p.as_str());
    let mut tree = Tree::new(format!(
        "listener {} {protocol}",
        listener.port().unwrap_or_default()
    ));
    if protocol != "HTTPS" {
        return Ok(tree);
    }
    let arn = listener.listener_arn().context("an ARN")?;
    let certificates = elb
        .describe_listener_certificates()
        .listener_arn(arn)
        .send()
        .await?;
    for certificate in certificates.certificates() {
        let arn = certificate.certificate_arn().context("an ARN")?;
        let acm = Acm::new(testbed.sdk());
        let described = acm
            .describe_certificate()
            .certificate_arn(arn)
            .send()
            .await?;
        let detail = described.certificate().context("a certificate")?;
        let names = detail.subject_alternative_names().join(", ");
        let until = detail
            .not_after()
            .map(ToString::to_string)
            .unwrap_or_default();
        tree.add(Tree::new(format!("certificate for {names}, until {until}")));
    }
    Ok(tree)
}

/// The A record of `host`, which must lead to `hostname`, and the TXT record that owns it.
async fn name(testbed: &Testbed, world: &World, host: &str, hostname: &str) -> Result<Tree> {
    let route53 = Route53::new(testbed.sdk());
    let listed = route53
        .list_resource_record_sets()
        .hosted_zone_id(&world.zone)
        .send()
        .await?;
    let records = listed.resource_record_sets();
    let record = records
        .iter()
        .find(|r| r.name().trim_end_matches('.') == host && *r.r#type() == RrType::A)
        .context("no A record in the zone yet")?;
    let alias = record
        .alias_target()
        .context("the A record is no alias")?
        .dns_name();
    let target = alias.trim_end_matches('.').trim_start_matches("dualstack.");
    ensure!(target.eq_ignore_ascii_case(hostname), "it leads to {alias}");
    let mut tree = Tree::new(format!("name {host}: A alias → {alias}"));
    let txt = records
        .iter()
        .find(|r| owns(r, host))
        .context("no TXT record that owns it")?;
    let value = txt
        .resource_records()
        .first()
        .map(aws_sdk_route53::types::ResourceRecord::value);
    tree.add(Tree::new(format!(
        "TXT {} {}",
        txt.name(),
        value.unwrap_or_default()
    )));
    Ok(tree)
}

/// Whether a record is the registry's for the A record of `host`.
fn owns(record: &ResourceRecordSet, host: &str) -> bool {
    *record.r#type() == RrType::Txt
        && record.name().trim_end_matches('.') == format!("a-{host}")
        && record
            .resource_records()
            .iter()
            .any(|r| r.value().contains("heritage=external-dns"))
}
