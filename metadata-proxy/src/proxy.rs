//! From flags to the end of the process.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use isthmus_runtime::{Exit, Problems, StartError, on_signals, read_args, start_logging};

use crate::args::Args;
use crate::command::{self, Command};
use crate::config::Config;
use crate::server;
use crate::serving::{one_thread, serve_pods};
use crate::start::Parts;

pub(crate) const NAME: &str = "isthmus-metadata-proxy";
const ABOUT: &str = concat!(
    "Hands each pod the STS credentials of the role it is annotated with, and nothing else.\n\n",
    "Commands, in front of the flags:\n",
    "  redirect install|check|remove   the rules that lead pods here, for the boot of a node\n",
    "  explain NAMESPACE/POD           why a pod gets which role",
);

/// For calls of STS that are under way at the end.
const GRACE: Duration = Duration::from_secs(5);
/// All that is waited for after SIGTERM, with time to spare.
const _: () = assert!(GRACE.as_secs() + server::GRACE.as_secs() < 10);

pub(crate) fn main(argv: Vec<OsString>) -> ExitCode {
    let (command, config) = match configuration(argv) {
        Ok(read) => read,
        Err(exit) => return exit.print(),
    };
    let _logging = start_logging(NAME, &config.common);
    for note in &config.notes {
        tracing::info!("{note}");
    }
    let ended = match one_thread() {
        Ok(runtime) => {
            let ended = runtime.block_on(carry_out(command, config));
            runtime.shutdown_background();
            ended
        }
        Err(error) => Err(error),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("{NAME}: {error}");
        ExitCode::FAILURE
    })
}

async fn carry_out(command: Command, config: Config) -> Result<ExitCode, StartError> {
    match command {
        Command::Serve => run(config).await.map(|()| ExitCode::SUCCESS),
        Command::Redirect(action) => command::redirect(action, &config).await,
        Command::Explain { namespace, pod } => {
            command::explain_pod(&namespace, &pod, &config).await
        }
    }
}

fn configuration(argv: Vec<OsString>) -> Result<(Command, Config), Exit> {
    let (command, argv) = Command::split(argv)?;
    let env = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let read = read_args::<Args>(NAME, ABOUT, argv, &env);
    let (mut args, mut problems) = read?;
    if let (Command::Redirect(_), Some(args)) = (&command, &mut args) {
        args.redirect.iptables = true;
    }
    let mut more = Problems::default();
    let endpoint = env
        .get("AWS_EC2_METADATA_SERVICE_ENDPOINT")
        .map(String::as_str);
    let config = args.and_then(|args| Config::read(args, endpoint, &mut more));
    problems.merge(more);
    match config {
        Some(config) if problems.is_empty() => Ok((command, config)),
        _ => Err(problems.into_exit()),
    }
}

async fn run(config: Config) -> Result<(), StartError> {
    let shutdown = on_signals()?;
    let listener = config.listen.bind().await;
    let listener = listener
        .map_err(|error| StartError::new(format_args!("--app-port {}: {error}", config.listen)))?;
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "listening for pods");
    }
    let parts = Parts::new(&config, shutdown.clone());
    // Pods are answered from now on: before the watches are in sync they are told to come again.
    let mut server = serve_pods(
        listener,
        Arc::new(parts.responder(&config)),
        parts.proxy_metrics.clone(),
        config.realtime,
        shutdown.clone(),
    )?;
    let mut started = tokio::select! {
        started = parts.start(&config) => started,
        () = shutdown.cancelled() => Ok(()),
    };
    if started.is_ok() {
        // It ends by itself after SIGTERM, too.
        tokio::select! {
            () = shutdown.cancelled() => {}
            _ = &mut server => if !shutdown.is_cancelled() {
                started = Err(StartError::new("the thread that answers pods has ended"));
            },
        }
    }
    shutdown.cancel();
    if !server.is_terminated() {
        let _ = server.await;
    }
    let _ = tokio::time::timeout(GRACE, parts.credentials.drain()).await;
    if config.remove_redirects {
        parts.netfilter.remove().await?;
    }
    started
}
