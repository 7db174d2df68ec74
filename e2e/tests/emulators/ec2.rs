//! NAT gateways and what hangs on them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use aws_sdk_ec2::types::{Filter, NatGateway, NatGatewayState, Tag, TagSpecification};
use isthmus_e2e::{EmulatorSettings, PATIENCE, Testbed, World};

use super::code;

async fn nat_gateway(ec2: &aws_sdk_ec2::Client, id: &str) -> Result<NatGateway> {
    let found = ec2
        .describe_nat_gateways()
        .nat_gateway_ids(id)
        .send()
        .await?;
    found.nat_gateways().first().cloned().context("it is there")
}

async fn until(ec2: &aws_sdk_ec2::Client, id: &str, state: NatGatewayState) -> Result<NatGateway> {
    let start = Instant::now();
    loop {
        let gateway = nat_gateway(ec2, id).await?;
        if gateway.state == Some(state.clone()) {
            return Ok(gateway);
        }
        anyhow::ensure!(start.elapsed() < PATIENCE, "{gateway:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_nat_gateway_takes_its_time_and_holds_its_address() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let world = World::create(&testbed).await?;
    let ec2 = aws_sdk_ec2::Client::new(testbed.sdk());
    // However slowly this goes: both transitions last until it is said that they are over.
    let lasting = EmulatorSettings {
        nat_pending: Duration::from_secs(3600),
        nat_deleting: Duration::from_secs(3600),
        ..EmulatorSettings::default()
    };
    let short = EmulatorSettings::default();
    testbed.emulators().configure(&lasting).await?;
    let address = ec2.allocate_address().send().await?;
    let allocation = address.allocation_id().context("an address")?;
    assert!(
        address
            .public_ip()
            .context("an address")?
            .starts_with("192.0.2.")
    );
    let tag = Tag::builder().key("mine").value("yes").build();
    let tags = TagSpecification::builder()
        .resource_type(aws_sdk_ec2::types::ResourceType::Natgateway)
        .tags(tag)
        .build();
    let create = || {
        ec2.create_nat_gateway()
            .subnet_id(&world.public_subnets[0].id)
            .allocation_id(allocation)
            .client_token("once")
            .tag_specifications(tags.clone())
    };
    let id = create().send().await?.nat_gateway.context("made")?;
    let id = id.nat_gateway_id.context("an id")?;
    assert_eq!(
        nat_gateway(&ec2, &id).await?.state,
        Some(NatGatewayState::Pending)
    );
    let again = create().send().await?.nat_gateway.context("made")?;
    assert_eq!(
        again.nat_gateway_id.as_deref(),
        Some(id.as_str()),
        "one token, one gateway"
    );
    let other = create().subnet_id(&world.public_subnets[1].id).send().await;
    assert_eq!(code(other), "IdempotentParameterMismatch");
    testbed.emulators().configure(&short).await?;
    until(&ec2, &id, NatGatewayState::Available).await?;

    let by_tag = |value: &str| {
        let filter = Filter::builder().name("tag:mine").values(value).build();
        ec2.describe_nat_gateways().filter(filter).send()
    };
    assert_eq!(by_tag("yes").await?.nat_gateways().len(), 1);
    assert_eq!(by_tag("no").await?.nat_gateways().len(), 0);

    let table = &world.private_subnets[0].route_table;
    let route = |gateway: &str| {
        ec2.create_route()
            .route_table_id(table)
            .destination_cidr_block("198.51.100.0/24")
            .nat_gateway_id(gateway)
            .send()
    };
    assert_eq!(
        code(route("nat-0123456789abcdef0").await),
        "InvalidNatGatewayID.NotFound"
    );
    route(&id).await?;
    let release = || ec2.release_address().allocation_id(allocation).send();
    assert_eq!(code(release().await), "InvalidIPAddress.InUse");
    let subnet = &world.public_subnets[0].id;
    let delete_subnet = ec2.delete_subnet().subnet_id(subnet).send().await;
    assert_eq!(code(delete_subnet), "DependencyViolation");

    testbed.emulators().configure(&lasting).await?;
    ec2.delete_nat_gateway().nat_gateway_id(&id).send().await?;
    assert_eq!(
        nat_gateway(&ec2, &id).await?.state,
        Some(NatGatewayState::Deleting)
    );
    let tables = ec2
        .describe_route_tables()
        .route_table_ids(table)
        .send()
        .await?;
    let routes = tables.route_tables()[0].routes();
    let route = routes.iter().find(|route| route.nat_gateway_id.is_some());
    let state = route.and_then(|route| route.state.clone());
    assert_eq!(state, Some(aws_sdk_ec2::types::RouteState::Blackhole));
    testbed.emulators().configure(&short).await?;
    until(&ec2, &id, NatGatewayState::Deleted).await?;
    release().await?;
    ec2.delete_subnet().subnet_id(subnet).send().await?;
    let unknown = ec2
        .delete_nat_gateway()
        .nat_gateway_id("nat-0123456789abcdef0");
    assert_eq!(code(unknown.send().await), "NatGatewayNotFound");
    Ok(())
}

#[tokio::test]
async fn a_nat_gateway_fails_on_demand_and_says_why() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let world = World::create(&testbed).await?;
    let failure = (
        "InsufficientFreeAddressesInSubnet".to_owned(),
        "no room".to_owned(),
    );
    let settings = EmulatorSettings {
        nat_failure: Some(failure),
        ..EmulatorSettings::default()
    };
    testbed.emulators().configure(&settings).await?;
    let ec2 = aws_sdk_ec2::Client::new(testbed.sdk());
    let address = ec2.allocate_address().send().await?;
    let allocation = address.allocation_id().context("an address")?;
    let made = ec2
        .create_nat_gateway()
        .subnet_id(&world.public_subnets[0].id)
        .allocation_id(allocation);
    let id = made.send().await?.nat_gateway.context("made")?;
    let failed = until(
        &ec2,
        id.nat_gateway_id().context("an id")?,
        NatGatewayState::Failed,
    )
    .await?;
    assert_eq!(
        failed.failure_code(),
        Some("InsufficientFreeAddressesInSubnet")
    );
    assert_eq!(failed.failure_message(), Some("no room"));
    ec2.release_address()
        .allocation_id(allocation)
        .send()
        .await?;
    Ok(())
}
