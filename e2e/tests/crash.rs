//! The crash test itself: a controller that survives it passes, one that does
//! not is found out. The controllers are a few lines of Python.

use anyhow::Result;
use isthmus_e2e::{Scenario, Testbed, kill_after_every_call};

/// Wants one Elastic IP with a tag. `careful` tags it in the call that makes it;
/// `careless` in a second one; `forgetful` does not look before.
const CONTROLLER: &str = r#"
import os, re, sys, urllib.request

def call(**form):
    scope = "testbed/20260101/eu-central-1/ec2/aws4_request"
    request = urllib.request.Request(
        os.environ["AWS_ENDPOINT_URL"],
        data=urllib.parse.urlencode({"Version": "2016-11-15", **form}).encode(),
        headers={"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"},
    )
    return urllib.request.urlopen(request).read().decode()

mode = sys.argv[1]
there = call(**{"Action": "DescribeAddresses", "Filter.1.Name": "tag:mine", "Filter.1.Value.1": "yes"})
if mode == "forgetful" or "eipalloc-" not in there:
    tags = {"TagSpecification.1.ResourceType": "elastic-ip", "TagSpecification.1.Tag.1.Key": "mine", "TagSpecification.1.Tag.1.Value": "yes"}
    made = call(Action="AllocateAddress", **({} if mode == "careless" else tags))
    if mode == "careless":
        made = re.search("eipalloc-[0-9a-f]+", made).group()
        call(**{"Action": "CreateTags", "ResourceId.1": made, "Tag.1.Key": "mine", "Tag.1.Value": "yes"})
"#;

async fn crash(mode: &str) -> Result<isthmus_e2e::CrashReport> {
    let testbed = Testbed::acquire().await?;
    let scenario = Scenario {
        binary: "/usr/bin/env",
        prepare: async |_: &Testbed| {
            Ok(["python3", "-c", CONTROLLER, mode].map(String::from).into())
        },
        end_state: async |testbed: &Testbed| {
            let ec2 = aws_sdk_ec2::Client::new(testbed.sdk());
            let addresses = ec2.describe_addresses().send().await?;
            let tags = addresses
                .addresses()
                .iter()
                .map(|address| address.tags().len());
            Ok(format!(
                "tags of each address: {:?}",
                tags.collect::<Vec<_>>()
            ))
        },
    };
    kill_after_every_call(&testbed, scenario).await
}

#[tokio::test]
async fn a_controller_that_converges_passes() -> Result<()> {
    let report = crash("careful").await?;
    let calls: Vec<_> = report
        .calls
        .iter()
        .map(|call| call.action.as_str())
        .collect();
    assert_eq!(calls, ["DescribeAddresses", "AllocateAddress"]);
    assert_eq!(report.kills, 2);
    assert_eq!(report.end_state, "tags of each address: [1]");
    Ok(())
}

#[tokio::test]
async fn one_that_loses_what_it_made_is_found_out() {
    let error = crash("careless").await.expect_err("it leaves an address");
    let error = format!("{error:#}");
    assert!(
        error.contains("killed after call 2 (ec2 AllocateAddress)") && error.contains("[0, 1]"),
        "{error}"
    );
}

#[tokio::test]
async fn one_that_goes_on_writing_is_found_out() {
    let error = crash("forgetful").await.expect_err("it never stops");
    let error = format!("{error:#}");
    assert!(
        error.contains("a run with nothing to do writes") && error.contains("AllocateAddress"),
        "{error}"
    );
}
