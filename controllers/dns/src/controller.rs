//! The way from the objects to the records and back to their authors.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dns_core::{Decision, Desired, Grace, Observed, Quarantine, Snapshot, batches, desired, plan};
use isthmus_core::ErrorClass;
use isthmus_runtime::{
    CommonArgs, Controller, Failure, Outcome, Page, Problems, Run, RunError, Setup, StartError,
};

use crate::apply::{Applied, apply};
use crate::args::Args;
use crate::aws::{Limiter, Sdk};
use crate::config::Settings;
use crate::metrics::DnsMetrics;
use crate::watch::Sources;
use crate::{observe, report, status};

/// The DNS controller.
pub(crate) struct Dns {
    settings: Settings,
    /// `--once`: nothing is waited for that is not AWS.
    once: bool,
    sources: Sources,
    route53: Sdk,
    metrics: DnsMetrics,
    started: Instant,
    memory: tokio::sync::Mutex<Memory>,
    page: Mutex<Page>,
}

/// A zone that denies access is tried again no sooner than this, however much
/// changes in the cluster meanwhile: each try reads all zones.
const PATIENCE_WHEN_DENIED: Duration = Duration::from_secs(25);

/// What one run leaves to the next.
struct Memory {
    /// What Route 53 had after the last run, if nothing is in doubt about it.
    observed: Option<Observed>,
    /// The zones in it that denied access.
    denied: Vec<Failure>,
    /// Whether the last run was denied access somewhere.
    access_denied: bool,
    /// When everything was read.
    read_at: Duration,
    grace: Grace,
    quarantine: Quarantine,
    /// The last plan that was reported.
    reported: String,
    /// Why sources could not be asked, as it was last said.
    absences: Vec<Failure>,
}

impl Controller for Dns {
    const NAME: &'static str = "isthmus-dns";
    const ABOUT: &'static str = "Keeps Route 53 in step with the Ingresses, Services, RouteGroups and DNSEndpoints of a cluster.";
    type Args = Args;
    type Config = Settings;

    fn config(args: Args, _common: &CommonArgs, problems: &mut Problems) -> Option<Settings> {
        Settings::new(args, problems)
    }

    fn resync(settings: &Settings) -> Duration {
        settings.resync
    }

    async fn start(settings: Settings, setup: &mut Setup) -> Result<Self, StartError> {
        for note in &settings.notes {
            tracing::info!("{note}");
        }
        let aws = setup.aws().await?;
        let limiter = Limiter::new(settings.rate);
        let route53 = Sdk::new(
            &aws,
            settings.role.as_ref(),
            limiter,
            setup.shutdown.clone(),
        )
        .await;
        Ok(Self {
            once: setup.controller.once,
            sources: Sources::watch(setup, &settings),
            route53,
            metrics: DnsMetrics::register(&setup.metrics),
            started: Instant::now(),
            memory: tokio::sync::Mutex::new(Memory {
                observed: None,
                denied: Vec::new(),
                access_denied: false,
                read_at: Duration::ZERO,
                grace: Grace::new(settings.empty_target_grace),
                quarantine: Quarantine::default(),
                reported: String::new(),
                absences: Vec::new(),
            }),
            page: Mutex::default(),
            settings,
        })
    }

    async fn run_once(&self, run: &Run<'_>) -> Result<Outcome, RunError> {
        let memory = &mut *self.memory.lock().await;
        let (snapshot, absences) = self.sources.snapshot(run.kube, self.now()).await;
        let absences = self.tell_absences(memory, &snapshot, absences);
        let (mut desired, mut rejections) = desired(&snapshot, &self.settings.decisions);
        let patience = memory.grace.apply(&mut desired, self.now());
        let (mut observed, mut failures) = run
            .step("observe", self.observe(run, memory, &desired))
            .await?;
        let mut decision = self.decide(run, &desired, &observed);
        memory.quarantine.apply(&mut decision.plan, self.now());
        self.report_plan(run, memory, &decision);

        let mut applied = Applied::default();
        if !run.dry_run {
            applied = run.step("apply", self.apply(run, memory, &decision)).await;
        }
        memory.note(&mut observed, &applied);
        failures.extend(applied.failures());
        // What was done may have made possible what was impossible before, such
        // as a name that an ownership record stood in the way of.
        let mut after = self.decide(run, &desired, &observed);
        memory.quarantine.apply(&mut after.plan, self.now());
        let more = failures.is_empty()
            && !applied.stopped
            && !run.dry_run
            && after.plan.active().next().is_some();
        self.metrics.applied(&applied, memory.quarantine.len());
        self.report(run, &after, &observed);
        report::tell_withheld(run, &decision.plan);
        rejections.extend(decision.rejections);
        rejections.extend(memory.quarantine.rejections());
        run.reject(&rejections);
        // Where access is denied nothing has changed: what is remembered still holds.
        let certain = failures
            .iter()
            .all(|failure| failure.class == ErrorClass::Denied);
        let settled = certain && !applied.stopped && !run.dry_run;
        memory.observed = settled.then_some(observed);
        memory.access_denied = !failures.is_empty();
        if !run.dry_run {
            status::observed(run, &self.sources.unobserved()).await;
        }
        let retry = memory.quarantine.next(self.now());
        let back = self.sources.patience(self.now());
        failures.extend(absences);
        Ok(Outcome {
            requeue: self.next(more, &[patience, retry, back]),
            failures,
        })
    }

