//! What the role may not do is named at the start, before it is needed.

use anyhow::Result;
use isthmus_e2e::{Fault, eventually};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;

use crate::stage::{BINARY, Stage};

const FORBIDDEN: [&str; 2] = ["CreateNatGateway", "CreateRoute"];
const NAMED: &str = "AWS does not allow ec2:CreateNatGateway, ec2:CreateRoute:";

/// A VPC that is built in, and a role that has lost two rights since.
async fn restricted() -> Result<Stage> {
    let stage = Stage::new().await?;
    stage
        .apply("partners", &[("bank", "203.0.113.0/24")])
        .await?;
    stage.well("a", &[]).await?;
    for action in FORBIDDEN {
        let fault = Fault::denied(&format!("DryRun{action}"));
        stage.testbed.gate.fault(fault.always());
    }
    stage.testbed.gate.clear();
    Ok(stage)
}

fn rehearsed(stage: &Stage) -> Vec<String> {
    let calls = stage.testbed.gate.calls();
    let actions = calls.into_iter().map(|call| call.action);
    actions.filter(|name| name.starts_with("DryRun")).collect()
}

#[tokio::test]
async fn what_is_not_allowed_is_named_before_it_is_needed() -> Result<()> {
    let stage = restricted().await?;
    let command = stage.testbed.command(BINARY).await?;
    let pod = [
        ("POD_NAME", "isthmus-egress-1"),
        ("POD_NAMESPACE", "kube-system"),
        ("POD_UID", "1b4e28ba"),
    ];
    let command = pod
        .into_iter()
        .fold(command, |command, (name, value)| command.env(name, value));
    let mut process = command.args(&stage.flags("a", &[])).spawn()?;
    process.wait_ready().await?;
    let events: Api<Event> = Api::namespaced(stage.testbed.kube(), "kube-system");
    eventually("an Event on the pod", async || {
        let found = events.list(&ListParams::default()).await?.items;
        let said = found.into_iter().find(|event| {
            let pod = event.regarding.clone().unwrap_or_default();
            pod.name.as_deref() == Some("isthmus-egress-1")
                && pod.uid.as_deref() == Some("1b4e28ba")
                && event.reason.as_deref() == Some("MissingAwsRights")
                && event
                    .note
                    .as_ref()
                    .is_some_and(|note| note.starts_with(NAMED))
        });
        Ok(said.map(|_| ()))
    })
    .await?;
    let asked = rehearsed(&stage);
    assert!(asked.len() < 20, "{asked:?}");
    assert!(
        asked.contains(&"DryRunDeleteNatGateway".to_owned()),
        "{asked:?}"
    );
    let writes = stage.testbed.gate.writes();
    assert!(writes.is_empty(), "asking is no writing: {writes:?}");
    let finished = process.terminate().await?;
    let lines = finished.stderr.lines();
    let naming = lines.filter(|line| line.contains(NAMED)).count();
    assert_eq!(naming, 1, "{finished}");
    Ok(())
}

#[tokio::test]
async fn a_dry_run_fails_for_want_of_a_right_and_a_single_run_does_not_ask() -> Result<()> {
    let stage = restricted().await?;
    let dry = stage.once("a", &["--dry-run"]).await?;
    assert_eq!(dry.code, Some(1), "{dry}");
    assert!(dry.stderr.contains(NAMED), "{dry}");
    assert!(stage.testbed.gate.writes().is_empty());
    stage.testbed.gate.clear();
    stage.well("a", &[]).await?;
    assert_eq!(rehearsed(&stage), Vec::<String>::new());
    Ok(())
}

/// An emulator would carry out what it is only asked about.
#[tokio::test]
async fn an_endpoint_without_dry_runs_is_asked_nothing() -> Result<()> {
    let stage = restricted().await?;
    let ignored = Fault::malformed("DryRunDescribeRouteTables");
    stage.testbed.gate.fault(ignored.always());
    let dry = stage.once("a", &["--dry-run"]).await?;
    assert_eq!(dry.code, Some(0), "{dry}");
    let asked = rehearsed(&stage);
    assert!(
        asked
            .iter()
            .all(|action| action.starts_with("DryRunDescribe")),
        "{asked:?}"
    );
    Ok(())
}
