//! What someone changes by hand is put back at the resync, and said.

use anyhow::{Context, Result, ensure};
use aws_sdk_elasticloadbalancingv2::Client as Elb;
use aws_sdk_elasticloadbalancingv2::types as elb;
use isthmus_e2e::{Testbed, World, eventually};

use super::reading::{end_state, hostname, load_balancers, told};
use super::{BINARY, CLUSTER, NO_GRACE, RESYNC, ingress, world};

/// A settled load balancer for two certificates, and who changes it by hand.
struct Hand {
    testbed: Testbed,
    world: World,
    elb: Elb,
}

impl Hand {
    async fn balancer(&self) -> Result<elb::LoadBalancer> {
        let mut balancers = load_balancers(&self.testbed).await?;
        ensure!(balancers.len() == 1, "{balancers:?}");
        balancers.pop().context("a load balancer")
    }

    async fn arn(&self) -> Result<String> {
        self.balancer().await?.load_balancer_arn.context("an ARN")
    }

    async fn group(&self) -> Result<String> {
        let groups = self.elb.describe_target_groups().send().await?;
        let group = groups.target_groups().first().context("a target group")?;
        group.target_group_arn.clone().context("an ARN")
    }

    async fn listener(&self, port: i32) -> Result<elb::Listener> {
        let listeners = self.elb.describe_listeners();
        let listeners = listeners
            .load_balancer_arn(self.arn().await?)
            .send()
            .await?;
        let mut listeners = listeners.listeners().iter();
        let found = listeners.find(|listener| listener.port() == Some(port));
        found.cloned().context("a listener")
    }

    /// Everything that the test changes, without ids that differ.
    async fn state(&self) -> Result<String> {
        let balancer = self.balancer().await?;
        let arn = balancer.load_balancer_arn().unwrap_or_default();
        let attributes = self.elb.describe_load_balancer_attributes();
        let attributes = attributes.load_balancer_arn(arn).send().await?;
        let group = self.group().await?;
        let of_group = self.elb.describe_target_group_attributes();
        let of_group = of_group.target_group_arn(group).send().await?;
        let mut of_group: Vec<_> = of_group.attributes().to_vec();
        of_group.sort_by(|a, b| a.key.cmp(&b.key));
        let mut attributes: Vec<_> = attributes.attributes().to_vec();
        attributes.sort_by(|a, b| a.key.cmp(&b.key));
        let mut zones: Vec<_> = balancer.availability_zones().iter().collect();
        zones.sort_by_key(|zone| zone.subnet_id().unwrap_or_default());
        Ok(format!(
            "{}\n{attributes:?}\n{of_group:?}\n{zones:?}\n{:?}\n{:?}",
            end_state(&self.testbed).await?,
            balancer.ip_address_type(),
            balancer.security_groups(),
        ))
    }
}

/// Changes one thing, waits until everything is as before, and looks for the Event.
async fn put_back(
    hand: &Hand,
    before: &str,
    said: &str,
    change: impl AsyncFnOnce(&Hand) -> Result<()>,
) -> Result<()> {
    change(hand).await.with_context(|| said.to_owned())?;
    eventually(said, async || {
        // In between a load balancer may be gone.
        let now = hand.state().await.unwrap_or_default();
        Ok((now == before).then_some(()))
    })
    .await?;
    let text = told(&hand.testbed, "two", ("ChangedByHand", said)).await?;
    ensure!(text.contains("changed by someone else"), "{text}");
    Ok(())
}

async fn settled() -> Result<(Hand, isthmus_e2e::Process, String)> {
    let two = ingress("two", &["shop.example.org", "blog.example.org"], &[]);
    let (testbed, world) = world(&two).await?;
    let args = [
        CLUSTER,
        RESYNC,
        "--additional-stack-tags=team=web",
        "--idle-connection-timeout=2m",
        NO_GRACE,
    ];
    let mut process = testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    hostname(&testbed, "two").await?;
    let elb = Elb::new(testbed.sdk());
    let hand = Hand {
        testbed,
        world,
        elb,
    };
    let before = hand.state().await?;
    Ok((hand, process, before))
}

