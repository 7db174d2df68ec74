//! From flags to the end of the process.

mod once;
mod rights;
mod serve;

use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use isthmus_core::ErrorClass;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::connect::chain;
use crate::controller::Launch;
use crate::lease::{Election, KubeLease, Term};
use crate::traces::TRACE;
use crate::{
    Admin, Controller, ControllerArgs, Events, Metrics, Outcome, Run, RunError, Setup, StartError,
    Trigger, Watches, connect, connect_to, on_signals,
};

/// How long a reconcile may go on after `SIGTERM`: an AWS call that is under way ends in it.
const GRACE_AT_SHUTDOWN: Duration = Duration::from_secs(7);
/// How long after the lease was lost. Others may take over five seconds after we gave up.
const GRACE_WITHOUT_LEASE: Duration = Duration::from_secs(3);
/// For the release of the lease and the Events that still wait.
const GRACE_AT_THE_END: Duration = Duration::from_secs(2);

/// How a run came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    /// The process or the term as leader begins.
    First,
    /// A resync, or a run after a failure.
    Full,
    /// Something changed, or was waited for.
    Change,
}

impl Pass {
    fn again(full: bool) -> Self {
        if full { Self::Full } else { Self::Change }
    }
}

/// A controller with everything around it.
pub(crate) struct RunLoop<C> {
    controller: Arc<C>,
    args: ControllerArgs,
    metrics: Metrics,
    shutdown: CancellationToken,
    kube: kube::Client,
    trigger: Trigger,
    watches: Watches,
    admin: Admin,
    events: Events,
}

/// Starts a controller and runs it to its end.
pub(crate) async fn start<C: Controller>(launch: Launch<C>) -> Result<ExitCode, StartError> {
    let shutdown = on_signals()?;
    let resync = C::resync(&launch.config);
    let run_loop = tokio::select! {
        prepared = RunLoop::<C>::prepare(launch, shutdown.clone()) => prepared?,
        // Nothing was begun that would have to end well.
        () = shutdown.cancelled() => return Ok(ExitCode::SUCCESS),
    };
    if run_loop.args.once {
        return run_loop.once().await;
    }
    let election = run_loop.stand_for_election();
    run_loop.serve(election, resync).await;
    Ok(ExitCode::SUCCESS)
}

impl<C: Controller> RunLoop<C> {
    /// Admin server, API server, the controller's own start.
    async fn prepare(launch: Launch<C>, shutdown: CancellationToken) -> Result<Self, StartError> {
        let Launch {
            common,
            controller: args,
            config,
        } = launch;
        let metrics = Metrics::new();
        let admin = Admin::new(C::NAME, metrics.clone());
        let prepared = Arc::new(AtomicBool::new(false));
        if !args.once {
            admin.ready_when({
                let prepared = prepared.clone();
                move || match prepared.load(Ordering::Relaxed) {
                    true => Ok(()),
                    false => Err("starting".to_owned()),
                }
            });
            // It answers until the process ends.
            admin
                .listen(&common.metrics_address, CancellationToken::new())
                .await?;
        }
        let kube = match C::api_server(&config) {
            Some((server, flag)) => connect_to(server, flag, !args.once).await?,
            None => connect(&common, !args.once).await?,
        };
        let trigger = Trigger::default();
        let watches = Watches::new(trigger.clone(), shutdown.clone());
        let events = Events::start(kube.clone(), C::NAME, replica_name());
        let mut setup = Setup {
            kube: kube.clone(),
            watches: watches.clone(),
            metrics: metrics.clone(),
            shutdown: shutdown.clone(),
            trigger: trigger.clone(),
            common,
            controller: args.clone(),
            admin: admin.clone(),
            aws: None,
        };
        let controller = Arc::new(C::start(config, &mut setup).await?);
        admin.watches(&watches);
        admin.page({
            let controller = controller.clone();
            move || controller.page()
        });
        prepared.store(true, Ordering::Relaxed);
        Ok(Self {
            controller,
            args,
            metrics,
            shutdown,
            kube,
            trigger,
            watches,
            admin,
            events,
        })
    }

    /// A dry run touches nothing, the lease neither.
    fn elects(&self) -> bool {
        self.args.leader_elect && !self.args.dry_run
    }

