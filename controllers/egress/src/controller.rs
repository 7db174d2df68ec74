//! The controller: its parts, its start, and when there is something to do.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use egress_core::{Config, Snapshot};
use isthmus_runtime::{
    CommonArgs, Controller, ListenAddress, Outcome, Page, Problems, Run, RunError, Setup,
    StartError,
};

use crate::answers;
use crate::args::Args;
use crate::aws::SdkEc2;
use crate::config::{Provider, Settings};
use crate::discover;
use crate::memory::Memory;
use crate::metrics::EgressMetrics;
use crate::observe::Observer;
use crate::watch::Lists;

/// The controller.
pub(crate) struct Egress {
    pub(crate) config: Config,
    pub(crate) lists: Lists,
    /// `None` with `--provider noop`.
    cloud: Option<Cloud>,
    pub(crate) metrics: EgressMetrics,
    /// `--once`: what would take more than AWS's own time is not waited for.
    pub(crate) once: bool,
    /// `--resync-interval`.
    pub(crate) resync: Duration,
    memory: Mutex<Memory>,
}

/// EC2 and how to look at it.
pub(crate) struct Cloud {
    pub(crate) ec2: SdkEc2,
    pub(crate) observer: Observer,
}

impl Controller for Egress {
    const NAME: &'static str = "isthmus-egress";
    const ABOUT: &'static str = "Gives traffic to chosen networks fixed source addresses, by NAT gateways with Elastic IPs.";
    type Args = Args;
    type Config = Settings;

    fn config(args: Args, common: &CommonArgs, problems: &mut Problems) -> Option<Settings> {
        Settings::new(args, common, problems)
    }

    fn resync(settings: &Settings) -> Duration {
        settings.resync
    }

    fn metrics_address(args: &Args) -> Option<ListenAddress> {
        args.older.address.clone()
    }

    async fn start(settings: Settings, setup: &mut Setup) -> Result<Self, StartError> {
        for note in &settings.notes {
            tracing::warn!("{note}");
        }
        let given = setup.common.cluster_id.clone();
        let (cloud, cluster_id) = match settings.provider {
            Provider::Noop => (None, given.unwrap_or_default()),
            Provider::Aws => {
                let aws = setup.aws().await?;
                let ec2 = SdkEc2::new(&aws, settings.period);
                let cluster_id = match given {
                    Some(id) => id,
                    None => discover::cluster_id(&aws, &ec2).await?,
                };
                let observer = Observer::new(settings.vpc.clone(), aws.imds.clone());
                (Some(Cloud { ec2, observer }), cluster_id)
            }
        };
        Ok(Self {
            config: settings.decisions(&cluster_id),
            lists: Lists::watch(setup, settings.namespace.as_deref()),
            cloud,
            metrics: EgressMetrics::register(&setup.metrics),
            once: setup.controller.once,
            resync: settings.resync,
            memory: Mutex::default(),
        })
    }

    async fn run_once(&self, run: &Run<'_>) -> Result<Outcome, RunError> {
        let snapshot = self.lists.snapshot();
        self.memory().empty.note(&snapshot);
        if !run.full && self.is_settled(&snapshot) {
            return Ok(self.answer_again(run).await);
        }
        self.memory().settled = None;
        let outcome = match &self.cloud {
            Some(cloud) => self.reconcile(run, cloud, &snapshot).await?,
            None => self.judge(run, &snapshot),
        };
        if outcome.failures.is_empty() && outcome.requeue.is_none() {
            self.memory().settled = Some(snapshot);
        }
        Ok(outcome)
    }

    fn page(&self) -> Page {
        self.memory().page.clone()
    }
}

impl Egress {
    /// Whether nothing asked differs from what the last run left in order. What
    /// the last run wrote into the ConfigMaps itself is no difference, so that
    /// its own answers ask for nothing.
    fn is_settled(&self, snapshot: &Snapshot) -> bool {
        self.memory().settled.as_ref() == Some(snapshot)
    }

    /// Puts answers back that somebody has changed. No AWS call.
    async fn answer_again(&self, run: &Run<'_>) -> Outcome {
        if run.dry_run {
            return Outcome::default();
        }
        let told = self.memory().answers.clone();
        let failures = answers::write_answers(run, &told, &self.lists.answers()).await;
        Outcome {
            requeue: None,
            failures,
        }
    }

    /// A poisoned lock still holds whole values: each write is one assignment.
    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
