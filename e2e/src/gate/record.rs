//! What the gate has seen, and what it does with the next call.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::answer::AwsError;
use super::call::{Call, Outcome};
use super::fault::{Fault, FaultKind, FaultPlan};
use super::limits::{Limits, TokenBucket};
use super::request::Asked;

/// What to do with a call.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The world stands still: hold it until [`Record::released`], then cut.
    Hold,
    /// Answer this.
    Refuse(AwsError),
    /// Never answer.
    Silence,
    /// Cut the connection.
    Cut,
    /// Carry it out.
    Forward(Forward),
}

/// How to carry a call out.
#[derive(Debug)]
pub(super) struct Forward {
    pub(super) n: usize,
    pub(super) delay: Duration,
    pub(super) delivery: Delivery,
    /// Changes when a held call may go on.
    pub(super) held: Option<watch::Receiver<()>>,
    epoch: u64,
}

/// What becomes of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    Whole,
    /// Whole, but for the end of the credentials in it.
    ExpiresIn(Duration),
    Malformed,
    /// Half of it, looking whole.
    CutShort,
    Half,
    Truncated,
    Lost,
    /// Lost, and the world stands still from here on.
    Stop,
}

struct State {
    calls: Vec<Call>,
    faults: FaultPlan,
    limits: Limits,
    /// How many more calls are let through.
    left: Option<usize>,
    internal_errors: Vec<String>,
    epoch: u64,
}

/// The gate's memory, shared by its connections.
pub(super) struct Record {
    state: Mutex<State>,
    in_flight: watch::Sender<usize>,
    stopped: watch::Sender<bool>,
    released: watch::Sender<u64>,
    faults_cleared: watch::Sender<()>,
}

