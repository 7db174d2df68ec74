//! `cargo playground`: the four programs at work on real parts, for a newcomer.
//!
//! It builds what it needs, starts the testbed and the binaries, applies
//! `docs/examples`, says what each program plans while it happens, and ends with
//! a picture of the result. The picture is drawn from what is read back from the
//! API server and from AWS, and the check of `--once` is that nothing is missing in it.

mod kubelet;
mod picture;
mod programs;
mod tree;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;

use crate::{Command, Testbed, World, binaries};
pub use programs::Programs;
use tree::Tree;

/// How long the programs may take until the picture is whole.
const PATIENCE: Duration = Duration::from_secs(180);

/// See the four programs of Isthmus at work: on a real API server and an
/// emulated AWS, on this machine, with nothing to pay and nothing to clean up.
#[derive(Debug, Parser)]
#[command(name = "cargo playground")]
struct Options {
    /// Check the result and exit: 0 if everything is there, 1 naming what is missing.
    #[arg(long)]
    once: bool,

    /// Use the cluster of this kubeconfig (kind, minikube) in place of the built
    /// API server. It should be one to throw away: the examples are applied to
    /// it, and three Nodes and a namespace stay behind.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

/// The whole of the playground's `main`.
pub async fn main() -> ExitCode {
    match play(Options::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("playground: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn play(options: Options) -> Result<ExitCode> {
    let start = Instant::now();
    heading("Building the four programs and the testbed (the first time takes minutes)");
    for binary in binaries::ALL {
        tokio::task::spawn_blocking(move || binaries::path(binary)).await??;
    }
    heading("Starting the API server, the AWS emulators and the gate between");
    let testbed = match &options.kubeconfig {
        Some(file) => Testbed::with_kubeconfig(file).await?,
        None => Testbed::acquire().await?,
    };
    let world = World::create(&testbed).await?;
    testbed.apply_yaml(&kubelet::node()).await?;
    heading("Starting the four programs");
    let mut programs = Programs::start(&testbed, &world, |_, command| command).await?;
    heading("Applying docs/examples");
    apply_examples(&testbed).await?;
    let picture = settle(&testbed, &world, &mut programs).await?;
    heading("What there is now, read back from the API server and from AWS");
    println!("{picture}");
    let missing = picture.missing();
    for what in &missing {
        println!("missing: {what}");
    }
    println!("That took {} s.", start.elapsed().as_secs());
    if options.once {
        programs.stop().await?;
        return Ok(if missing.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    how_to_go_on(&testbed, &programs);
    programs.follow_until_interrupted().await?;
    programs.stop().await?;
    Ok(ExitCode::SUCCESS)
}

/// The same from start to end, without the words: the programs run as `changed`
/// says, the examples are applied, and once all is there, `then`
/// is done, which is told where the proxy is.
///
/// # Errors
/// If something is missing in the end.
pub async fn rehearse(
    testbed: &Testbed,
    changed: impl Fn(&'static str, Command) -> Command,
    then: impl AsyncFnOnce(&str) -> Result<()>,
) -> Result<()> {
    let then = async |programs: &Programs| then(programs.proxy()).await;
    perform(testbed, changed, then).await
}

/// As [`rehearse`]; `then` is told where each of the programs is.
///
/// # Errors
/// If something is missing in the end.
pub async fn perform(
    testbed: &Testbed,
    changed: impl Fn(&'static str, Command) -> Command,
    then: impl AsyncFnOnce(&Programs) -> Result<()>,
) -> Result<()> {
    let world = World::create(testbed).await?;
    testbed.apply_yaml(&kubelet::node()).await?;
    let mut programs = Programs::start(testbed, &world, changed).await?;
    apply_examples(testbed).await?;
    let picture = settle(testbed, &world, &mut programs).await?;
    ensure!(picture.missing().is_empty(), "not all is there:\n{picture}");
    then(&programs).await?;
    programs.stop().await
}

async fn apply_examples(testbed: &Testbed) -> Result<()> {
    for (name, yaml) in kubelet::examples()? {
        println!("  kubectl apply -f docs/examples/{name}");
        testbed
            .apply_yaml(&yaml)
            .await
            .with_context(|| format!("apply docs/examples/{name}"))?;
    }
    Ok(())
}

/// Follows the programs until the picture is whole or patience ends.
async fn settle(testbed: &Testbed, world: &World, programs: &mut Programs) -> Result<Tree> {
    let start = Instant::now();
    loop {
        programs.narrate();
        programs.check()?;
        let picture = picture::draw(testbed, world, programs.proxy()).await?;
        if picture.missing().is_empty() || start.elapsed() > PATIENCE {
            programs.narrate();
            return Ok(picture);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn heading(text: &str) {
    println!("\n== {text}");
}

fn how_to_go_on(testbed: &Testbed, programs: &Programs) {
    heading("Go on by hand, in another terminal");
    println!("  export KUBECONFIG={}", testbed.kubeconfig().display());
    println!("  export AWS_ENDPOINT_URL={}", testbed.gate.url());
    println!(
        "  export AWS_REGION={} AWS_ACCESS_KEY_ID=testbed AWS_SECRET_ACCESS_KEY=testbed",
        crate::REGION
    );
    println!(
        "  kubectl get ingress,pods,configmaps -A; kubectl get events -A; kubectl delete ingress -n shop web"
    );
    println!(
        "  aws elbv2 describe-load-balancers; aws route53 list-hosted-zones; aws ec2 describe-nat-gateways"
    );
    println!("  Each program's page (also /plan, /metrics, /readyz):");
    for (name, url) in programs.admin_pages() {
        println!("    {name:<24} {url}/");
    }
    println!("What the programs do is shown here. Ctrl-C ends it all.");
}
