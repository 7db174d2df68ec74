//! What is printed when something is wrong, and that a dry run touches nothing.

use anyhow::Result;
use isthmus_e2e::{EmulatorSettings, Fault};
use serde_json::json;

use crate::stage::{BINARY, STATUS, Stage, built, entries, is_gone, routed, sorted};

const IP: &str = "192.0.2.1";

#[tokio::test]
async fn a_dry_run_prints_its_plan_and_writes_nothing() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply(
            "partners",
            &[("bank", "203.0.113.0/24"), ("bad", "10.0.0.0/8")],
        )
        .await?;
    let finished = stage.well("a", &["--dry-run"]).await?;
    let (gateway, table) = (&stage.world.internet_gateway, stage.table("a"));
    let expected = format!(
        "+ subnet eu-central-1a: 10.20.255.0/28\n\
         + route-table eu-central-1a\n\
         + default-route eu-central-1a: 0.0.0.0/0 in the new one to {gateway}\n\
         + association eu-central-1a: subnet the new one with table the new one\n\
         + address eu-central-1a\n\
         + nat-gateway eu-central-1a: in subnet the new one with address the new one\n\
         ! + route 203.0.113.0/24 in {table}: to the new NAT gateway of eu-central-1a \
         (withheld: eu-central-1a has no NAT gateway yet)\n"
    );
    assert_eq!(finished.stdout, expected, "{finished}");
    assert_eq!(stage.testbed.gate.writes().len(), 0);
    assert_eq!(stage.picture().await?, [""; 0]);
    assert_eq!(
        stage.events("partners").await?,
        [""; 0],
        "a dry run sends no Event"
    );
    assert_eq!(
        stage.status("partners").await?,
        json!(null),
        "a dry run writes no {STATUS}"
    );
    Ok(())
}

#[tokio::test]
async fn wrong_flags_end_it_before_anything_is_touched() -> Result<()> {
    let stage = Stage::new().await?;
    let args = [
        "--provider=gcp",
        "--aws-az=eu-central-1a",
        "--aws-az=eu-central-1b",
        "--aws-nat-cidr-block=10.20.255.0/29",
        "--additional-stack-tags=team",
        "--master=http://a",
        "--master=http://b",
        "--frobnicate",
    ];
    let finished = stage.testbed.run(BINARY, &args).await?;
    assert_eq!(finished.code, Some(2), "{finished}");
    let mut lines: Vec<_> = finished.stderr.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "--additional-stack-tags: \"team\" is not allowed; allowed: KEY=VALUE with exactly one =",
            "--aws-nat-cidr-block: \"10.20.255.0/29\" is not allowed; allowed: an IPv4 network of the VPC with a prefix of 16 to 28, such as 10.0.255.0/28",
            "--aws-nat-cidr-block: \"10.20.255.0/29\" is not allowed; allowed: as many networks as --aws-az has zones (2), in the same order",
            "--frobnicate: no such flag",
            "--master: \"http://a,http://b\" is not allowed; allowed: one cluster; run isthmus-egress in each",
            "--provider: \"gcp\" is not allowed; allowed: aws, noop",
        ]
    );
    assert_eq!(stage.testbed.gate.calls().len(), 0);
    Ok(())
}

#[tokio::test]
async fn the_older_flags_are_accepted_and_each_says_one_line() -> Result<()> {
    let stage = Stage::new().await?;
    let older = [
        "--dry-run",
        "--cf-template-bucket=bucket",
        "--stack-termination-protection",
        "--use-platform-credentials",
        "--credentials-dir=/meta/credentials",
        "--master=",
        "--address=127.0.0.1:0",
    ];
    let finished = stage.well("a", &older).await?;
    for flag in &older[1..] {
        let flag = flag.split('=').next().unwrap_or_default();
        let lines = finished
            .stderr
            .lines()
            .filter(|line| line.contains(flag))
            .count();
        assert_eq!(lines, usize::from(flag != "--master"), "{flag}: {finished}");
    }
    Ok(())
}

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

