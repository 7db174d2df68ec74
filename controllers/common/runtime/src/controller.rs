//! What a controller is, and how it starts.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::args::read_args;
use crate::{
    Admin, Aws, CommonArgs, ControllerArgs, Exit, ListenAddress, LogLevel, Metrics, Outcome, Page,
    Problems, Run, RunError, StartError, Trigger, Watches, run_loop,
};

/// A controller that solves one global problem again and again: it reads its
/// watches, looks at AWS, plans, and carries the plan out.
pub trait Controller: Sized + Send + Sync + 'static {
    /// The name of the binary, such as `isthmus-dns`.
    const NAME: &'static str;

    /// One sentence for `--help`.
    const ABOUT: &'static str = "An add-on that joins a Kubernetes cluster to AWS.";

    /// Its own flags. The common ones are added by the runtime.
    type Args: clap::Args;

    /// Flags that were found to be right.
    type Config: Send + Sync + 'static;

    /// Turns flags into a configuration: parse, don't validate. Every problem is
    /// pushed; the answer is `None` if there was any.
    fn config(
        args: Self::Args,
        common: &CommonArgs,
        problems: &mut Problems,
    ) -> Option<Self::Config>;

    /// How often everything is looked at again although nothing changed.
    fn resync(config: &Self::Config) -> Duration;

    /// The log level, where flags of the controller (`--debug`) have a say in it.
    fn log_level(_args: &Self::Args) -> Option<LogLevel> {
        None
    }

    /// Where the admin server listens, if an older flag of the controller says so.
    fn metrics_address(_args: &Self::Args) -> Option<ListenAddress> {
        None
    }

    /// How the API server is reached, where a flag of the controller says so in place of
    /// a kubeconfig; with the name of that flag.
    fn api_server(_config: &Self::Config) -> Option<(kube::Config, &'static str)> {
        None
    }

    /// Makes clients and registers watches. Writes nothing to AWS.
    ///
    /// # Errors
    ///
    /// What is missing, in one line.
    fn start(
        config: Self::Config,
        setup: &mut Setup,
    ) -> impl Future<Output = Result<Self, StartError>> + Send;

    /// One reconcile. Never called before every watch has delivered its first
    /// list, never twice at once, and only while this replica leads. It may be
    /// dropped at an await once [`Run::may_call`] is false for some seconds.
    ///
    /// # Errors
    ///
    /// Why nothing more could be done in this run.
    fn run_once(&self, run: &Run<'_>) -> impl Future<Output = Result<Outcome, RunError>> + Send;

    /// What is managed, for the admin server's `/`.
    fn page(&self) -> Page {
        Page::default()
    }
}

/// What a controller starts with.
pub struct Setup {
    /// The Kubernetes client; the server has answered.
    pub kube: kube::Client,
    /// Where watches are registered.
    pub watches: Watches,
    /// The metrics of the process.
    pub metrics: Metrics,
    /// Cancelled by `SIGTERM`.
    pub shutdown: CancellationToken,
    /// Asks for a reconcile for a reason that is no watch.
    pub trigger: Trigger,
    /// The flags of all binaries.
    pub common: CommonArgs,
    /// The flags of all controllers.
    pub controller: ControllerArgs,
    pub(crate) admin: Admin,
    pub(crate) aws: Option<Aws>,
}

impl Setup {
    /// Adds a condition of `/readyz`; the error says what is missing.
    pub fn ready_when(&self, check: impl Fn() -> Result<(), String> + Send + Sync + 'static) {
        self.admin.ready_when(check);
    }

    /// AWS, as [`Aws::connect`] finds it; the second call gives the same again.
    ///
    /// # Errors
    ///
    /// No region or no credentials.
    pub async fn aws(&mut self) -> Result<Aws, StartError> {
        if let Some(aws) = &self.aws {
            return Ok(aws.clone());
        }
        let aws = Aws::connect(&self.metrics).await?;
        self.aws = Some(aws.clone());
        Ok(aws)
    }
}

#[derive(Debug, clap::Args)]
struct AllArgs<A: clap::Args> {
    #[command(flatten)]
    own: A,
    #[command(flatten, next_help_heading = "Options of all controllers")]
    controller: ControllerArgs,
    #[command(flatten, next_help_heading = "Options of all binaries")]
    common: CommonArgs,
}

/// Flags that were found to be right, of all three kinds.
pub(crate) struct Launch<C: Controller> {
    pub(crate) common: CommonArgs,
    pub(crate) controller: ControllerArgs,
    pub(crate) config: C::Config,
}

impl<C: Controller> Launch<C> {
    /// Reads flags and environment; every problem of all of them at once.
    pub(crate) fn read(
        argv: impl IntoIterator<Item = OsString>,
        env: &BTreeMap<String, String>,
    ) -> Result<Self, Exit> {
        let (args, mut problems) = read_args::<AllArgs<C::Args>>(C::NAME, C::ABOUT, argv, env)?;
        let Some(AllArgs {
            own,
            controller,
            mut common,
        }) = args
        else {
            return Err(problems.into_exit());
        };
        if let Some(level) = C::log_level(&own) {
            common.log_level = level;
        }
        if let Some(address) = C::metrics_address(&own) {
            common.metrics_address = address;
        }
        let mut more = Problems::default();
        controller.check(&mut more);
        let config = C::config(own, &common, &mut more);
        problems.merge(more);
        match config {
            Some(config) if problems.is_empty() => Ok(Self {
                common,
                controller,
                config,
            }),
            _ => Err(problems.into_exit()),
        }
    }
}

/// The whole of a controller's `main`; the command line begins with the program's name.
#[must_use]
pub fn main<C: Controller>(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    let env = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let launch = match Launch::<C>::read(argv, &env) {
        Ok(launch) => launch,
        Err(exit) => return exit.print(),
    };
    let _logging = crate::start_logging(C::NAME, &launch.common);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => {
            let ended = runtime.block_on(run_loop::start(launch));
            // Watches and connections that are still open are of no use now.
            runtime.shutdown_background();
            ended
        }
        Err(error) => Err(StartError::new(format_args!("tokio: {error}"))),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("{}: {error}", C::NAME);
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests;
