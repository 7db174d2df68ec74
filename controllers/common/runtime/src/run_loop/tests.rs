use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Mutex;

use isthmus_core::{PlanReport, RemovalLimit};
use tokio::time::{advance, sleep};

use super::*;
use crate::lease::{LeaseApi, LeaseError, LeaseRecord};
use crate::testing::{FakeServer, kube_client};
use crate::{CommonArgs, Failure, Problems};

/// A controller that does as it is told and writes down what it was asked.
#[derive(Default)]
struct Scripted {
    script: Mutex<VecDeque<Answer>>,
    runs: Mutex<Vec<(Duration, bool)>>,
    takes: Duration,
    /// Stays in its run until it is dropped.
    hangs: bool,
    ended: Arc<AtomicBool>,
}

enum Answer {
    Requeue(u64),
    Failed(ErrorClass),
    Broken(ErrorClass),
}

impl Controller for Scripted {
    const NAME: &'static str = "isthmus-test";
    type Args = NoArgs;
    type Config = ();

    fn config(_: NoArgs, _: &CommonArgs, _: &mut Problems) -> Option<()> {
        Some(())
    }
    fn resync((): &()) -> Duration {
        Duration::from_secs(3600)
    }
    async fn start((): (), _: &mut Setup) -> Result<Self, StartError> {
        Ok(Self::default())
    }
    async fn run_once(&self, run: &Run<'_>) -> Result<Outcome, RunError> {
        assert_eq!(run.removal_limit, RemovalLimit::default());
        self.runs
            .lock()
            .unwrap()
            .push((epoch().elapsed(), run.full));
        run.report_plan(&plan());
        sleep(self.takes).await;
        if self.hangs {
            std::future::pending::<()>().await;
        }
        self.ended.store(run.may_call(), Ordering::Relaxed);
        let answer = self.script.lock().unwrap().pop_front();
        let mut outcome = Outcome::default();
        match answer {
            None => {}
            Some(Answer::Requeue(seconds)) => outcome.requeue = Some(Duration::from_secs(seconds)),
            Some(Answer::Failed(class)) => outcome.failures.push(Failure {
                step: "apply",
                class,
                message: "no".to_owned(),
            }),
            Some(Answer::Broken(class)) => return Err(RunError::new("observe", class, "no")),
        }
        Ok(outcome)
    }
}

#[derive(Debug, clap::Args)]
struct NoArgs {}

fn plan() -> PlanReport {
    PlanReport {
        text: "nothing to do\n".to_owned(),
        json: serde_json::Value::Null,
        steps: Default::default(),
        withheld: Default::default(),
    }
}

thread_local! {
    static EPOCH: std::cell::Cell<Option<Instant>> = const { std::cell::Cell::new(None) };
}

/// When the test began.
fn epoch() -> Instant {
    EPOCH.get().unwrap()
}

fn run_loop(controller: Scripted) -> RunLoop<Scripted> {
    EPOCH.set(Some(Instant::now()));
    let kube = kube_client(SocketAddr::from(([127, 0, 0, 1], 1)));
    let (trigger, shutdown) = (Trigger::default(), CancellationToken::new());
    let metrics = Metrics::new();
    RunLoop {
        controller: Arc::new(controller),
        args: ControllerArgs {
            plan_format: crate::PlanFormat::Text,
            once: false,
            dry_run: false,
            leader_elect: false,
            leader_election_namespace: None,
            leader_election_id: None,
            max_removal_percent: 30,
            max_removal_count: 10,
            allow_mass_removal: false,
        },
        watches: Watches::new(trigger.clone(), shutdown.clone()),
        admin: Admin::new("isthmus-test", metrics.clone()),
        events: Events::start(kube.clone(), "isthmus-test", "me".to_owned()),
        metrics,
        shutdown,
        kube,
        trigger,
    }
}

/// Serves in the background; gives what a test needs to look at and to end it.
struct Served {
    controller: Arc<Scripted>,
    trigger: Trigger,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    metrics: Metrics,
}

fn serve(controller: Scripted, election: Election) -> Served {
    let run_loop = run_loop(controller);
    Served {
        controller: run_loop.controller.clone(),
        trigger: run_loop.trigger.clone(),
        shutdown: run_loop.shutdown.clone(),
        metrics: run_loop.metrics.clone(),
        task: tokio::spawn(run_loop.serve(election, Duration::from_secs(3600))),
    }
}

