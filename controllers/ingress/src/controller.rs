//! One reconcile, from what was read to what is told.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use ingress_core::{Settled, Snapshot, reason};
use isthmus_core::ErrorClass;
use isthmus_runtime::{
    CommonArgs, Controller, EventType, Failure, LogLevel, Outcome, Page, Problems, Run, RunError,
    Setup, StartError,
};
use jiff::Timestamp;

use crate::apply::{Applied, apply};
use crate::args::Args;
use crate::aws::{Account, Acm, CloudWatch, Ec2, Elb, Iam, Vpc, Waf};
use crate::certificates::CertificateList;
use crate::config::{self, Config};
use crate::decided::Decided;
use crate::error::Retries;
use crate::metrics::IngressMetrics;
use crate::observe::{Depth, Memory, Scope};
use crate::selected::Selected;
use crate::trust::Trust;
use crate::watch::Stores;
use crate::{discover, page, report, status};

/// How soon to look again at what was changed just now, at a load balancer that
/// AWS is setting up or taking down, and at one without a healthy target.
const AT_ONCE: Duration = Duration::from_millis(200);
const SOON: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_secs(5);
/// And whether the VPC has what it lacks.
const MISSING: Duration = Duration::from_secs(30);
/// How long a single run waits for the target group that takes another's place.
const WARMING: Duration = Duration::from_secs(5 * 60);
/// How often in a row a decision may turn to what was not read for it.
const DOUBTS: usize = 8;

/// The controller.
pub(crate) struct IngressController {
    config: Config,
    decisions: ingress_core::Config,
    once: bool,
    stores: Stores,
    elb: Elb,
    account: Account,
    waf: Waf,
    alarms: CloudWatch,
    ec2: Ec2,
    metrics: IngressMetrics,
    remembered: tokio::sync::Mutex<Remembered>,
    missing: Missing,
    page: Mutex<Page>,
}

/// What the VPC lacks, in words; shared with `/readyz`.
#[derive(Clone, Default)]
struct Missing(Arc<Mutex<Option<String>>>);

impl Missing {
    fn get(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, missing: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = missing;
    }
}

/// What is kept from run to run. A restart loses it, and reads it again.
#[derive(Default)]
struct Remembered {
    certificates: CertificateList,
    network: Option<ingress_core::Network>,
    /// The instances that `CUSTOM_FILTERS` selects, and the Nodes when they were read.
    instances: Option<Selected>,
    memory: Memory,
    retries: Retries,
    /// What was asked for when it was in order.
    settled: Settled,
    /// Since when target groups are to take the place of others.
    warming: Option<Instant>,
}

impl Controller for IngressController {
    const NAME: &'static str = "isthmus-ingress";
    const ABOUT: &'static str = "Load balancers with certificates for Ingresses.";
    type Args = Args;
    type Config = Config;

    fn config(args: Args, common: &CommonArgs, problems: &mut Problems) -> Option<Config> {
        config::config(&args, common, problems)
    }

    fn resync(config: &Config) -> Duration {
        config.resync
    }

    fn log_level(args: &Args) -> Option<LogLevel> {
        match (args.rest.debug, args.rest.quiet) {
            (true, _) => Some(LogLevel::Debug),
            (false, true) => Some(LogLevel::Warn),
            (false, false) => None,
        }
    }

    fn api_server(config: &Config) -> Option<(kube::Config, &'static str)> {
        let server = config.api_server.clone()?;
        Some((server, "--api-server-base-url"))
    }

    async fn start(config: Config, setup: &mut Setup) -> Result<Self, StartError> {
        for line in &config.without_effect {
            tracing::info!("{line}");
        }
        let aws = setup.aws().await?;
        let missing = Missing::default();
        setup.ready_when({
            let missing = missing.clone();
            move || missing.get().map_or(Ok(()), Err)
        });
        let ec2 = Ec2::new(&aws);
        let trust = Trust::load(&config.authorities);
        let decisions = discover::decisions(&config, &aws.imds, &ec2).await?;
        Ok(Self {
            stores: Stores::watch(&mut setup.watches, &setup.kube, &config),
            elb: Elb::new(&aws),
            account: Account::new(Acm::new(&aws), Iam::new(&aws), trust),
            metrics: IngressMetrics::new(&setup.metrics),
            waf: Waf::new(&aws),
            alarms: CloudWatch::new(&aws),
            ec2,
            once: setup.controller.once,
            config,
            decisions,
            remembered: tokio::sync::Mutex::default(),
            missing,
            page: Mutex::default(),
        })
    }

