//! N22: what is served has life left while STS answers, and is served to its end
//! when STS does not.

use std::time::Duration;

use anyhow::{Context, Result};
use isthmus_e2e::{Fault, Testbed};
use jiff::Timestamp;

use crate::client::{A, B, LIST, Proxy, ROLE, pod, until};

/// AWS gives nothing for less than 15 minutes; here time passes faster. What
/// has to happen within this happens in its first half.
const LIFE: Duration = Duration::from_secs(60);

fn expires(credentials: &serde_json::Value) -> Result<Timestamp> {
    let text = credentials["Expiration"].as_str().context("Expiration")?;
    Ok(text.parse()?)
}

#[tokio::test]
async fn credentials_are_renewed_ahead_and_else_served_to_their_end() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    for (name, ip) in [("a", A), ("b", B)] {
        let role = format!("role-{name}");
        testbed.apply_yaml(&pod(name, ip, &[(ROLE, &role)])).await?;
    }
    let short = |role: &str| Fault::expires_in("AssumeRole", LIFE).mentioning(role);
    testbed.gate.fault(short("role-a").always());
    // STS gives them once, and refuses from then on.
    testbed.gate.fault(short("role-b"));
    let denied = Fault::denied("AssumeRole").mentioning("role-b");
    testbed.gate.fault(denied.always());
    let proxy = Proxy::start(&testbed, &["--iam-role-error-ttl=1s"]).await?;
    tokio::try_join!(
        renewed_ahead(&testbed, &proxy),
        served_to_their_end(&testbed, &proxy)
    )?;
    testbed.gate.clear_faults();
    until("STS gives new ones", async || {
        Ok(proxy.status(B, &format!("{LIST}role-b")).await? == 200)
    })
    .await
}

/// The calls for a role.
fn calls(testbed: &Testbed, role: &str) -> usize {
    let calls = testbed.gate.calls();
    let of_role = calls
        .iter()
        .filter(|call| call.params["RoleArn"].ends_with(role));
    of_role.count()
}

/// Nobody asks, and STS is asked again while the old ones have half of their life.
async fn renewed_ahead(testbed: &Testbed, proxy: &Proxy) -> Result<()> {
    let first = proxy.credentials(A).await?;
    until("STS is asked again", async || {
        Ok(calls(testbed, "role-a") >= 2)
    })
    .await?;
    assert!(Timestamp::now() < expires(&first)?, "too late");
    until("the new ones are served", async || {
        Ok(proxy.credentials(A).await?["AccessKeyId"] != first["AccessKeyId"])
    })
    .await
}

/// The refusal of a renewal changes nothing for the pod.
async fn served_to_their_end(testbed: &Testbed, proxy: &Proxy) -> Result<()> {
    let last = proxy.credentials(B).await?;
    let end = expires(&last)?;
    until("STS has refused more than once", async || {
        Ok(calls(testbed, "role-b") >= 3)
    })
    .await?;
    let path = format!("{LIST}role-b");
    let (mut served, mut refused) = (0, None);
    while refused.is_none() {
        let asked = Timestamp::now();
        let reply = proxy.get(B, &path).await?;
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
    Ok(())
}
