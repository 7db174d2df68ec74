//! What a reconcile may use.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::SystemTime;

use isthmus_core::{ObjectRef, PlanReport, Rejection, RemovalLimit};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::lease::Term;
use crate::logging::PlanLine;
use crate::traces::TRACE;
use crate::{Admin, EventType, Events, Metrics, PlanFormat};

/// One reconcile: its circumstances, and where it reports.
pub struct Run<'a> {
    /// Plan and report the plan, but write nothing: not to AWS, not to Kubernetes.
    pub dry_run: bool,
    /// How much one plan may remove.
    pub removal_limit: RemovalLimit,
    /// The metrics of the process.
    pub metrics: &'a Metrics,
    /// Cancelled by `SIGTERM`.
    pub shutdown: &'a CancellationToken,
    /// The Kubernetes client.
    pub kube: &'a kube::Client,
    /// This run is the first, a resync or one after a failure: read everything
    /// anew. Otherwise something changed, and reading what it touches is enough.
    pub full: bool,
    /// This run is the first of the process, or the first since this replica
    /// leads: what it remembers of AWS may have been changed by another one.
    pub first: bool,
    pub(crate) plan_format: PlanFormat,
    pub(crate) admin: &'a Admin,
    pub(crate) events: &'a Events,
    pub(crate) term: &'a Term,
}

impl Run<'_> {
    /// Reports the plan: `/plan`, the log, the metrics, and stdout under `--dry-run`.
    /// A plan that says the same as the last one is logged as debug: what is
    /// withheld for days should not be written down at each run.
    pub fn report_plan(&self, plan: &PlanReport) {
        self.metrics.planned(plan);
        let news = self.admin.plan(plan);
        if self.dry_run {
            match self.plan_format {
                PlanFormat::Text => print!("{}", plan.text),
                PlanFormat::Json => println!("{:#}", plan.json),
            }
            return;
        }
        let idle = plan.steps.is_empty() && plan.withheld.is_empty();
        for line in PlanLine::all(plan) {
            line.log(!idle && news);
        }
    }

    /// Reports what cannot be had: a warning Event on each object, the metric,
    /// the page. Call it once a run with all of them, also with none.
    pub fn reject(&self, rejections: &[Rejection]) {
        let mut by_reason = BTreeMap::new();
        for rejection in rejections {
            *by_reason.entry(rejection.reason).or_insert(0) += 1;
        }
        self.metrics.rejected(&by_reason);
        for rejection in self.admin.rejected(rejections) {
            tracing::warn!(object = %rejection.object, reason = rejection.reason, "rejected: {}", rejection.message);
        }
        for rejection in rejections {
            self.event(
                &rejection.object,
                EventType::Warning,
                rejection.reason,
                rejection.message.clone(),
            );
        }
    }

    /// Sends an Event, unless this is a dry run. Repetitions are counted
    /// together and the rate is limited; a failure to send is only logged.
    pub fn event(
        &self,
        object: &ObjectRef,
        event_type: EventType,
        reason: &'static str,
        message: String,
    ) {
        if !self.dry_run {
            self.events.send(object, event_type, reason, message);
        }
    }

    /// Says how many things of a kind are managed: `isthmus_managed{kind}`.
    pub fn managed(&self, kind: &'static str, count: usize) {
        self.metrics.managed(kind, count);
    }

    /// Says when something was read of AWS, and how many there were:
    /// `isthmus_input_read_timestamp_seconds{input}` and the page. What is kept
    /// because it could not be read again keeps its time.
    pub fn read(&self, input: &'static str, count: usize, at: SystemTime) {
        self.metrics.read(input, at);
        self.admin.read(input, count, at);
    }

    /// Runs one step and notes how long it took.
    pub async fn step<T>(&self, step: &'static str, work: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let span = tracing::info_span!(target: TRACE, "step", step);
        let done = work.instrument(span).await;
        self.metrics.step_took(step, start.elapsed());
        done
    }

    /// Whether another call that writes may begin. False once `SIGTERM` came or
    /// the lease is lost: ask before each.
    #[must_use]
    pub fn may_call(&self) -> bool {
        !self.shutdown.is_cancelled() && self.term.holds()
    }
}
