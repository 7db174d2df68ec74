//! The crash test: kill a controller after every single AWS call of a scenario.

use std::ops::AsyncFn;

use anyhow::{Context, Result, bail, ensure};

use crate::{Call, Finished, Testbed};

/// One thing a controller is to bring about, from a state that `prepare` makes.
pub struct Scenario<P, E> {
    /// The binary, `isthmus-dns` say.
    pub binary: &'static str,
    /// Makes the starting state on a wiped testbed; returns the arguments of the
    /// binary (`--once` is added). What it does at AWS does not count as a call.
    pub prepare: P,
    /// What there is in the end, as text that is equal for equal states: without
    /// ids that the emulators draw at random.
    pub end_state: E,
}

/// What [`kill_after_every_call`] has seen.
#[derive(Clone, Debug)]
pub struct CrashReport {
    /// The calls of the undisturbed run.
    pub calls: Vec<Call>,
    /// After how many of them the controller was killed in turn.
    pub kills: usize,
    /// The end state, the same each time.
    pub end_state: String,
}

/// Runs the scenario undisturbed, without one throttled call, and notes the end state. Then for every n: the
/// same start, a run that is killed after its nth call (the call is carried
/// out, its answer never arrives), a run to the end. The end state must be the
/// undisturbed one, and one more run must make no writing call.
///
/// The testbeds of the pool that are free help.
///
/// # Errors
/// Naming n and the call, if a state differs, a run fails or the last one writes.
pub async fn kill_after_every_call<P, E>(
    testbed: &Testbed,
    scenario: Scenario<P, E>,
) -> Result<CrashReport>
where
    P: AsyncFn(&Testbed) -> Result<Vec<String>>,
    E: AsyncFn(&Testbed) -> Result<String>,
{
    let args = start(testbed, &scenario).await?;
    let calls = {
        run(testbed, scenario.binary, &args).await?;
        testbed.gate.calls()
    };
    let throttled = testbed.gate.throttled();
    ensure!(
        throttled == 0,
        "the undisturbed run was throttled {throttled} times"
    );
    ensure!(!calls.is_empty(), "the scenario makes no call to AWS");
    ensure!(
        calls.iter().any(Call::is_write),
        "the scenario changes nothing at AWS: there is nothing to interrupt"
    );
    let expected = (scenario.end_state)(testbed).await.context("end state")?;
    idle_run(testbed, scenario.binary, &args).await?;

    let one = async |testbed: &Testbed, (): &(), call: &Call| {
        let (n, service, action) = (call.n, &call.service, &call.action);
        let what = format!("killed after call {n} ({service} {action})");
        let end_state = one_kill(testbed, &scenario, n)
            .await
            .with_context(|| what.clone())?;
        if end_state != expected {
            bail!(
                "{what}: the end state differs\n--- undisturbed\n{expected}\n--- now\n{end_state}"
            );
        }
        Ok(())
    };
    testbed.share(&calls, async |_| Ok(()), one).await?;
    Ok(CrashReport {
        kills: calls.len(),
        calls,
        end_state: expected,
    })
}

/// The end state after a run that was killed after call `n`, and another one.
async fn one_kill<P, E>(testbed: &Testbed, scenario: &Scenario<P, E>, n: usize) -> Result<String>
where
    P: AsyncFn(&Testbed) -> Result<Vec<String>>,
    E: AsyncFn(&Testbed) -> Result<String>,
{
    let args = start(testbed, scenario).await?;
    testbed.gate.stop_after(n);
    let mut process = testbed
        .command(scenario.binary)
        .await?
        .args(&args)
        .spawn()?;
    // Calls differ a little from run to run (waiting for AWS): a run with
    // fewer of them ends by itself, which is as good.
    tokio::select! {
        () = testbed.gate.stopped() => {}
        ended = process.finished() => { ended?; }
    }
    process.kill().await?;
    testbed.gate.quiet().await;
    testbed.gate.resume();
    testbed.gate.clear();
    run(testbed, scenario.binary, &args)
        .await
        .context("the run after it")?;
    let end_state = (scenario.end_state)(testbed).await.context("end state")?;
    idle_run(testbed, scenario.binary, &args).await?;
    Ok(end_state)
}

async fn start<P, E>(testbed: &Testbed, scenario: &Scenario<P, E>) -> Result<Vec<String>>
where
    P: AsyncFn(&Testbed) -> Result<Vec<String>>,
{
    testbed.wipe().await?;
    let mut args = (scenario.prepare)(testbed).await.context("prepare")?;
    if !args.iter().any(|arg| arg == "--once") {
        args.push("--once".to_owned());
    }
    testbed.gate.clear();
    Ok(args)
}

async fn run(testbed: &Testbed, binary: &'static str, args: &[String]) -> Result<Finished> {
    let finished = testbed.command(binary).await?.args(args).run().await?;
    ensure!(finished.code == Some(0), "{binary}: {finished}");
    Ok(finished)
}

/// A run that must not change anything any more.
async fn idle_run(testbed: &Testbed, binary: &'static str, args: &[String]) -> Result<()> {
    testbed.gate.clear();
    run(testbed, binary, args)
        .await
        .context("a run with nothing to do")?;
    let writes: Vec<String> = testbed
        .gate
        .writes()
        .iter()
        .map(ToString::to_string)
        .collect();
    ensure!(
        writes.is_empty(),
        "a run with nothing to do writes:\n{}",
        writes.join("\n")
    );
    Ok(())
}
