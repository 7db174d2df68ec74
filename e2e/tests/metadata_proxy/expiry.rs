//! N22: what is served has life left while STS answers, and is served to its end
//! when STS does not.

use std::time::Duration;

use anyhow::{Context, Result};
use isthmus_e2e::{Fault, PATIENCE, Testbed};
use jiff::Timestamp;

use crate::client::{A, LIST, Proxy, ROLE, pod, until};

/// AWS gives nothing for less than 15 minutes; here time passes faster.
const LIFE: Duration = Duration::from_secs(24);

fn expires(credentials: &serde_json::Value) -> Result<Timestamp> {
    let text = credentials["Expiration"].as_str().context("Expiration")?;
    Ok(text.parse()?)
}

#[tokio::test]
async fn credentials_are_renewed_ahead_and_else_served_to_their_end() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    testbed
        .apply_yaml(&pod("a", A, &[(ROLE, "role-a")]))
        .await?;
    testbed
        .gate
        .fault(Fault::expires_in("AssumeRole", LIFE).always());
    let proxy = Proxy::start(&testbed, &["--iam-role-error-ttl=1s"]).await?;
    let first = proxy.credentials(A).await?;

    // Nobody asks, and STS is asked again while the old ones have half of their life.
    let calls = |count: usize| {
        let gate = &testbed.gate;
        gate.wait_for(PATIENCE, move |calls| calls.len() >= count)
    };
    calls(2).await?;
    assert!(Timestamp::now() < expires(&first)?, "too late");
    until("the new ones are served", async || {
        Ok(proxy.credentials(A).await?["AccessKeyId"] != first["AccessKeyId"])
    })
    .await?;

    // STS refuses from now on; the refusal of a renewal changes nothing for the pod.
    testbed.gate.clear_faults();
    testbed.gate.fault(Fault::denied("AssumeRole").always());
    let last = proxy.credentials(A).await?;
    let end = expires(&last)?;
    let seen = testbed.gate.calls().len();
    calls(seen + 2).await?;
    let path = format!("{LIST}role-a");
    let (mut served, mut refused) = (0, None);
    while refused.is_none() {
        let asked = Timestamp::now();
        let reply = proxy.get(A, &path).await?;
        match reply.status {
            200 => {
                let given: serde_json::Value = serde_json::from_str(&reply.body)?;
                assert_eq!(given["AccessKeyId"], last["AccessKeyId"]);
                assert!(asked < end, "dead credentials were served");
                served += 1;
            }
            _ => refused = Some(reply),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(Timestamp::now() >= end, "refused before their end");
    assert!(served > 0, "none was served while STS refused");
    let refused = refused.context("a refusal")?;
    assert!(matches!(refused.status, 500 | 503), "{refused:?}");

    testbed.gate.clear_faults();
    until("STS gives new ones", async || {
        Ok(proxy.status(A, &path).await? == 200)
    })
    .await
}