#[tokio::test]
async fn what_is_unreachable_is_named() -> Result<()> {
    let stage = Stage::new().await?;
    let args = stage.flags("a", &["--once"]);
    let command = async || anyhow::Ok(stage.testbed.command(BINARY).await?.args(&args));

    let nobody = stage.testbed.scratch()?.join("kubeconfig");
    let text = "{apiVersion: v1, kind: Config, current-context: c, \
                contexts: [{name: c, context: {cluster: c, user: u}}], \
                clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}], \
                users: [{name: u, user: {}}]}";
    std::fs::write(&nobody, text)?;
    let finished = command()
        .await?
        .env("KUBECONFIG", &nobody.display().to_string())
        .run()
        .await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    let line = finished.stderr.lines().last().unwrap_or_default();
    let said = "isthmus-egress: the Kubernetes API server https://127.0.0.1:1/";
    assert!(line.starts_with(said), "{finished}");

    let finished = command()
        .await?
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .run()
        .await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(
        finished.stderr.contains("observe") && finished.stderr.contains("AWS was not reached"),
        "{finished}"
    );

    let finished = command()
        .await?
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .run()
        .await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    let line = finished.stderr.lines().last().unwrap_or_default();
    assert!(
        line.starts_with("isthmus-egress: no AWS credentials: "),
        "{finished}"
    );
    assert_eq!(stage.testbed.gate.calls().len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_read_that_fails_removes_nothing() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply("partners", &[("bank", "203.0.113.0/24")])
        .await?;
    stage.well("a", &[]).await?;
    let before = stage.picture().await?;
    stage.delete("partners").await?;
    for action in [
        "DescribeVpcs",
        "DescribeSubnets",
        "DescribeRouteTables",
        "DescribeAddresses",
        "DescribeNatGateways",
    ] {
        for fault in [Fault::denied(action), Fault::malformed(action)] {
            stage.testbed.gate.fault(fault.always());
            let finished = stage.once("a", &[]).await?;
            stage.testbed.gate.clear_faults();
            assert_eq!(finished.code, Some(1), "{action}: {finished}");
            assert_eq!(stage.picture().await?, before, "{action}: {finished}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_failed_nat_gateway_is_said_and_replaced_with_its_address() -> Result<()> {
    let stage = Stage::new().await?;
    let reason = "Subnet has insufficient free addresses to create this NAT gateway";
    let failing = EmulatorSettings {
        nat_failure: Some(("InsufficientFreeAddressesInSubnet".into(), reason.into())),
        ..EmulatorSettings::default()
    };
    stage.testbed.emulators().configure(&failing).await?;
    stage
        .apply("partners", &[("bank", "203.0.113.0/24")])
        .await?;
    let mut process = {
        let args = stage.flags("a", &[]);
        stage.testbed.command(BINARY).await?.args(&args).spawn()?
    };
    process.wait_ready().await?;
    let said = format!("InsufficientFreeAddressesInSubnet: {reason}");
    crate::stage::eventually("the failure on the ConfigMap", async || {
        let status = stage.status("partners").await?;
        let message = status["zones"][0]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let events = stage.events("partners").await?;
        let event = events
            .iter()
            .any(|event| event.starts_with("NatGatewayFailed") && event.contains(&said));
        Ok((message.contains(&said) && event).then_some(()))
    })
    .await?;
    // It is replaced at once, the next time after a minute.
    let gate = &stage.testbed.gate;
    gate.wait_for(std::time::Duration::from_secs(30), |calls| {
        calls
            .iter()
            .filter(|call| call.action == "CreateNatGateway")
            .count()
            == 2
    })
    .await?;
    stage
        .testbed
        .emulators()
        .configure(&EmulatorSettings::default())
        .await?;
    process.terminate().await?;
    let calls = gate.calls_of("CreateNatGateway");
    assert_ne!(
        calls[0].params.get("ClientToken"),
        calls[1].params.get("ClientToken")
    );
    assert_eq!(
        calls[0].params.get("AllocationId"),
        calls[1].params.get("AllocationId")
    );
    assert_eq!(gate.calls_of("AllocateAddress").len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_nat_gateway_that_fails_once_leaves_nothing_behind() -> Result<()> {
    let stage = Stage::new().await?;
    let failing = EmulatorSettings {
        nat_failure: Some(("InternalError".into(), "Please try again.".into())),
        ..EmulatorSettings::default()
    };
    stage.testbed.emulators().configure(&failing).await?;
    stage
        .apply("partners", &[("bank", "203.0.113.0/24")])
        .await?;
    let args = stage.flags("a", &["--once"]);
    let mut process = stage.testbed.command(BINARY).await?.args(&args).spawn()?;
    let gate = &stage.testbed.gate;
    let waited = gate.wait_for(std::time::Duration::from_secs(30), |calls| {
        calls
            .iter()
            .any(|call| call.action == "CreateNatGateway" && call.status == 200)
    });
    waited.await?;
    stage
        .testbed
        .emulators()
        .configure(&EmulatorSettings::default())
        .await?;
    let finished = process.finished().await?;
    assert_eq!(finished.code, Some(0), "{finished}");
    assert_eq!(
        stage.picture().await?,
        sorted(&[built("a", IP), routed("a", &["203.0.113.0/24"])])
    );
    let nats = stage.ec2().describe_nat_gateways().send().await?;
    let live: Vec<_> = nats
        .nat_gateways()
        .iter()
        .filter(|nat| !is_gone(nat))
        .collect();
    assert_eq!(
        (live.len(), nats.nat_gateways().len()),
        (1, 2),
        "the failed one is deleted"
    );
    assert_eq!(gate.calls_of("AllocateAddress").len(), 1);
    stage.idle("a", &[]).await
}

#[tokio::test]
async fn a_nat_gateway_that_keeps_failing_ends_a_single_run() -> Result<()> {
    let stage = Stage::new().await?;
    let failing = EmulatorSettings {
        nat_failure: Some(("InternalError".into(), "Please try again.".into())),
        ..EmulatorSettings::default()
    };
    stage.testbed.emulators().configure(&failing).await?;
    stage
        .apply("partners", &[("bank", "203.0.113.0/24")])
        .await?;
    let finished = stage.once("a", &[]).await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    assert_eq!(
        stage.testbed.gate.calls_of("CreateNatGateway").len(),
        2,
        "the first replacement at once, the next one after a minute"
    );
    let status = stage.status("partners").await?;
    assert_eq!(status["zones"][0]["state"], json!("failed"));
    Ok(())
}

#[tokio::test]
async fn throttling_is_waited_for_and_nothing_is_made_twice() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply("partners", &[("bank", "203.0.113.0/24")])
        .await?;
    for action in [
        "DescribeSubnets",
        "CreateSubnet",
        "AllocateAddress",
        "CreateNatGateway",
        "CreateRoute",
    ] {
        stage.testbed.gate.fault(Fault::throttle(action).times(4));
    }
    for _ in 0..30 {
        if stage.once("a", &[]).await?.code == Some(0) {
            break;
        }
    }
    assert_eq!(
        stage.picture().await?,
        sorted(&[built("a", IP), routed("a", &["203.0.113.0/24"])])
    );
    stage.idle("a", &[]).await
}

#[tokio::test]
async fn a_denied_call_is_told_to_those_who_asked_and_stops_only_its_kind() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply(
            "partners",
            &[("bank", "203.0.113.0/24"), ("tax", "198.51.100.0/24")],
        )
        .await?;
    stage.well("a", &[]).await?;
    stage
        .apply("others", &[("a", "192.0.3.0/24"), ("b", "192.0.4.0/24")])
        .await?;
    stage.delete("partners").await?;
    stage.testbed.gate.clear();
    stage
        .testbed
        .gate
        .fault(Fault::denied("CreateRoute").always());
    let finished = stage.once("a", &[]).await?;
    assert_eq!(finished.code, Some(1), "{finished}");
    assert_eq!(
        stage.testbed.gate.calls_of("CreateRoute").len(),
        1,
        "not once for each network"
    );
    assert_eq!(
        stage.testbed.gate.calls_of("DeleteRoute").len(),
        2,
        "the others go on"
    );
    let events = stage.events("others").await?;
    assert!(
        events
            .iter()
            .any(|event| event.starts_with("EgressFailed: + route 192.0.3.0/24")),
        "{events:?}"
    );
    let status = stage.status("others").await?;
    assert_eq!(entries(&status)[0], "192.0.3.0/24 pending Failed");
    Ok(())
}

#[tokio::test]
async fn a_mass_removal_is_withheld_until_somebody_says_yes() -> Result<()> {
    let stage = Stage::new().await?;
    let networks: Vec<(String, String)> = (0..12)
        .map(|n| (format!("k{n:02}"), format!("198.51.{n}.0/24")))
        .collect();
    let data: Vec<(&str, &str)> = networks
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    stage.apply("partners", &data).await?;
    stage.apply("others", &[("bank", "203.0.113.0/24")]).await?;
    stage.well("a", &[]).await?;
    let before = stage.picture().await?;
    stage.delete("partners").await?;
    let finished = stage.well("a", &[]).await?;
    assert_eq!(stage.picture().await?, before, "{finished}");
    assert!(
        finished.stderr.contains("this plan removes 12 of 14"),
        "{finished}"
    );
    let events = stage.events("others").await?;
    assert!(
        events
            .iter()
            .any(|event| event.starts_with("RemovalWithheld: this plan removes 12")),
        "{events:?}"
    );
    stage.well("a", &["--allow-mass-removal"]).await?;
    assert_eq!(
        stage.picture().await?,
        sorted(&[built("a", IP), routed("a", &["203.0.113.0/24"])])
    );
    Ok(())
}

#[tokio::test]
async fn a_full_route_table_leaves_entries_pending() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply(
            "partners",
            &[("a", "203.0.113.0/24"), ("b", "198.51.100.0/24")],
        )
        .await?;
    let full = Fault::error(
        "CreateRoute",
        400,
        "RouteLimitExceeded",
        "The maximum number of routes has been reached.",
    );
    // The first is the default route of the NAT subnet, the second a network's.
    stage.testbed.gate.fault(full.nth(3).always());
    stage.well("a", &[]).await?;
    let status = stage.status("partners").await?;
    assert_eq!(
        entries(&status),
        ["203.0.113.0/24 pending quota", "198.51.100.0/24 accepted"]
    );
    let events = stage.events("partners").await?;
    assert!(
        events
            .iter()
            .any(|event| event.starts_with("RouteQuota: 203.0.113.0/24")),
        "{events:?}"
    );
    stage.testbed.gate.clear_faults();
    stage.well("a", &[]).await?;
    let status = stage.status("partners").await?;
    assert_eq!(
        entries(&status),
        ["203.0.113.0/24 accepted", "198.51.100.0/24 accepted"]
    );
    Ok(())
}

#[tokio::test]
async fn the_noop_provider_judges_and_calls_nothing() -> Result<()> {
    let stage = Stage::new().await?;
    stage
        .apply(
            "partners",
            &[("bank", "203.0.113.0/24"), ("bad", "10.0.0.0/8")],
        )
        .await?;
    let finished = stage
        .testbed
        .run(BINARY, &["--provider=noop", "--once"])
        .await?;
    assert_eq!(finished.code, Some(0), "{finished}");
    assert_eq!(stage.testbed.gate.calls().len(), 0);
    assert_eq!(stage.status("partners").await?, json!(null));
    let events = stage.events("partners").await?;
    assert!(
        events
            .iter()
            .any(|event| event.starts_with("PrivateRange: data key bad")),
        "{events:?}"
    );
    Ok(())
}
