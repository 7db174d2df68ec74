//! Reading back what there is, straight from the emulators and the API server.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result};
use aws_sdk_acm::Client as Acm;
use aws_sdk_elasticloadbalancingv2::Client as Elb;
use aws_sdk_elasticloadbalancingv2::types as elb;
use isthmus_e2e::{Testbed, eventually};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::networking::v1::Ingress;
use kube::Api;
use kube::api::ListParams;

use super::ingress;

/// The Ingresses of the tests' namespace.
pub(crate) fn ingresses(testbed: &Testbed) -> Api<Ingress> {
    Api::namespaced(testbed.kube(), "default")
}

/// The hostnames in the status of an Ingress.
pub(crate) async fn hostnames(testbed: &Testbed, name: &str) -> Result<Vec<String>> {
    let status = ingresses(testbed).get_status(name).await?.status;
    let entries = status
        .and_then(|s| s.load_balancer)
        .and_then(|l| l.ingress)
        .unwrap_or_default();
    Ok(entries
        .into_iter()
        .filter_map(|entry| entry.hostname)
        .collect())
}

/// Waits for the hostname in the status of an Ingress.
pub(crate) async fn hostname(testbed: &Testbed, name: &str) -> Result<String> {
    eventually(&format!("the status of {name}"), async || {
        Ok(hostnames(testbed, name).await?.pop())
    })
    .await
}

/// Waits for an Event on an Ingress with `part` in its text: they are sent in the
/// background, behind the statuses and whatever else there is to be seen.
pub(crate) async fn told(
    testbed: &Testbed,
    name: &str,
    (reason, part): (&str, &str),
) -> Result<String> {
    let what = format!("{reason} {part:?} on {name}");
    let found = eventually(&what, async || {
        let mut all = events(testbed, name).await?.into_iter();
        let found = all.find(|(why, text)| why == reason && text.contains(part));
        Ok(found.map(|(_, text)| text))
    });
    match found.await {
        Ok(text) => Ok(text),
        Err(error) => Err(error.context(format!("{:?}", events(testbed, name).await?))),
    }
}

/// Waits until a controller that runs has sent all Events up to now. They go out in
/// their order: when that of a mistake made now is there, so are those before it.
pub(crate) async fn all_told(testbed: &Testbed) -> Result<()> {
    let mistake = ingress(
        "mistake",
        &["mistake.example.org"],
        &[("scheme", "Internal")],
    );
    testbed.apply_yaml(&mistake).await?;
    told(testbed, "mistake", ("InvalidAnnotation", "Internal")).await?;
    Ok(())
}

/// The Events on an Ingress: reason and text.
pub(crate) async fn events(testbed: &Testbed, name: &str) -> Result<Vec<(String, String)>> {
    let all: Api<Event> = Api::namespaced(testbed.kube(), "default");
    let found = all.list(&ListParams::default()).await?.items.into_iter();
    let on_it =
        found.filter(|e| e.regarding.as_ref().and_then(|r| r.name.as_deref()) == Some(name));
    Ok(on_it
        .map(|e| (e.reason.unwrap_or_default(), e.note.unwrap_or_default()))
        .collect())
}

/// Everything at ELBv2 and every status, without the ids that differ from run to run.
pub(crate) async fn end_state(testbed: &Testbed) -> Result<String> {
    let elb = Elb::new(testbed.sdk());
    let mut text = String::new();
    for balancer in load_balancers(testbed).await? {
        let arn = balancer.load_balancer_arn().unwrap_or_default();
        writeln!(
            text,
            "load balancer {} {:?} {:?} zones {} {:?}",
            balancer.load_balancer_name().unwrap_or_default(),
            balancer.scheme(),
            balancer.r#type(),
            balancer.availability_zones().len(),
            tags(&elb, arn).await?,
        )?;
        text.push_str(&listeners(testbed, arn).await?);
    }
    let groups = elb.describe_target_groups().send().await?;
    for group in groups.target_groups() {
        let arn = group.target_group_arn().unwrap_or_default();
        writeln!(
            text,
            "target group {} {:?} {:?} {:?} used by {} targets {} {:?}",
            // The other half follows from the VPC's random id.
            group
                .target_group_name()
                .and_then(|name| name.get(..21))
                .unwrap_or_default(),
            group.protocol(),
            group.port(),
            group.health_check_path(),
            group.load_balancer_arns().len(),
            targets_of(&elb, arn).await?.len(),
            tags(&elb, arn).await?,
        )?;
    }
    for object in ingresses(testbed).list(&ListParams::default()).await? {
        let name = object.metadata.name.unwrap_or_default();
        let told = hostnames(testbed, &name).await?;
        let told: Vec<_> = told
            .iter()
            .filter_map(|host| host.split('.').next()?.rsplit_once('-'))
            .map(|(name, _)| name)
            .collect();
        writeln!(text, "ingress {name} {told:?}")?;
    }
    Ok(text)
}