impl Served {
    /// Seconds after the start of each run, and whether it was full.
    fn runs(&self) -> Vec<(u64, bool)> {
        let runs = self.controller.runs.lock().unwrap();
        runs.iter()
            .map(|(at, full)| (at.as_secs(), *full))
            .collect()
    }
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test(start_paused = true)]
async fn a_hundred_changes_are_one_run() {
    let served = serve(Scripted::default(), Election::unopposed());
    sleep(secs(10)).await;
    for _ in 0..100 {
        served.trigger.fire();
        sleep(Duration::from_millis(5)).await;
    }
    sleep(secs(60)).await;
    assert_eq!(served.runs(), [(0, true), (11, false)]);
}

#[tokio::test(start_paused = true)]
async fn changes_during_a_run_are_one_run_after_it() {
    let controller = Scripted {
        takes: secs(5),
        ..Scripted::default()
    };
    let served = serve(controller, Election::unopposed());
    for _ in 0..4 {
        sleep(secs(1)).await;
        served.trigger.fire();
    }
    sleep(secs(60)).await;
    assert_eq!(served.runs(), [(0, true), (6, false)]);
}

#[tokio::test(start_paused = true)]
async fn steady_changes_do_not_starve_the_loop() {
    let served = serve(Scripted::default(), Election::unopposed());
    for _ in 0..100 {
        sleep(Duration::from_millis(100)).await;
        served.trigger.fire();
    }
    assert!(served.runs().len() >= 9, "{:?}", served.runs());
}

