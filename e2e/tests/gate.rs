//! The gate, seen by the SDK that the binaries use.

use std::time::Duration;

use anyhow::Result;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_elasticloadbalancingv2 as elb;
use aws_sdk_elasticloadbalancingv2::error::{ProvideErrorMetadata, SdkError};
use isthmus_e2e::{Fault, Outcome, PATIENCE, Testbed};

/// An SDK that shows what one call gets: no retries, and patience with emulators on a busy machine.
async fn bare(testbed: &Testbed) -> SdkConfig {
    within(testbed, PATIENCE).await
}

/// The same for calls that get no answer at all.
async fn hasty(testbed: &Testbed) -> SdkConfig {
    within(testbed, Duration::from_secs(1)).await
}

async fn within(testbed: &Testbed, attempt: Duration) -> SdkConfig {
    let timeout = TimeoutConfig::builder()
        .operation_attempt_timeout(attempt)
        .build();
    testbed
        .sdk_through_gate()
        .await
        .into_builder()
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeout)
        .build()
}

fn code<E: ProvideErrorMetadata, R>(result: Result<impl Sized, SdkError<E, R>>) -> Option<String> {
    result.err()?.code().map(str::to_owned)
}

#[tokio::test]
async fn every_call_is_recorded_by_service_and_action() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let sdk = bare(&testbed).await;
    elb::Client::new(&sdk)
        .describe_load_balancers()
        .page_size(10)
        .send()
        .await?;
    let acm = aws_sdk_acm::Client::new(&sdk);
    acm.list_certificates().max_items(7).send().await?;
    let route53 = aws_sdk_route53::Client::new(&sdk);
    let zone = route53
        .create_hosted_zone()
        .name("example.org")
        .caller_reference("a");
    let zone = zone.send().await?.hosted_zone.unwrap().id;
    route53.get_hosted_zone().id(zone).send().await?;
    aws_sdk_ec2::Client::new(&sdk)
        .describe_vpcs()
        .send()
        .await?;
    let sts = aws_sdk_sts::Client::new(&sdk);
    sts.get_caller_identity().send().await?;
    let web_identity = sts.assume_role_with_web_identity();
    let role = "arn:aws:iam::123456789012:role/a";
    let web_identity = web_identity.role_arn(role).role_session_name("s");
    web_identity.web_identity_token("t").send().await?;

    let calls = testbed.gate.calls();
    let seen: Vec<_> = calls
        .iter()
        .map(|call| format!("{} {} {}", call.service, call.action, call.status))
        .collect();
    assert_eq!(
        seen,
        [
            "elasticloadbalancing DescribeLoadBalancers 200",
            "acm ListCertificates 200",
            "route53 CreateHostedZone 201",
            "route53 GetHostedZone 200",
            "ec2 DescribeVpcs 200",
            "sts GetCallerIdentity 200",
            "sts AssumeRoleWithWebIdentity 200",
        ]
    );
    assert_eq!(calls[0].params["PageSize"], "10");
    assert_eq!(calls[1].params["MaxItems"], "7");
    assert_eq!(calls[2].params["Name"], "example.org");
    assert!(calls[3].params["Id"].starts_with('Z'), "{}", calls[3]);
    let writes: Vec<_> = testbed.gate.writes().iter().map(|call| call.n).collect();
    assert_eq!(writes, [3]);
    testbed.gate.clear();
    assert!(testbed.gate.calls().is_empty());
    Ok(())
}

#[tokio::test]
async fn who_calls_too_often_is_throttled_in_the_words_of_the_service() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let sdk = bare(&testbed).await;
    let route53 = aws_sdk_route53::Client::new(&sdk);
    // Buckets that are not filled again while a slow machine empties them.
    testbed.gate.rate("route53", "", 5, 0.001);
    let mut codes = Vec::new();
    for _ in 0..6 {
        codes.push(code(route53.list_hosted_zones().send().await));
    }
    assert_eq!(codes[..5], [const { None }; 5]);
    assert_eq!(codes[5].as_deref(), Some("Throttling"));
    assert_eq!(testbed.gate.throttled(), 1);
    assert_eq!(testbed.gate.calls()[5].outcome, Outcome::Throttled);

    let elb = elb::Client::new(&sdk);
    testbed
        .gate
        .rate("elasticloadbalancing", "Describe", 2, 0.001);
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(code(elb.describe_load_balancers().send().await));
    }
    assert_eq!(codes, [None, None, Some("ThrottlingException".to_owned())]);
    assert_eq!(testbed.gate.throttled(), 2);
    Ok(())
}

