//! Load balancers, listeners and target groups.

use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_elasticloadbalancingv2 as elb;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, LoadBalancerStateEnum, LoadBalancerTypeEnum, ProtocolEnum,
    TargetDescription, TargetGroup,
};
use isthmus_e2e::{Certificate, EmulatorSettings, Testbed, World, eventually};

use super::code;

struct Balancers {
    testbed: Testbed,
    world: World,
    elb: elb::Client,
}

impl Balancers {
    async fn new() -> Result<Self> {
        let testbed = Testbed::acquire().await?;
        Ok(Self {
            world: World::create(&testbed).await?,
            elb: elb::Client::new(testbed.sdk()),
            testbed,
        })
    }

    fn create(
        &self,
        name: &str,
    ) -> elb::operation::create_load_balancer::builders::CreateLoadBalancerFluentBuilder {
        let subnets = self.world.public_subnets.iter();
        self.elb
            .create_load_balancer()
            .name(name)
            .set_subnets(Some(subnets.map(|subnet| subnet.id.clone()).collect()))
    }

    async fn made(&self, name: &str) -> Result<elb::types::LoadBalancer> {
        let made = self.create(name).send().await?;
        made.load_balancers().first().cloned().context("made")
    }

    async fn group(&self, name: &str) -> Result<TargetGroup> {
        let made = self
            .elb
            .create_target_group()
            .name(name)
            .protocol(ProtocolEnum::Http)
            .port(8080)
            .vpc_id(&self.world.vpc);
        let made = made.send().await?;
        made.target_groups().first().cloned().context("made")
    }

    fn listen(
        &self,
        lb: &str,
        port: i32,
        group: &str,
    ) -> elb::operation::create_listener::builders::CreateListenerFluentBuilder {
        let forward = Action::builder()
            .r#type(ActionTypeEnum::Forward)
            .target_group_arn(group)
            .build();
        let protocol = if port == 443 {
            ProtocolEnum::Https
        } else {
            ProtocolEnum::Http
        };
        self.elb
            .create_listener()
            .load_balancer_arn(lb)
            .port(port)
            .protocol(protocol)
            .default_actions(forward)
    }

    async fn certificates(&self, listener: &str) -> Result<Vec<(String, bool)>> {
        let described = self
            .elb
            .describe_listener_certificates()
            .listener_arn(listener);
        let described = described.send().await?;
        let pairs = described.certificates().iter().map(|certificate| {
            let arn = certificate.certificate_arn().unwrap_or_default().to_owned();
            (arn, certificate.is_default() == Some(true))
        });
        Ok(pairs.collect())
    }
}

fn certificate(arn: &str) -> elb::types::Certificate {
    elb::types::Certificate::builder()
        .certificate_arn(arn)
        .build()
}

#[tokio::test]
async fn the_name_of_a_load_balancer_is_unique() -> Result<()> {
    let on = Balancers::new().await?;
    let first = on.made("one").await?;
    assert_eq!(
        on.made("one").await?.load_balancer_arn,
        first.load_balancer_arn
    );
    let internal = elb::types::LoadBalancerSchemeEnum::Internal;
    let other = on.create("one").scheme(internal.clone()).send().await;
    assert_eq!(code(other), "DuplicateLoadBalancerName");
    let group = on.group("group").await?;
    assert_eq!(
        on.group("group").await?.target_group_arn,
        group.target_group_arn
    );
    assert_eq!(
        code(on.create("internal-one").send().await),
        "ValidationError"
    );
    let one_zone = on
        .create("two")
        .set_subnets(Some(vec![on.world.public_subnets[0].id.clone()]));
    assert_eq!(code(one_zone.send().await), "ValidationError");

    let dns = |lb: &elb::types::LoadBalancer| lb.dns_name.clone().unwrap_or_default();
    let zone =
        |lb: &elb::types::LoadBalancer| lb.canonical_hosted_zone_id.clone().unwrap_or_default();
    assert!(
        dns(&first).starts_with("one-") && dns(&first).ends_with(".eu-central-1.elb.amazonaws.com")
    );
    assert_eq!(zone(&first), "Z215JYRZR1TBD5");
    let inside = on.create("two").scheme(internal).send().await?;
    assert!(dns(&inside.load_balancers()[0]).starts_with("internal-two-"));
    let network = on
        .create("three")
        .r#type(LoadBalancerTypeEnum::Network)
        .send()
        .await?;
    let network = &network.load_balancers()[0];
    assert_eq!(zone(network), "Z3F0SRJ5LGBH90");
    assert!(dns(network).ends_with(".elb.eu-central-1.amazonaws.com"));
    assert!(
        network
            .load_balancer_arn()
            .unwrap_or_default()
            .contains("loadbalancer/net/three/")
    );
    Ok(())
}