impl Record {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                calls: Vec::new(),
                faults: FaultPlan::default(),
                limits: Limits::aws(),
                left: None,
                internal_errors: Vec::new(),
                epoch: 0,
            }),
            in_flight: watch::Sender::new(0),
            stopped: watch::Sender::new(false),
            released: watch::Sender::new(0),
            faults_cleared: watch::Sender::new(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the call and says what to do with it.
    pub(super) fn decide(&self, asked: &Asked, now: Instant) -> Verdict {
        let mut state = self.lock();
        if state.left == Some(0) {
            return Verdict::Hold;
        }
        let n = state.calls.len() + 1;
        let mut call = Call {
            n,
            service: asked.service.clone(),
            action: asked.action.clone(),
            params: asked.params.clone(),
            status: 0,
            at: now,
            caller: asked.caller.clone(),
            outcome: Outcome::Faulted,
        };
        let struck = state
            .faults
            .strike(&asked.service, &asked.action, &asked.params);
        // Under the lock: a clearance that comes now is not missed.
        let held = (struck == Some(FaultKind::Held)).then(|| self.faults_cleared.subscribe());
        let verdict = if !state.limits.admit(&asked.service, &asked.action, now) {
            call.outcome = Outcome::Throttled;
            Verdict::Refuse(AwsError::throttled(&asked.service))
        } else {
            by_fault(struck, asked, n)
        };
        let verdict = match verdict {
            Verdict::Forward(mut forward) => {
                call.outcome = Outcome::Pending;
                forward.epoch = state.epoch;
                forward.held = held;
                if let Some(left) = &mut state.left {
                    *left -= 1;
                    if *left == 0 {
                        forward.delivery = Delivery::Stop;
                    }
                }
                self.in_flight.send_modify(|count| *count += 1);
                Verdict::Forward(forward)
            }
            Verdict::Refuse(error) => {
                call.status = error.status;
                Verdict::Refuse(error)
            }
            other => other,
        };
        state.calls.push(call);
        verdict
    }

    /// Notes what became of a call that was let through.
    pub(super) fn done(&self, forward: &Forward, status: u16, outcome: Outcome) {
        let mut state = self.lock();
        if state.epoch == forward.epoch {
            let call = state.calls.get_mut(forward.n - 1);
            if let Some(call) = call {
                call.status = status;
                call.outcome = outcome;
            }
        }
        drop(state);
        if forward.delivery == Delivery::Stop {
            self.stopped.send_replace(true);
        }
        self.in_flight.send_modify(|count| *count -= 1);
    }

    /// Notes a 500 of an emulator, recorded call or not.
    pub(super) fn internal_error(&self, error: String) {
        self.lock().internal_errors.push(error);
    }

    pub(super) fn internal_errors(&self) -> Vec<String> {
        self.lock().internal_errors.clone()
    }

    pub(super) fn forgive_internal_errors(&self) {
        self.lock().internal_errors.clear();
    }

    /// Ends with the next [`Record::resume`] or reset after this was called,
    /// polled or not.
    pub(super) fn released(&self) -> impl Future<Output = ()> + use<> {
        let mut released = self.released.subscribe();
        async move {
            let _ = released.changed().await;
        }
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    pub(super) fn clear(&self) {
        let mut state = self.lock();
        state.calls.clear();
        state.epoch += 1;
    }

    pub(super) fn plan(&self, fault: Fault) {
        self.lock().faults.add(fault);
    }

    pub(super) fn clear_faults(&self) {
        self.lock().faults.clear();
        self.faults_cleared.send_replace(());
    }

    pub(super) fn rate(&self, service: &str, prefix: &str, burst: u32, per_second: f64) {
        let bucket = TokenBucket::new(burst, per_second);
        self.lock().limits.set(service, prefix, bucket);
    }

    pub(super) fn stop_after(&self, n: usize) {
        let mut state = self.lock();
        state.left = Some(n);
        self.stopped.send_replace(n == 0);
    }

    pub(super) async fn stopped(&self) {
        let mut stopped = self.stopped.subscribe();
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }

    pub(super) fn resume(&self) {
        self.lock().left = None;
        self.stopped.send_replace(false);
        self.released.send_modify(|count| *count += 1);
    }

    pub(super) async fn quiet(&self) {
        let mut in_flight = self.in_flight.subscribe();
        let _ = in_flight.wait_for(|count| *count == 0).await;
    }

    pub(super) fn reset(&self) {
        let mut state = self.lock();
        state.calls.clear();
        state.epoch += 1;
        state.faults.clear();
        state.limits = Limits::aws();
        state.internal_errors.clear();
        drop(state);
        self.faults_cleared.send_replace(());
        self.resume();
    }
}

fn by_fault(struck: Option<FaultKind>, asked: &Asked, n: usize) -> Verdict {
    let forward = |delay, delivery| {
        Verdict::Forward(Forward {
            n,
            delay,
            delivery,
            held: None,
            epoch: 0,
        })
    };
    match struck {
        None | Some(FaultKind::Held) => forward(Duration::ZERO, Delivery::Whole),
        Some(FaultKind::Delay(by)) => forward(by, Delivery::Whole),
        Some(FaultKind::ExpiresIn(life)) => forward(Duration::ZERO, Delivery::ExpiresIn(life)),
        Some(FaultKind::Malformed) => forward(Duration::ZERO, Delivery::Malformed),
        Some(FaultKind::CutShort) => forward(Duration::ZERO, Delivery::CutShort),
        Some(FaultKind::HalfAnswer) => forward(Duration::ZERO, Delivery::Half),
        Some(FaultKind::Truncated) => forward(Duration::ZERO, Delivery::Truncated),
        Some(FaultKind::LostAnswer) => forward(Duration::ZERO, Delivery::Lost),
        Some(FaultKind::Timeout) => Verdict::Silence,
        Some(FaultKind::Cut) => Verdict::Cut,
        Some(FaultKind::Throttle) => Verdict::Refuse(AwsError::throttled(&asked.service)),
        Some(FaultKind::Denied) => Verdict::Refuse(AwsError::denied(asked)),
        Some(FaultKind::InternalError) => Verdict::Refuse(AwsError::internal(&asked.service)),
        Some(FaultKind::Error {
            status,
            code,
            message,
        }) => Verdict::Refuse(AwsError {
            status,
            code,
            message,
            list: Vec::new(),
        }),
        Some(FaultKind::InvalidChangeBatch(messages)) => Verdict::Refuse(AwsError {
            list: messages,
            ..AwsError::new(400, "InvalidChangeBatch", "")
        }),
    }
}