#[tokio::test]
async fn what_was_changed_on_a_load_balancer_is_put_back_and_said() -> Result<()> {
    let (hand, _process, before) = settled().await?;
    let before = before.as_str();
    put_back(
        &hand,
        before,
        "idle_timeout.timeout_seconds=120",
        async |hand| {
            let attribute = elb::LoadBalancerAttribute::builder()
                .key("idle_timeout.timeout_seconds")
                .value("4000")
                .build();
            let set = hand.elb.modify_load_balancer_attributes();
            let set = set
                .load_balancer_arn(hand.arn().await?)
                .attributes(attribute);
            set.send().await?;
            Ok(())
        },
    )
    .await?;
    let group = hand.world.security_group.clone();
    put_back(&hand, before, &group, async |hand| {
        let ec2 = aws_sdk_ec2::Client::new(hand.testbed.sdk());
        let open = ec2
            .create_security_group()
            .group_name("open")
            .description("open");
        let open = open.vpc_id(&hand.world.vpc).send().await?;
        let set = hand
            .elb
            .set_security_groups()
            .load_balancer_arn(hand.arn().await?);
        set.set_security_groups(open.group_id.map(|id| vec![id]))
            .send()
            .await?;
        Ok(())
    })
    .await?;
    put_back(&hand, before, "ipv4", async |hand| {
        let set = hand.elb.set_ip_address_type();
        let set = set.load_balancer_arn(hand.arn().await?);
        set.ip_address_type(elb::IpAddressType::Dualstack)
            .send()
            .await?;
        Ok(())
    })
    .await?;
    let third = hand.world.public_subnets[2].id.clone();
    put_back(&hand, before, &third, async |hand| {
        let two = hand.world.public_subnets.iter().take(2);
        let set = hand.elb.set_subnets().load_balancer_arn(hand.arn().await?);
        set.set_subnets(Some(two.map(|s| s.id.clone()).collect()))
            .send()
            .await?;
        Ok(())
    })
    .await?;
    put_back(&hand, before, "team=web", async |hand| {
        let remove = hand.elb.remove_tags().resource_arns(hand.arn().await?);
        remove.tag_keys("team").send().await?;
        Ok(())
    })
    .await?;
    let made = "it is put back: internet-facing application ipv4, sg-";
    put_back(&hand, before, made, async |hand| {
        let delete = hand.elb.delete_load_balancer();
        delete.load_balancer_arn(hand.arn().await?).send().await?;
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn what_was_changed_on_a_listener_is_put_back_and_said() -> Result<()> {
    let (hand, _process, before) = settled().await?;
    let before = before.as_str();
    put_back(
        &hand,
        before,
        ":80 was changed by someone else; it is put back: HTTP, to kube-",
        async |hand| {
            let listener = hand.listener(80).await?.listener_arn;
            hand.elb
                .delete_listener()
                .set_listener_arn(listener)
                .send()
                .await?;
            Ok(())
        },
    )
    .await?;
    put_back(
        &hand,
        before,
        ":80 was changed by someone else; it is put back: to kube-",
        async |hand| {
            let response = elb::FixedResponseActionConfig::builder()
                .status_code("503")
                .build();
            let action = elb::Action::builder()
                .r#type(elb::ActionTypeEnum::FixedResponse)
                .fixed_response_config(response);
            let set = hand.elb.modify_listener();
            let set = set.set_listener_arn(hand.listener(80).await?.listener_arn);
            set.default_actions(action.build()).send().await?;
            Ok(())
        },
    )
    .await?;
    put_back(&hand, before, "ELBSecurityPolicy-2016-08", async |hand| {
        let set = hand.elb.modify_listener();
        let set = set.set_listener_arn(hand.listener(443).await?.listener_arn);
        set.ssl_policy("ELBSecurityPolicy-TLS13-1-3-2021-06")
            .send()
            .await?;
        Ok(())
    })
    .await?;
    put_back(&hand, before, "certificate/", async |hand| {
        let listener = hand.listener(443).await?.listener_arn.unwrap_or_default();
        let listed = hand
            .elb
            .describe_listener_certificates()
            .listener_arn(&listener);
        let listed = listed.send().await?;
        let mut listed = listed.certificates().iter();
        let other = listed
            .find(|c| c.is_default() != Some(true))
            .context("one for SNI")?;
        let bare = elb::Certificate::builder().set_certificate_arn(other.certificate_arn.clone());
        let remove = hand
            .elb
            .remove_listener_certificates()
            .listener_arn(listener);
        remove.certificates(bare.build()).send().await?;
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn what_was_changed_on_a_target_group_is_put_back_and_said() -> Result<()> {
    let (hand, _process, before) = settled().await?;
    let before = before.as_str();
    put_back(
        &hand,
        before,
        "/kube-system/healthz every 10s",
        async |hand| {
            let set = hand
                .elb
                .modify_target_group()
                .target_group_arn(hand.group().await?);
            set.health_check_path("/")
                .health_check_interval_seconds(60)
                .send()
                .await?;
            Ok(())
        },
    )
    .await?;
    put_back(
        &hand,
        before,
        "deregistration_delay.timeout_seconds=300",
        async |hand| {
            let attribute = elb::TargetGroupAttribute::builder()
                .key("deregistration_delay.timeout_seconds")
                .value("7");
            let set = hand.elb.modify_target_group_attributes();
            let set = set
                .target_group_arn(hand.group().await?)
                .attributes(attribute.build());
            set.send().await?;
            Ok(())
        },
    )
    .await?;
    let node = hand.world.instances[0].id.clone();
    put_back(&hand, before, &node, async |hand| {
        let target = elb::TargetDescription::builder().id(&hand.world.instances[0].id);
        let take = hand
            .elb
            .deregister_targets()
            .target_group_arn(hand.group().await?);
        take.targets(target.build()).send().await?;
        Ok(())
    })
    .await?;
    put_back(&hand, before, "team=web", async |hand| {
        let remove = hand.elb.remove_tags().resource_arns(hand.group().await?);
        remove.tag_keys("team").send().await?;
        Ok(())
    })
    .await?;
    let made = "it is put back: instances, HTTP 9999 in vpc-";
    put_back(&hand, before, made, async |hand| {
        // The next resync would make a listener again while the others go.
        hand.testbed.gate.stop_after(0);
        hand.testbed.gate.quiet().await;
        for port in [80, 443] {
            let listener = hand.listener(port).await?.listener_arn;
            hand.elb
                .delete_listener()
                .set_listener_arn(listener)
                .send()
                .await?;
        }
        let group = hand.group().await?;
        hand.elb
            .delete_target_group()
            .target_group_arn(group)
            .send()
            .await?;
        hand.testbed.gate.resume();
        Ok(())
    })
    .await?;
    Ok(())
}