async fn listeners(testbed: &Testbed, balancer: &str) -> Result<String> {
    let elb = Elb::new(testbed.sdk());
    let names = certificate_names(testbed).await?;
    let mut text = String::new();
    let listeners = elb
        .describe_listeners()
        .load_balancer_arn(balancer)
        .send()
        .await?;
    for listener in listeners.listeners() {
        let arn = listener.listener_arn().unwrap_or_default();
        let certificates = elb
            .describe_listener_certificates()
            .listener_arn(arn)
            .send()
            .await?;
        // Which of several is the default one follows from their random ids.
        let certificates = certificates.certificates();
        let defaults = certificates
            .iter()
            .filter(|c| c.is_default() == Some(true))
            .count();
        let mut certificates: Vec<_> = certificates
            .iter()
            .filter_map(|c| names.get(c.certificate_arn()?))
            .collect();
        certificates.sort();
        writeln!(
            text,
            "  listener {:?} {:?} {:?} {:?} {certificates:?} {defaults} default {:?}",
            listener.port(),
            listener.protocol(),
            listener.ssl_policy(),
            listener.default_actions().first().and_then(|a| a.r#type()),
            tags(&elb, arn).await?,
        )?;
    }
    Ok(text)
}

/// Whether there is no load balancer and no target group.
pub(crate) async fn is_empty(testbed: &Testbed) -> Result<bool> {
    let groups = Elb::new(testbed.sdk())
        .describe_target_groups()
        .send()
        .await?;
    Ok(groups.target_groups().is_empty() && load_balancers(testbed).await?.is_empty())
}

/// The targets of the one target group.
pub(crate) async fn targets(testbed: &Testbed) -> Result<Vec<String>> {
    let elb = Elb::new(testbed.sdk());
    let groups = elb.describe_target_groups().send().await?;
    let group = groups.target_groups().first().context("a target group")?;
    targets_of(&elb, group.target_group_arn().unwrap_or_default()).await
}

async fn targets_of(elb: &Elb, group: &str) -> Result<Vec<String>> {
    let health = elb
        .describe_target_health()
        .target_group_arn(group)
        .send()
        .await?;
    let targets = health.target_health_descriptions().iter();
    Ok(targets.filter_map(|t| t.target()?.id.clone()).collect())
}

/// The first name of each certificate, by its ARN.
async fn certificate_names(testbed: &Testbed) -> Result<BTreeMap<String, String>> {
    use aws_sdk_acm::types::{Filters, KeyAlgorithm};
    let filters = Filters::builder()
        .key_types(KeyAlgorithm::EcPrime256v1)
        .build();
    let acm = Acm::new(testbed.sdk());
    let listed = acm.list_certificates().includes(filters).send().await?;
    let summaries = listed.certificate_summary_list().iter();
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    Ok(summaries
        .map(|s| (text(s.certificate_arn()), text(s.domain_name())))
        .collect())
}

async fn tags(elb: &Elb, arn: &str) -> Result<BTreeMap<String, String>> {
    let answer = elb.describe_tags().resource_arns(arn).send().await?;
    let tags = answer
        .tag_descriptions()
        .iter()
        .flat_map(elb::TagDescription::tags);
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    Ok(tags
        .map(|tag| (text(tag.key()), text(tag.value())))
        .collect())
}

/// By name.
pub(crate) async fn load_balancers(testbed: &Testbed) -> Result<Vec<elb::LoadBalancer>> {
    let answer = Elb::new(testbed.sdk())
        .describe_load_balancers()
        .send()
        .await?;
    let mut found = answer.load_balancers().to_vec();
    found.sort_by(|a, b| a.load_balancer_name().cmp(&b.load_balancer_name()));
    Ok(found)
}