    async fn run_once(&self, run: &Run<'_>) -> Result<Outcome, RunError> {
        let mut remembered = self.remembered.lock().await;
        let mut failures = Vec::new();
        let mut snapshot = self.snapshot(run, &mut remembered, &mut failures).await?;
        let now = Timestamp::now();
        if run.first {
            // Another replica may have been asked for something else meanwhile.
            remembered.settled = Settled::default();
        }
        let memory = &mut remembered.memory;
        memory.begin();
        run.step("observe", self.observe(memory, self.depth(run)))
            .await?;
        let mut decided = self.decide_surely(&mut snapshot, memory, run, now).await?;
        if decided.makes_load_balancers() && !run.full {
            // Not with the subnets of the last resync.
            self.network(run, &mut remembered, &mut failures).await?;
            snapshot.network = remembered.network.clone().unwrap_or_default();
            let memory = &mut remembered.memory;
            decided = self.decide_surely(&mut snapshot, memory, run, now).await?;
        }
        failures.extend(remembered.memory.failures());
        failures.extend(self.missing(&snapshot, &decided));
        self.report(run, &snapshot, &decided, &remembered.memory);
        report::certificates(run, &self.metrics, &decided, &snapshot.certificates);
        if run.dry_run {
            return Ok(Outcome {
                requeue: None,
                failures,
            });
        }
        let Decided { desired, plan, .. } = &decided;
        report::put_back(run, remembered.settled.drift(desired, plan));
        // What takes over when it is healthy is asked for and no drift.
        if decided.warming.is_empty() {
            let Remembered {
                settled, memory, ..
            } = &mut *remembered;
            settled.note(desired, memory.observed(), plan);
        }
        let applied = self.apply(run, &decided, &mut remembered.memory).await;
        failures.extend(self.failures(run, &applied, &mut remembered.retries));
        failures.extend(self.cold(&decided, &mut remembered.warming));
        let written = status::write(run, &decided.statuses.changes);
        failures.extend(run.step("status", written).await);
        let requeue = self.requeue(&decided, &applied, &mut remembered, &failures);
        Ok(Outcome { requeue, failures })
    }

