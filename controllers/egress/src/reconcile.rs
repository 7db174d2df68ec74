//! One reconcile, from the ConfigMaps to EC2 and back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use egress_core::{
    Desired, EgressAction, Inventory, Observed, Planned, Snapshot, UnixTime, check, desired, pause,
    plan, status, withheld,
};
use isthmus_core::{ErrorClass, Plan, Rejection};
use isthmus_runtime::{Failure, Outcome, Run, RunError};

use crate::answers;
use crate::apply::{Done, Site, apply};
use crate::confirm::Confirmed;
use crate::controller::{Cloud, Egress};
use crate::page;
use crate::report;

/// How soon to look again at something that shows the past, here or there.
const DOUBT: Duration = Duration::from_secs(2);
/// How soon to look again when something was there already.
const SOON: Duration = Duration::from_secs(1);

impl Egress {
    /// watch -> observe -> desired -> plan -> check -> apply -> status -> report.
    pub(crate) async fn reconcile(
        &self,
        run: &Run<'_>,
        cloud: &Cloud,
        snapshot: &Snapshot,
    ) -> Result<Outcome, RunError> {
        let look = cloud.observer.observe(&cloud.ec2);
        let observed = run.step("observe", look).await?;
        run.read(
            "route-tables",
            observed.route_tables.len(),
            SystemTime::now(),
        );
        let now = unix_time();
        if let Some(id) = self.memory().unseen(&observed, now) {
            tracing::info!(id, "EC2 does not show yet what was made; looking again");
            return Ok(look_again(DOUBT));
        }
        let forbidden = self.forbidden(run, cloud, &observed).await;
        let (desired, judged) = desired(snapshot, &self.config.guards, &observed.vpc.cidrs);
        let seen = self.memory().routes.clone();
        let inventory = Inventory::new(&observed, &self.config).having_seen(&seen);
        let mut planned = plan(&desired, &inventory, now);

        let confirmed = run.step("confirm", self.confirm(snapshot, &planned)).await;
        let sure = confirmed == Confirmed::Yes;
        for step in check(&mut planned, &inventory, &run.removal_limit, sure) {
            tracing::error!("{step}");
        }
        self.show(run, &planned);
        let view = View {
            desired: &desired,
            planned: &planned,
            inventory: &inventory,
        };
        if run.dry_run {
            let rejections = report::all_rejections(judged, &planned, &desired, &Done::default());
            run.reject(&rejections);
            let failures = blocked_zones(&planned)
                .chain(confirmed.into_failures())
                .chain(forbidden);
            return Ok(Outcome {
                requeue: None,
                failures: failures.collect(),
            });
        }
        let mut done = self.carry_out(run, cloud, &observed, &planned).await;
        self.memory().note(&done, now);
        self.memory()
            .routes
            .note(&desired, &inventory, &done.applied);
        let unwritten = self.tell(run, snapshot, &view, judged, &done).await;

        let mut requeue = self.again(&view, &done, now);
        if confirmed == Confirmed::No {
            requeue = Some(DOUBT);
        }
        let mut failures = std::mem::take(&mut done.failures);
        if done.look_again && self.memory().is_tired() {
            failures.push(Failure {
                step: "apply",
                class: ErrorClass::Conflict,
                message: "EC2 keeps saying that something is there already and does not show it"
                    .to_owned(),
            });
            requeue = None;
        }
        failures.extend(blocked_zones(&planned));
        failures.extend(unwritten);
        failures.extend(confirmed.into_failures());
        Ok(Outcome { requeue, failures })
    }

    /// `--provider noop`: what is wrong with the ConfigMaps, and nothing else.
    pub(crate) fn judge(&self, run: &Run<'_>, snapshot: &Snapshot) -> Outcome {
        let (desired, judged) = desired(snapshot, &self.config.guards, &[]);
        run.report_plan(&Plan::<EgressAction>::default().report());
        tracing::info!(
            networks = desired.networks.len(),
            "--provider noop: nothing is done about them"
        );
        run.reject(&judged);
        Outcome::default()
    }

    /// Reports the plan, but not the same one again while it waits for AWS.
    fn show(&self, run: &Run<'_>, planned: &Planned) {
        let report = planned.plan.report();
        let mut memory = self.memory();
        let waits = report.steps.is_empty() && memory.plan == report.text;
        if !waits || run.full {
            run.report_plan(&report);
        }
        memory.plan = report.text;
    }

    async fn carry_out(
        &self,
        run: &Run<'_>,
        cloud: &Cloud,
        observed: &Observed,
        planned: &Planned,
    ) -> Done {
        let site = Site {
            vpc: &observed.vpc.id,
            config: &self.config,
            may_call: &|| run.may_call(),
        };
        let work = apply(&cloud.ec2, &planned.plan, &site);
        run.step("apply", work).await
    }

    /// Metrics, page, Events and the ConfigMaps' annotations.
    async fn tell(
        &self,
        run: &Run<'_>,
        snapshot: &Snapshot,
        view: &View<'_>,
        judged: Vec<Rejection>,
        done: &Done,
    ) -> Vec<Failure> {
        let View {
            desired,
            planned,
            inventory,
        } = view;
        report::measure(run, &self.metrics, inventory, done);
        self.metrics.zones(inventory, planned);
        report::tell_failures(run, done);
        report::tell_withheld(run, planned, desired);
        run.reject(&report::all_rejections(judged, planned, desired, done));

        let told = status(desired, planned, inventory, &done.applied);
        let gone = {
            let mut memory = self.memory();
            memory.page = page::page(desired, planned, inventory, done);
            let gone = memory.gone(snapshot);
            memory.answers.clone_from(&told);
            gone
        };
        let present = self.lists.answers();
        let writing = async {
            answers::take_back(run, &gone).await;
            answers::write_answers(run, &told, &present).await
        };
        run.step("status", writing).await
    }

    /// When to look again. After a failure only for what is in transition at AWS:
    /// the rest is tried again when the runtime's backoff says so.
    fn again(&self, view: &View<'_>, done: &Done, now: UnixTime) -> Option<Duration> {
        let mut held = view
            .planned
            .plan
            .steps
            .iter()
            .filter_map(|s| s.withheld.as_ref());
        let backs_off = held.any(|why| why.reason == withheld::BACKOFF);
        let pause = if done.failures.is_empty() && !(self.once && backs_off) {
            pause(&view.planned.plan, view.inventory, now)
        } else {
            pause(&Plan::default(), view.inventory, now)
        };
        let second_look = done.look_again.then_some(SOON);
        pause.into_iter().chain(second_look).min()
    }
}

struct View<'a> {
    desired: &'a Desired,
    planned: &'a Planned,
    inventory: &'a Inventory<'a>,
}

/// A zone without a NAT gateway is a failure until it has one, also where only
/// somebody else can do something about it: the resync tries again.
fn blocked_zones(planned: &Planned) -> impl Iterator<Item = Failure> {
    let problems = planned.problems.values();
    problems.map(|(_, message)| Failure {
        step: "plan",
        class: ErrorClass::Invalid,
        message: message.clone(),
    })
}

fn look_again(after: Duration) -> Outcome {
    Outcome {
        requeue: Some(after),
        failures: Vec::new(),
    }
}

fn unix_time() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}