#[tokio::test(start_paused = true)]
async fn requeue_by_outcome_and_by_class() {
    let script = [
        Answer::Requeue(15),
        Answer::Failed(ErrorClass::Transient),
        Answer::Broken(ErrorClass::Transient),
        Answer::Failed(ErrorClass::Invalid),
    ];
    let controller = Scripted {
        script: Mutex::new(script.into()),
        ..Scripted::default()
    };
    let served = serve(controller, Election::unopposed());
    sleep(secs(3000)).await;
    let runs = served.runs();
    assert_eq!(runs[..2], [(0, true), (15, false)]);
    let waits: Vec<u64> = runs.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(
        (2..=3).contains(&waits[1]) && (4..=5).contains(&waits[2]),
        "{waits:?}"
    );
    assert_eq!(runs.len(), 4, "what is invalid waits for the resync");
    assert!(runs[2].1 && runs[3].1);
    sleep(secs(1500)).await;
    assert_eq!(served.runs().len(), 5, "the resync");
    let text = served.metrics.render();
    for line in [
        r#"isthmus_reconcile_errors_total{class="transient",step="apply"} 1"#,
        r#"isthmus_reconcile_errors_total{class="transient",step="observe"} 1"#,
        r#"isthmus_reconcile_errors_total{class="invalid",step="apply"} 1"#,
        r#"isthmus_reconcile_duration_seconds_count{step="total"} 5"#,
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn changes_do_not_undo_the_backoff_of_throttling() {
    let script = [Answer::Failed(ErrorClass::Throttled)];
    let controller = Scripted {
        script: Mutex::new(script.into()),
        ..Scripted::default()
    };
    let served = serve(controller, Election::unopposed());
    for _ in 0..9 {
        sleep(secs(1)).await;
        served.trigger.fire();
    }
    assert_eq!(served.runs().len(), 1);
    sleep(secs(5)).await;
    assert_eq!(served.runs().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn sigterm_lets_a_run_end_and_starts_no_other() {
    let controller = Scripted {
        takes: secs(3),
        ..Scripted::default()
    };
    let served = serve(controller, Election::unopposed());
    sleep(secs(1)).await;
    served.trigger.fire();
    served.shutdown.cancel();
    served.task.await.unwrap();
    assert_eq!(epoch().elapsed().as_secs(), 3);
    assert_eq!(served.controller.runs.lock().unwrap().len(), 1);
    assert!(
        !served.controller.ended.load(Ordering::Relaxed),
        "it may call no more"
    );
}

#[tokio::test(start_paused = true)]
async fn sigterm_ends_within_ten_seconds_whatever_the_run_does() {
    let lease = FreeLease::default();
    let election = Election::start(lease.clone(), "me".to_owned());
    let controller = Scripted {
        hangs: true,
        ..Scripted::default()
    };
    let served = serve(controller, election);
    sleep(secs(1)).await;
    let asked = Instant::now();
    served.shutdown.cancel();
    served.task.await.unwrap();
    assert!(asked.elapsed() < secs(10), "{:?}", asked.elapsed());
    assert_eq!(lease.0.lock().unwrap().clone().unwrap().holder, "");
}

#[tokio::test(start_paused = true)]
async fn a_replica_acts_only_while_it_leads() {
    let lease = FreeLease::default();
    *lease.0.lock().unwrap() = Some(LeaseRecord {
        holder: "another".to_owned(),
        duration: Some(secs(15)),
        ..LeaseRecord::default()
    });
    let served = serve(
        Scripted::default(),
        Election::start(lease.clone(), "me".to_owned()),
    );
    for _ in 0..10 {
        sleep(secs(1)).await;
        served.trigger.fire();
    }
    assert_eq!(served.runs(), []);
    assert!(served.metrics.render().contains("isthmus_leader 0"));
    sleep(secs(10)).await;
    assert_eq!(served.runs().len(), 1);
    assert!(served.metrics.render().contains("isthmus_leader 1"));

    lease.0.lock().unwrap().as_mut().unwrap().holder = "another".to_owned();
    sleep(secs(3)).await;
    assert!(served.metrics.render().contains("isthmus_leader 0"));
    advance(secs(1)).await;
    served.trigger.fire();
    sleep(secs(5)).await;
    assert_eq!(served.runs().len(), 1);
    sleep(secs(30)).await;
    assert_eq!(served.runs().last().map(|(_, full)| *full), Some(true));
    assert_eq!(
        served.runs().len(),
        2,
        "leads again, and looks at everything"
    );
}

#[tokio::test(start_paused = true)]
async fn once_goes_on_while_something_is_pending() {
    let script = [Answer::Requeue(5), Answer::Requeue(5)];
    let controller = Scripted {
        script: Mutex::new(script.into()),
        ..Scripted::default()
    };
    let mut once = run_loop(controller);
    once.args.once = true;
    let controller = once.controller.clone();
    assert_eq!(once.once().await.unwrap(), ExitCode::SUCCESS);
    let runs = controller.runs.lock().unwrap().clone();
    let full: Vec<_> = runs.iter().map(|(_, full)| *full).collect();
    assert_eq!(full, [true, false, false], "it reads everything once");
    assert_eq!(epoch().elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn once_fails_if_anything_failed() {
    for answer in [
        Answer::Failed(ErrorClass::Denied),
        Answer::Broken(ErrorClass::Invalid),
    ] {
        let controller = Scripted {
            script: Mutex::new([answer].into()),
            ..Scripted::default()
        };
        assert_eq!(
            run_loop(controller).once().await.unwrap(),
            ExitCode::FAILURE
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_makes_one_pass() {
    let script = [Answer::Requeue(5)];
    let controller = Scripted {
        script: Mutex::new(script.into()),
        ..Scripted::default()
    };
    let mut dry = run_loop(controller);
    dry.args.dry_run = true;
    let controller = dry.controller.clone();
    assert_eq!(dry.once().await.unwrap(), ExitCode::SUCCESS);
    assert_eq!(controller.runs.lock().unwrap().len(), 1);
}

/// A Lease in memory.
#[derive(Clone, Default)]
struct FreeLease(Arc<Mutex<Option<LeaseRecord>>>);

impl LeaseApi for FreeLease {
    async fn get(&self) -> Result<Option<LeaseRecord>, LeaseError> {
        Ok(self.0.lock().unwrap().clone())
    }
    async fn create(&self, lease: LeaseRecord) -> Result<LeaseRecord, LeaseError> {
        *self.0.lock().unwrap() = Some(lease.clone());
        Ok(lease)
    }
    async fn replace(&self, lease: LeaseRecord) -> Result<LeaseRecord, LeaseError> {
        self.create(lease).await
    }
}

fn send(run_loop: &RunLoop<Scripted>, events: usize) {
    for n in 0..events {
        let object = isthmus_core::ObjectRef::new("v1", "ConfigMap", "a", n.to_string());
        let text = "no".to_owned();
        run_loop
            .events
            .send(&object, crate::EventType::Warning, "Rejected", text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_sends_its_events_to_a_slow_server() {
    let server = FakeServer::start(|asked| {
        std::thread::sleep(GRACE_AT_THE_END);
        Some((201, asked.body.clone()))
    })
    .await;
    let mut once = run_loop(Scripted::default());
    once.events = Events::start(server.kube(), "isthmus-test", "me".to_owned());
    send(&once, 3);
    assert_eq!(once.once().await.unwrap(), ExitCode::SUCCESS);
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn once_does_not_wait_for_a_silent_server_when_told_to_end() {
    let server = FakeServer::start(|_| None).await;
    let mut once = run_loop(Scripted::default());
    once.events = Events::start(server.kube(), "isthmus-test", "me".to_owned());
    send(&once, 100);
    let shutdown = once.shutdown.clone();
    let start = Instant::now();
    let (ended, ()) = tokio::join!(once.once(), async {
        sleep(secs(30)).await;
        shutdown.cancel();
    });
    assert_eq!(ended.unwrap(), ExitCode::SUCCESS);
    assert_eq!(start.elapsed(), secs(30) + GRACE_AT_THE_END);
}
