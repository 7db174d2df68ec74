use super::*;

#[test]
fn kinds_come_from_codes() {
    for (code, expected) in [
        ("NatGatewayNotFound", Ec2ErrorKind::Gone),
        ("InvalidSubnetID.NotFound", Ec2ErrorKind::Gone),
        ("InvalidRoute.NotFound", Ec2ErrorKind::Gone),
        ("RouteAlreadyExists", Ec2ErrorKind::AlreadyThere),
        ("RouteLimitExceeded", Ec2ErrorKind::RouteQuota),
        ("DependencyViolation", Ec2ErrorKind::Other),
        ("", Ec2ErrorKind::Other),
    ] {
        assert_eq!(kind(code), expected, "{code}");
    }
}

#[test]
fn only_routes_that_somebody_made_count_as_made() {
    let of = |origin: RouteOrigin| {
        let built = types::Route::builder()
            .destination_cidr_block("203.0.113.0/24")
            .nat_gateway_id("nat-1")
            .state(RouteState::Blackhole)
            .origin(origin);
        route(&built.build()).unwrap()
    };
    assert!(of(RouteOrigin::CreateRoute).created && of(RouteOrigin::CreateRoute).blackhole);
    assert!(!of(RouteOrigin::EnableVgwRoutePropagation).created);
    let v6 = types::Route::builder()
        .destination_ipv6_cidr_block("::/0")
        .build();
    assert_eq!(route(&v6), None);
}

#[test]
fn a_failed_nat_gateway_says_why() {
    let built = types::NatGateway::builder()
        .nat_gateway_id("nat-1")
        .state(NatGatewayState::Failed)
        .failure_code("InsufficientFreeAddressesInSubnet")
        .failure_message("Subnet has insufficient free addresses to create this NAT gateway");
    let (_, nat) = nat_gateway(&built.build()).unwrap();
    assert_eq!(
        nat.failure.unwrap(),
        "InsufficientFreeAddressesInSubnet: Subnet has insufficient free addresses to create this NAT gateway"
    );
}

#[test]
fn what_cannot_be_is_an_error_and_not_left_out() {
    let nameless = types::NatGateway::builder()
        .state(NatGatewayState::Available)
        .build();
    assert!(nat_gateway(&nameless).is_err());
    let strange = types::NatGateway::builder()
        .nat_gateway_id("nat-1")
        .state("resting".into())
        .build();
    assert_eq!(
        nat_gateway(&strange).unwrap_err().to_string(),
        "EC2 gave nat-1 the state resting"
    );
    assert!(route_table(&types::RouteTable::builder().build()).is_err());
}

#[test]
fn networks_on_their_way_out_of_the_vpc_still_count() {
    let association = |cidr: &str, state: VpcCidrBlockStateCode| {
        let state = types::VpcCidrBlockState::builder().state(state).build();
        types::VpcCidrBlockAssociation::builder()
            .cidr_block(cidr)
            .cidr_block_state(state)
            .build()
    };
    let built = types::Vpc::builder()
        .vpc_id("vpc-1")
        .cidr_block("10.20.0.0/16")
        .cidr_block_association_set(association(
            "10.20.0.0/16",
            VpcCidrBlockStateCode::Associated,
        ))
        .cidr_block_association_set(association(
            "10.21.0.0/16",
            VpcCidrBlockStateCode::Disassociating,
        ))
        .cidr_block_association_set(association(
            "10.22.0.0/16",
            VpcCidrBlockStateCode::Disassociated,
        ));
    let found = vpc(&built.build()).unwrap();
    let cidrs: Vec<_> = found.vpc.cidrs.iter().map(ToString::to_string).collect();
    assert_eq!(cidrs, ["10.20.0.0/16", "10.21.0.0/16"]);
}