    fn stand_for_election(&self) -> Election {
        if !self.elects() {
            return Election::unopposed();
        }
        let namespace = self
            .args
            .leader_election_namespace
            .clone()
            .unwrap_or_else(own_namespace);
        let name = self.args.leader_election_id.as_deref().unwrap_or(C::NAME);
        let identity = format!("{}_{:08x}", replica_name(), random() as u32);
        self.leads(false);
        Election::start(
            KubeLease::new(self.kube.clone(), &namespace, name),
            identity,
        )
    }

    /// Says in metric and page whether this replica acts.
    fn leads(&self, leads: bool) {
        self.metrics.leader(leads);
        if self.elects() {
            self.admin.leads(leads);
        }
    }

    /// One reconcile, reported. `None` if it was cut off because it did not end
    /// in time after `SIGTERM` or the loss of the lease.
    async fn reconcile(&self, term: &Term, pass: Pass) -> Option<Result<Outcome, RunError>> {
        let run = Run {
            dry_run: self.args.dry_run,
            removal_limit: self.args.removal_limit(),
            metrics: &self.metrics,
            shutdown: &self.shutdown,
            kube: &self.kube,
            full: pass != Pass::Change,
            first: pass == Pass::First,
            plan_format: self.args.plan_format,
            admin: &self.admin,
            events: &self.events,
            term,
        };
        let start = Instant::now();
        let ended = {
            let span =
                tracing::info_span!(target: TRACE, "reconcile", full = run.full, first = run.first);
            let mut running = pin!(self.controller.run_once(&run).instrument(span));
            let grace = tokio::select! {
                biased;
                ended = &mut running => Ok(ended),
                () = self.shutdown.cancelled() => Err(GRACE_AT_SHUTDOWN),
                () = term.ended() => Err(GRACE_WITHOUT_LEASE),
            };
            match grace {
                Ok(ended) => Some(ended),
                Err(grace) => timeout(grace, running).await.ok(),
            }
        };
        let took = start.elapsed();
        self.tell_rights();
        match &ended {
            Some(ended) => self.report(ended, took),
            None => {
                tracing::warn!(
                    "the reconcile was cut off; the next one goes on from what is there"
                );
            }
        }
        ended
    }

    fn report(&self, ended: &Result<Outcome, RunError>, took: Duration) {
        self.metrics.step_took("total", took);
        let mut failures = Vec::new();
        let mut failed = |step: &'static str, class: ErrorClass, message: &str| {
            self.metrics.failed(step, class);
            failures.push(format!("{step}: {message} ({class})"));
        };
        match ended {
            Ok(outcome) => {
                for failure in &outcome.failures {
                    failed(failure.step, failure.class, &failure.message);
                    tracing::warn!(step = failure.step, class = %failure.class, "failed: {}", failure.message);
                }
            }
            Err(error) => {
                let message = chain(error.source.as_ref());
                failed(error.step, error.class, &message);
                tracing::error!(step = error.step, class = %error.class, "reconcile failed: {message}");
            }
        }
        if failures.is_empty() {
            self.metrics.succeeded();
            tracing::debug!(?took, "reconciled");
        }
        self.admin.ended(took, failures);
    }
}

/// The pod's name, as Kubernetes gives it to a container, or the machine's.
fn replica_name() -> String {
    let name = ["POD_NAME", "HOSTNAME"]
        .into_iter()
        .find_map(|variable| std::env::var(variable).ok().filter(|name| !name.is_empty()));
    name.or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok())
        .map_or_else(|| "unknown".to_owned(), |name| name.trim().to_owned())
}

/// The pod's namespace, or `kube-system` outside a pod.
fn own_namespace() -> String {
    const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
    std::env::var("POD_NAMESPACE")
        .ok()
        .or_else(|| std::fs::read_to_string(SERVICE_ACCOUNT).ok())
        .map(|namespace| namespace.trim().to_owned())
        .filter(|namespace| !namespace.is_empty())
        .unwrap_or_else(|| "kube-system".to_owned())
}

/// A random number that need not be secret: the standard library seeds its
/// hashers from the system's source.
fn random() -> u64 {
    std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0)
}

/// A random number from 0 to 1.
fn jitter() -> f64 {
    (random() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests;