#[tokio::test]
async fn a_load_balancer_takes_its_time_and_may_be_protected() -> Result<()> {
    let on = Balancers::new().await?;
    let state = async |name: &str| {
        let found = on.elb.describe_load_balancers().names(name).send().await?;
        let state = found.load_balancers()[0].state.clone();
        anyhow::Ok(state.and_then(|state| state.code))
    };
    let slow = EmulatorSettings {
        load_balancer_provisioning: Duration::from_secs(3600),
        ..EmulatorSettings::default()
    };
    on.testbed.emulators().configure(&slow).await?;
    on.made("slow").await?;
    let provisioning = Some(LoadBalancerStateEnum::Provisioning);
    assert_eq!(state("slow").await?, provisioning);
    let settings = EmulatorSettings::default();
    on.testbed.emulators().configure(&settings).await?;
    let made = on.made("one").await?;
    let arn = made.load_balancer_arn().context("an ARN")?;
    eventually("an active load balancer", async || {
        let is_active = state("one").await? == Some(LoadBalancerStateEnum::Active);
        Ok(is_active.then_some(()))
    })
    .await?;
    assert_eq!(state("slow").await?, provisioning);
    let protect = async |value: &str| {
        let attribute = elb::types::LoadBalancerAttribute::builder();
        let attribute = attribute.key("deletion_protection.enabled").value(value);
        let modify = on
            .elb
            .modify_load_balancer_attributes()
            .load_balancer_arn(arn);
        modify.attributes(attribute.build()).send().await
    };
    protect("true").await?;
    let delete = || on.elb.delete_load_balancer().load_balancer_arn(arn).send();
    assert_eq!(code(delete().await), "OperationNotPermitted");
    protect("false").await?;
    delete().await?;
    delete().await?;
    let gone = on.elb.describe_load_balancers().names("one").send().await;
    assert_eq!(code(gone), "LoadBalancerNotFound");
    Ok(())
}

#[tokio::test]
async fn a_listener_keeps_its_certificates() -> Result<()> {
    let on = Balancers::new().await?;
    let lb = on.made("one").await?;
    let lb = lb.load_balancer_arn().context("an ARN")?;
    let group = on.group("group").await?;
    let group = group.target_group_arn().context("an ARN")?;
    let first = &on.world.wildcard_certificate.arn;
    let second = &on.world.shop_certificate.arn;
    let third = Certificate::import(&on.testbed, &["third.example.org"])
        .await?
        .arn;

    assert_eq!(
        code(on.listen(lb, 443, group).send().await),
        "ValidationError"
    );
    let made = on
        .listen(lb, 443, group)
        .certificates(certificate(first))
        .send()
        .await?;
    let listener = made.listeners()[0]
        .listener_arn()
        .context("an ARN")?
        .to_owned();
    on.listen(lb, 80, group).send().await?;
    let other = on.group("other").await?;
    let taken = on.listen(lb, 80, other.target_group_arn().context("an ARN")?);
    assert_eq!(code(taken.send().await), "DuplicateListener");

    for _ in 0..2 {
        let add = on.elb.add_listener_certificates().listener_arn(&listener);
        add.certificates(certificate(second)).send().await?;
    }
    let expected = [(first.clone(), true), (second.clone(), false)];
    assert_eq!(on.certificates(&listener).await?, expected);
    let modify = on.elb.modify_listener().listener_arn(&listener);
    modify.certificates(certificate(&third)).send().await?;
    let expected = [(third.clone(), true), (second.clone(), false)];
    assert_eq!(on.certificates(&listener).await?, expected);
    let remove = on
        .elb
        .remove_listener_certificates()
        .listener_arn(&listener);
    let remove = remove.certificates(certificate(&third)).send().await;
    assert_eq!(code(remove), "OperationNotPermitted");
    let described = on
        .elb
        .describe_listeners()
        .listener_arns(&listener)
        .send()
        .await?;
    assert_eq!(
        described.listeners()[0].certificates().len(),
        1,
        "the default one"
    );

    let acm = aws_sdk_acm::Client::new(on.testbed.sdk());
    let in_use = acm
        .delete_certificate()
        .certificate_arn(second)
        .send()
        .await;
    assert_eq!(code(in_use), "ResourceInUseException");
    Ok(())
}

#[tokio::test]
async fn targets_are_an_id_and_a_port_and_a_group_goes_only_when_unused() -> Result<()> {
    let on = Balancers::new().await?;
    let lb = on.made("one").await?;
    let lb = lb.load_balancer_arn().context("an ARN")?;
    let group = on.group("group").await?;
    let group = group.target_group_arn().context("an ARN")?;
    let register = async |id: &str, port: i32| {
        let target = TargetDescription::builder().id(id).port(port).build();
        let register = on.elb.register_targets().target_group_arn(group);
        register.targets(target).send().await
    };
    let instance = &on.world.instances[0].id;
    register(instance, 8080).await?;
    register(instance, 8081).await?;
    assert_eq!(
        code(register("i-0123456789abcdef0", 80).await),
        "InvalidTarget"
    );
    let states = async || {
        let health = on
            .elb
            .describe_target_health()
            .target_group_arn(group)
            .send()
            .await?;
        let health = health.target_health_descriptions().iter();
        let states = health.filter_map(|each| each.target_health.clone()?.state);
        anyhow::Ok(states.map(|state| state.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(states().await?, ["unused", "unused"]);
    let made = on.listen(lb, 80, group).send().await?;
    assert_eq!(states().await?, ["healthy", "healthy"]);
    let settings = EmulatorSettings {
        target_health: Some(("unhealthy".into(), "Target.FailedHealthChecks".into())),
        ..EmulatorSettings::default()
    };
    on.testbed.emulators().configure(&settings).await?;
    assert_eq!(states().await?, ["unhealthy", "unhealthy"]);

    let delete = || on.elb.delete_target_group().target_group_arn(group).send();
    assert_eq!(code(delete().await), "ResourceInUse");
    let second = on.made("two").await?;
    let shared = on.listen(second.load_balancer_arn().context("an ARN")?, 80, group);
    assert_eq!(code(shared.send().await), "TargetGroupAssociationLimit");
    let listener = made.listeners()[0].listener_arn().context("an ARN")?;
    on.elb
        .delete_listener()
        .listener_arn(listener)
        .send()
        .await?;
    delete().await?;
    delete().await?;
    Ok(())
}
