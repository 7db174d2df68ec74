//! The way from the objects to the records and back to their authors.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use dns_core::{Decision, Desired, Observed, Snapshot, batches, desired, plan};
use isthmus_core::ErrorClass;
use isthmus_runtime::{
    CommonArgs, Controller, Failure, Outcome, Page, Problems, Run, RunError, Setup, StartError,
};

use crate::apply::{Applied, Refusal, apply};
use crate::args::Args;
use crate::aws::Sdk;
use crate::config::Settings;
use crate::insync::Follower;
use crate::memory::{Memory, lacks_zone};
use crate::metrics::DnsMetrics;
use crate::observe::Reading;
use crate::watch::Sources;
use crate::{observe, page, report, status};

/// The DNS controller.
pub(crate) struct Dns {
    settings: Settings,
    /// `--once`: nothing is waited for that is not AWS.
    once: bool,
    sources: Sources,
    route53: Arc<Sdk>,
    metrics: DnsMetrics,
    follower: Arc<Follower>,
    started: Instant,
    memory: tokio::sync::Mutex<Memory>,
    page: Mutex<Page>,
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
        let route53 = Arc::new(Sdk::new(&aws, &settings, setup.shutdown.clone()).await);
        let metrics = DnsMetrics::register(&setup.metrics);
        Ok(Self {
            once: setup.controller.once,
            sources: Sources::watch(setup, &settings),
            follower: Arc::new(Follower::new(metrics.in_sync())),
            route53,
            metrics,
            started: Instant::now(),
            memory: tokio::sync::Mutex::new(Memory::new(settings.empty_target_grace)),
            page: Mutex::default(),
            settings,
        })
    }

    async fn run_once(&self, run: &Run<'_>) -> Result<Outcome, RunError> {
        let memory = &mut *self.memory.lock().await;
        let (snapshot, absences) = self.sources.snapshot(self.now()).await;
        let absences = self.tell_absences(memory, &snapshot, absences);
        let (mut desired, mut rejections) = desired(&snapshot, &self.settings.decisions);
        // Many megabytes of a large cluster, and the plan needs as much again.
        drop(snapshot);
        let patience = memory.grace.apply(&mut desired, self.now());
        let observing = self.observe(run, memory, &desired);
        let mut reading = run.step("observe", observing).await?;
        let mut failures: Vec<_> = reading.failures.values().cloned().collect();
        let mut decision = self.decide(run, &desired, &reading.observed);
        memory.quarantine.apply(&mut decision.plan, self.now());
        self.report_plan(run, memory, &decision);

        let mut applied = Applied::default();
        if !run.dry_run {
            applied = run.step("apply", self.apply(run, memory, &decision)).await;
        }
        memory.note(&mut reading, &applied);
        let capacity = memory.capacity.check(&*self.route53, &reading.observed);
        self.metrics.fullest(capacity.await);
        failures.extend(applied.failures());
        // What was done may have made possible what was impossible before, such
        // as a name that an ownership record stood in the way of.
        let mut after = self.decide(run, &desired, &reading.observed);
        memory.quarantine.apply(&mut after.plan, self.now());
        let more = failures.is_empty()
            && !applied.stopped
            && !run.dry_run
            && after.plan.active().next().is_some();
        self.metrics.applied(&applied, memory.quarantine.len());
        run.managed("name", after.managed);
        let page = page::page(
            &desired,
            &reading.observed,
            &after,
            &self.settings.decisions,
        );
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = page;
        report::tell_withheld(run, &decision.plan);
        rejections.extend(decision.rejections);
        rejections.extend(memory.quarantine.rejections());
        run.reject(&rejections);
        self.follow(&applied).await;
        let homeless = memory.until_list(&after, self.now());
        memory.keep(reading, &after);
        if !run.dry_run {
            status::observed(run, &self.sources.unobserved()).await;
        }
        let retry = memory.quarantine.next(self.now());
        let back = self.sources.patience(self.now());
        failures.extend(absences);
        Ok(Outcome {
            requeue: self.next(more, &[patience, retry, back, homeless]),
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

    /// What Route 53 has: read as a whole, or remembered, and read again where
    /// the wishes touch it.
    async fn observe(
        &self,
        run: &Run<'_>,
        memory: &mut Memory,
        desired: &Desired,
    ) -> Result<Reading, RunError> {
        let now = self.now();
        let Some(mut reading) = memory.take(run.first, self.settings.resync, now) else {
            let reading = observe::everything(&*self.route53, &self.settings.decisions).await?;
            memory.read(now);
            run.read(
                "hosted-zones",
                reading.observed.zones.len(),
                SystemTime::now(),
            );
            return Ok(reading);
        };
        reading.restore();
        let due = memory.due(&reading, now);
        let config = &self.settings.decisions;
        reading.again(&*self.route53, config, &due).await;
        let mut sketch = self.decide(run, desired, &reading.observed);
        if lacks_zone(&sketch) && memory.may_list(now) {
            reading.new_zones(&*self.route53, config).await;
            sketch = self.decide(run, desired, &reading.observed);
        }
        memory.quarantine.apply(&mut sketch.plan, now);
        reading.touched(&*self.route53, &sketch.plan).await;
        Ok(reading)
    }

    /// Measures how long the changes take to arrive everywhere.
    async fn follow(&self, applied: &Applied) {
        if !self.settings.follows_changes {
            return;
        }
        let Some((zone, (change, since))) = applied.changes.iter().next_back() else {
            return;
        };
        let (follower, route53) = (self.follower.clone(), self.route53.clone());
        let (zone, change, since) = (zone.clone(), change.clone(), *since);
        let follow = async move { follower.follow(&*route53, &zone, &change, since).await };
        if self.once {
            follow.await;
        } else {
            tokio::spawn(follow);
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
        let route53 = &*self.route53;
        let (batches, too_large) = batches(&decision.plan, &self.settings.limits);
        let interval = self.settings.batch_interval;
        let denied = &memory.denied;
        let mut applied = apply(route53, batches, interval, denied, || run.may_call()).await;
        let words = "the changes of this name are more than one request may carry";
        let too_large = too_large.into_iter().map(|(zone, unit)| Refusal {
            zone,
            unit,
            words: words.to_owned(),
            class: ErrorClass::Invalid,
        });
        applied.refused.extend(too_large);
        for refusal in &applied.refused {
            let (zone, unit) = (refusal.zone.clone(), refusal.unit.clone());
            memory
                .quarantine
                .refuse(zone, unit, &refusal.words, self.now());
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