#[tokio::test]
async fn an_sdk_sees_each_kind_of_fault_as_it_would_at_aws() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let elb = elb::Client::new(&bare(&testbed).await);
    let describe = || elb.describe_load_balancers().send();
    let action = "DescribeLoadBalancers";

    for (fault, expected) in [
        (Fault::throttle(action), "ThrottlingException"),
        (Fault::denied(action), "AccessDenied"),
        (Fault::internal_error(action), "InternalFailure"),
        (Fault::error(action, 400, "Own", "words"), "Own"),
    ] {
        testbed.gate.fault(fault);
        assert_eq!(code(describe().await).as_deref(), Some(expected));
    }
    testbed.gate.fault(Fault::timeout(action));
    let hasty = elb::Client::new(&hasty(&testbed).await);
    let unanswered = hasty.describe_load_balancers().send().await;
    assert!(matches!(unanswered, Err(SdkError::TimeoutError(_))));
    testbed.gate.fault(Fault::cut(action));
    assert!(matches!(
        describe().await,
        Err(SdkError::DispatchFailure(_))
    ));
    for fault in [Fault::malformed(action), Fault::half_answer(action)] {
        testbed.gate.fault(fault.clone());
        let answer = describe().await;
        assert!(answer.is_err(), "{fault:?} is taken for {answer:?}");
    }
    testbed
        .gate
        .fault(Fault::delay(action, Duration::from_millis(300)));
    let start = std::time::Instant::now();
    describe().await?;
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert!(describe().await.is_ok(), "a fault strikes once");
    assert_eq!(testbed.gate.throttled(), 0, "planned faults do not count");
    assert!(testbed.gate.internal_errors().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_lost_answer_is_of_a_call_that_was_carried_out() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let ec2 = aws_sdk_ec2::Client::new(&bare(&testbed).await);
    testbed
        .gate
        .fault(Fault::lost_answer("AllocateAddress").nth(2));
    ec2.allocate_address().send().await?;
    let lost = ec2.allocate_address().send().await;
    assert!(
        matches!(lost, Err(SdkError::DispatchFailure(_))),
        "{lost:?}"
    );
    let addresses = ec2.describe_addresses().send().await?;
    assert_eq!(addresses.addresses().len(), 2);
    assert_eq!(testbed.gate.calls()[1].outcome, Outcome::Lost);
    Ok(())
}

#[tokio::test]
async fn the_world_stops_after_call_n() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let ec2 = aws_sdk_ec2::Client::new(&bare(&testbed).await);
    testbed.gate.stop_after(2);
    ec2.allocate_address().send().await?;
    let hasty = aws_sdk_ec2::Client::new(&hasty(&testbed).await);
    let (second, ()) = tokio::join!(hasty.allocate_address().send(), testbed.gate.stopped());
    assert!(second.is_err(), "its answer never arrives");
    let third = hasty.allocate_address().send().await;
    assert!(matches!(third, Err(SdkError::TimeoutError(_))), "{third:?}");
    assert_eq!(testbed.gate.calls().len(), 2, "a held call was not made");

    testbed.gate.resume();
    let addresses = ec2.describe_addresses().send().await?;
    assert_eq!(
        addresses.addresses().len(),
        2,
        "call 2 was carried out, 3 was not"
    );
    Ok(())
}

#[tokio::test]
async fn an_internal_error_of_an_emulator_does_not_go_unseen() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let sts = aws_sdk_sts::Client::new(&bare(&testbed).await);
    let unknown = sts.decode_authorization_message().encoded_message("a");
    assert!(unknown.send().await.is_err());
    let errors = testbed.gate.internal_errors();
    assert!(
        errors.len() == 1 && errors[0].contains("DecodeAuthorizationMessage"),
        "{errors:?}"
    );
    testbed.gate.forgive_internal_errors();
    Ok(())
}