    fn page(&self) -> Page {
        self.page
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Memory {
    /// Notes what was carried out.
    fn note(&mut self, observed: &mut Observed, applied: &Applied) {
        for batch in &applied.accepted {
            self.quarantine.accept(batch);
            if let Some(zone) = observed.records.get_mut(&batch.zone) {
                zone.carry_out(batch);
            }
        }
    }
}

impl Dns {
    /// The time since the start.
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Says which sources cannot be asked, when that is news. It is a failure
    /// only of a single run: a long-running one has metric and page, and goes on
    /// as if nothing were amiss, since nothing at Route 53 is in doubt.
    fn tell_absences(
        &self,
        memory: &mut Memory,
        snapshot: &Snapshot,
        absences: Vec<Failure>,
    ) -> Vec<Failure> {
        self.metrics
            .sources(&self.sources.states(&snapshot.unavailable));
        if self.once {
            return absences;
        }
        for absence in &absences {
            if !memory.absences.contains(absence) {
                tracing::warn!("{}", absence.message);
            }
        }
        memory.absences = absences;
        Vec::new()
    }

    fn report(&self, run: &Run<'_>, after: &Decision, observed: &Observed) {
        run.managed("name", after.managed);
        let page = report::page(observed, after);
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = page;
    }

    /// What Route 53 has: read as a whole, or remembered, and read again where
    /// the wishes touch it.
    async fn observe(
        &self,
        run: &Run<'_>,
        memory: &mut Memory,
        desired: &Desired,
    ) -> Result<(Observed, Vec<Failure>), RunError> {
        let now = self.now();
        let waits = memory.access_denied && now < memory.read_at + PATIENCE_WHEN_DENIED;
        match memory.observed.take() {
            Some(mut observed) if !run.full || waits => {
                let mut sketch = self.decide(run, desired, &observed);
                memory.quarantine.apply(&mut sketch.plan, now);
                let mut failures = memory.denied.clone();
                failures.extend(observe::touched(&self.route53, &mut observed, &sketch.plan).await);
                Ok((observed, failures))
            }
            _ => {
                let read = observe::everything(&self.route53, &self.settings.decisions).await?;
                let denied = read
                    .1
                    .iter()
                    .filter(|failure| failure.class == ErrorClass::Denied);
                memory.denied = denied.cloned().collect();
                memory.read_at = now;
                Ok(read)
            }
        }
    }

    /// The plan, with what it would remove too much of withheld.
    fn decide(&self, run: &Run<'_>, desired: &Desired, observed: &Observed) -> Decision {
        let mut decision = plan(desired, observed, &self.settings.decisions);
        decision
            .plan
            .guard_removals(&run.removal_limit, decision.managed);
        decision
    }

    /// Reports a plan, unless it is only the last one's withheld steps again:
    /// under `upsert-only` those of every name that is gone stay in it for ever.
    fn report_plan(&self, run: &Run<'_>, memory: &mut Memory, decision: &Decision) {
        let report = decision.plan.report();
        if run.dry_run || !report.steps.is_empty() || report.text != memory.reported {
            run.report_plan(&report);
            memory.reported = report.text;
        }
    }

    async fn apply(&self, run: &Run<'_>, memory: &mut Memory, decision: &Decision) -> Applied {
        let (batches, too_large) = batches(&decision.plan, &self.settings.limits);
        let interval = self.settings.batch_interval;
        let mut applied = apply(&self.route53, batches, interval, || run.may_call()).await;
        let words = "the changes of this name are more than one request may carry";
        let too_large = too_large
            .into_iter()
            .map(|(zone, unit)| (zone, unit, words.to_owned()));
        applied.refused.extend(too_large);
        for (zone, unit, words) in &applied.refused {
            memory
                .quarantine
                .refuse(zone.clone(), unit.clone(), words, self.now());
        }
        applied
    }

    /// When to look again. `--once` waits for nothing but AWS: the patience with
    /// an empty status is not its to have.
    fn next(&self, more: bool, waits: &[Option<Duration>]) -> Option<Duration> {
        if more {
            return Some(Duration::from_secs(1));
        }
        if self.once {
            return None;
        }
        waits.iter().flatten().min().copied()
    }
}