    fn page(&self) -> Page {
        self.page
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl IngressController {
    /// The cluster, the certificates and the VPC. What cannot be read again is
    /// taken from the last time.
    async fn snapshot(
        &self,
        run: &Run<'_>,
        remembered: &mut Remembered,
        failures: &mut Vec<Failure>,
    ) -> Result<Snapshot, RunError> {
        let tag = self.config.certificate_tag.as_ref();
        let age = self.config.certificate_age;
        let certificates = &mut remembered.certificates;
        let read = certificates.refresh(&self.account, tag, age, &run.removal_limit);
        let failed = run.step("certificates", read).await;
        failures.extend(failed.map_err(|error| error.run_error("certificates"))?);
        if let Some(at) = certificates.read_at() {
            run.read("certificates", certificates.list().len(), at);
        }
        if run.full || remembered.network.is_none() {
            self.network(run, remembered, failures).await?;
        }
        let mut snapshot = Snapshot {
            certificates: remembered.certificates.list().to_vec(),
            network: remembered.network.clone().unwrap_or_default(),
            ..self.stores.snapshot()
        };
        if let Some(filters) = &self.config.instance_filters {
            let read = Selected::refresh(
                &mut remembered.instances,
                (&self.ec2, filters),
                (&self.decisions.vpc, &snapshot.nodes),
                run.full,
            );
            let failed = run.step("instances", read).await;
            failures.extend(failed.map(|error| error.failure("instances")));
            let selected = remembered.instances.as_ref();
            snapshot.instances = Some(selected.map(Selected::ids).unwrap_or_default());
        }
        Ok(snapshot)
    }

    /// Reads the VPC. When that fails, what is known of it stays.
    async fn network(
        &self,
        run: &Run<'_>,
        remembered: &mut Remembered,
        failures: &mut Vec<Failure>,
    ) -> Result<(), RunError> {
        let decisions = &self.decisions;
        let read = self.ec2.network(&decisions.vpc, &decisions.ownership);
        match run.step("network", read).await {
            Ok(network) => {
                run.read("subnets", network.subnets.len(), SystemTime::now());
                remembered.network = Some(network);
            }
            Err(error) if remembered.network.is_some() => failures.push(error.failure("network")),
            Err(error) => {
                let unread = format!("the VPC could not be read: {error}");
                self.missing.set(Some(unread));
                return Err(error.run_error("network"));
            }
        }
        Ok(())
    }

    fn depth(&self, run: &Run<'_>) -> Depth {
        match (run.first, run.full) {
            (true, _) => Depth::Everything,
            (false, true) => Depth::Resync(self.config.resync),
            (false, false) => Depth::Forgotten,
        }
    }

    async fn observe(&self, memory: &mut Memory, depth: Depth) -> Result<(), RunError> {
        let scope = Scope {
            ownership: &self.decisions.ownership,
            vpc: &self.decisions.vpc,
            rules: self.decisions.denial.is_some(),
            alarms: self.decisions.alarms,
        };
        let read = memory.refresh((&self.elb, &self.waf, &self.alarms), scope, depth);
        let read = read.await;
        read.map_err(|error| error.run_error("observe"))
    }

    /// Decides, and reads what the steps rely on, until they rely on nothing that
    /// was read before this run. What cannot be read is left alone.
    async fn decide_surely(
        &self,
        snapshot: &mut Snapshot,
        memory: &mut Memory,
        run: &Run<'_>,
        now: Timestamp,
    ) -> Result<Decided, RunError> {
        let mut decided = self.decide(snapshot, memory, run, now);
        for _ in 0..DOUBTS {
            if !memory.doubt(&decided.reliance()) {
                decided.without(memory.unread());
                return Ok(decided);
            }
            run.step("observe", self.observe(memory, Depth::Forgotten))
                .await?;
            decided = self.decide(snapshot, memory, run, now);
        }
        let what = "what there is at AWS changes faster than it can be read";
        Err(RunError::new("observe", ErrorClass::Conflict, what))
    }

    /// What the VPC lacks, for `/readyz`, the log and the metric.
    fn missing(&self, snapshot: &Snapshot, decided: &Decided) -> Option<Failure> {
        let missing = ingress_core::missing(
            &snapshot.network,
            &decided.desired,
            &decided.rejections,
            &self.decisions,
        );
        let message = (!missing.is_empty()).then(|| missing.join("; "));
        self.missing.set(message.clone());
        message.map(|message| Failure {
            step: "network",
            class: ErrorClass::Invalid,
            message,
        })
    }

    fn decide(
        &self,
        snapshot: &mut Snapshot,
        memory: &Memory,
        run: &Run<'_>,
        now: Timestamp,
    ) -> Decided {
        let ownership = &self.decisions.ownership;
        snapshot.ssl_policies = memory.observed().ssl_policies(ownership);
        Decided::new(
            snapshot,
            memory.observed(),
            &self.decisions,
            &run.removal_limit,
            now,
        )
    }

    fn report(&self, run: &Run<'_>, snapshot: &Snapshot, decided: &Decided, memory: &Memory) {
        let mut plan = decided.plan.report();
        if let Some((why, objects)) = &decided.kept_names {
            *plan.withheld.entry(why.reason).or_default() += objects.len();
        }
        run.report_plan(&plan);
        run.reject(&decided.rejections);
        report::withheld(run, decided);
        let observed = memory.observed();
        report::managed(run, observed, &decided.desired, &self.decisions);
        if run.full {
            run.read(
                "load-balancers",
                observed.load_balancers.len(),
                SystemTime::now(),
            );
        }
        let certificates = &snapshot.certificates;
        let page = page::page(decided, observed, certificates, &self.decisions);
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = page;
    }

    async fn apply(&self, run: &Run<'_>, decided: &Decided, memory: &mut Memory) -> Applied {
        // Before the first call: this future may be dropped between any two.
        memory.forget(decided.touches());
        let observed = memory.observed();
        let ownership = &self.decisions.ownership;
        let carried_out = apply(
            &decided.plan,
            observed,
            ownership,
            (&self.elb, &self.waf, &self.alarms),
            || run.may_call(),
        );
        run.step("apply", carried_out).await
    }

    /// Tells those whom a failure concerns, and what it was.
    fn failures(&self, run: &Run<'_>, applied: &Applied, retries: &mut Retries) -> Vec<Failure> {
        for (error, objects) in &applied.failed {
            if matches!(error.class, ErrorClass::Invalid | ErrorClass::Denied) {
                for object in objects {
                    let message = format!("AWS refused {error}");
                    run.event(object, EventType::Warning, reason::REFUSED_BY_AWS, message);
                }
            }
        }
        let failed = applied.failed.iter().map(|(error, _)| error);
        let stuck = retries.stuck(&applied.in_use);
        let unready = retries.unready(&applied.not_ready);
        failed
            .chain(stuck)
            .chain(unready)
            .map(|error| error.failure("apply"))
            .collect()
    }

    /// A single run does not wait for ever until a target group can take another's place.
    fn cold(&self, decided: &Decided, since: &mut Option<Instant>) -> Option<Failure> {
        if decided.warming.is_empty() {
            *since = None;
            return None;
        }
        let waited = since.get_or_insert_with(Instant::now).elapsed();
        (self.once && waited >= WARMING).then(|| report::cold(&decided.warming))
    }

    /// When to look again, if before the next change and the next resync.
    fn requeue(
        &self,
        decided: &Decided,
        applied: &Applied,
        remembered: &mut Remembered,
        failures: &[Failure],
    ) -> Option<Duration> {
        let mut unhealthy = decided.unhealthy_groups();
        let cold = failures.iter().any(|failure| failure.step == report::COLD);
        if !cold {
            unhealthy.extend(decided.warming.iter().cloned());
        }
        let waits = [
            (applied.calls > 0 && applied.is_done()).then_some(AT_ONCE),
            (!applied.not_ready.is_empty()).then_some(SOON),
            (!decided.statuses.changes.is_empty()).then_some(AT_ONCE),
            (!applied.in_use.is_empty()).then_some(SOON),
            (!decided.statuses.provisioning.is_empty()).then_some(SOON),
            (!unhealthy.is_empty()).then_some(LATER),
            // A single run ends without what is kept for an hour.
            decided.wake.filter(|_| !self.once),
            remembered.retries.after(failures),
            (self.missing.get().is_some() && !self.once).then_some(MISSING),
        ];
        let provisioning = !decided.statuses.provisioning.is_empty();
        remembered.memory.wait_for(provisioning, unhealthy);
        waits.into_iter().flatten().min()
    }
}
