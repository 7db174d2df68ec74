//! Entries that are refused, each alone.

use anyhow::Result;

use crate::picture::{built, routed, sorted};
use crate::stage::{Stage, entries};

const IP: &str = "192.0.2.1";

#[tokio::test]
async fn a_wrong_entry_is_told_on_its_config_map_and_harms_nobody() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply(
            "partners",
            &[
                ("all", "0.0.0.0/0"),
                ("bank", "203.0.113.0/24"),
                ("bare", "203.0.113.7"),
                ("six", "2001:db8::/32"),
                ("vpc", "10.20.1.0/24"),
            ],
        )
        .await?;
    stage.apply("others", &[("tax", "198.51.100.0/24")]).await?;
    stage.well("a", &[]).await?;
    let networks = ["198.51.100.0/24", "203.0.113.0/24"];
    assert_eq!(
        stage.picture().await?,
        sorted(&[built("a", IP), routed("a", &networks)])
    );
    assert_eq!(
        entries(&stage.status("partners").await?),
        [
            "0.0.0.0/0 rejected DefaultRoute",
            "203.0.113.0/24 accepted",
            "203.0.113.7 rejected InvalidCidr",
            "2001:db8::/32 rejected Ipv6NotSupported",
            "10.20.1.0/24 rejected PrivateRange",
        ]
    );
    let events = stage.events("partners").await?;
    for said in [
        "DefaultRoute: data key all: 0.0.0.0/0 is every address; name the networks that need a fixed source address",
        "InvalidCidr: data key bare: \"203.0.113.7\" is not a network; write 203.0.113.7/32 for a single address",
        "Ipv6NotSupported: data key six: 2001:db8::/32 is IPv6, which a NAT gateway does not translate; only IPv4 is supported",
        "PrivateRange: data key vpc: 10.20.1.0/24 overlaps with 10.0.0.0/8, which is private (RFC 1918)",
    ] {
        assert!(
            events.iter().any(|event| event == said),
            "{said}\n{events:#?}"
        );
    }
    let others = stage.events("others").await?;
    assert!(
        others.iter().all(|event| !event.contains("data key")),
        "{others:?}"
    );
    Ok(())
}

/// Every network of the VPC is nobody's to ask for, those it got later too.
#[tokio::test]
async fn all_networks_of_the_vpc_are_refused() -> Result<()> {
    let stage = Stage::new().await?;
    let request = stage.ec2().associate_vpc_cidr_block();
    let request = request.vpc_id(&stage.world.vpc);
    request.cidr_block("198.51.100.0/24").send().await?;
    stage
        .apply(
            "partners",
            &[("bank", "203.0.113.0/24"), ("own", "198.51.100.64/26")],
        )
        .await?;
    stage.well("a", &[]).await?;
    let expected = [
        "203.0.113.0/24 accepted",
        "198.51.100.64/26 rejected VpcRange",
    ];
    assert_eq!(entries(&stage.status("partners").await?), expected);
    let said = "VpcRange: data key own: 198.51.100.64/26 overlaps with the VPC's own network 198.51.100.0/24";
    assert!(stage.events("partners").await?.contains(&said.to_owned()));
    Ok(())
}

#[tokio::test]
async fn the_operators_limits_hold_for_each_entry_alone() -> Result<()> {
    let stage = Stage::new().await?;
    let older = [("a", "203.0.113.0/24"), ("large", "52.0.0.0/10")];
    stage.apply("partners", &older).await?;
    let limits = ["--max-cidrs-per-namespace=2", "--min-prefix-length=16"];
    stage.well("a", &limits).await?;
    stage.another_second("partners").await?;
    let newer = [
        ("b", "198.51.100.0/24"),
        ("c", "192.0.3.0/24"),
        ("same", "203.0.113.0/24"),
    ];
    stage.apply("another", &newer).await?;
    stage.well("a", &limits).await?;
    assert_eq!(
        entries(&stage.status("partners").await?),
        [
            "203.0.113.0/24 accepted",
            "52.0.0.0/10 rejected PrefixTooShort"
        ]
    );
    assert_eq!(
        entries(&stage.status("another").await?),
        [
            "198.51.100.0/24 accepted",
            "192.0.3.0/24 rejected NamespaceLimit",
            "203.0.113.0/24 accepted"
        ]
    );
    let networks = ["198.51.100.0/24", "203.0.113.0/24"];
    assert_eq!(
        stage.picture().await?,
        sorted(&[built("a", IP), routed("a", &networks)])
    );
    stage.idle("a", &limits).await
}
