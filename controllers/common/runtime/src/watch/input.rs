//! One watch as others see it: in sync or not, failing or not, how old.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use kube::runtime::watcher;
use tokio::time::Instant;

use super::Effect;

/// An error older than this is over: a watch that fails is tried again after a minute
/// at most, and fails again at once or, where nobody answers, after another minute.
/// A watch that was resumed and has nothing to tell says nothing.
const ERROR_LIFE: Duration = Duration::from_secs(140);

/// One watch.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) kind: &'static str,
    state: Mutex<State>,
}

/// An event without its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventKind {
    Init,
    InitApply,
    InitDone,
    Apply,
    Delete,
}

impl EventKind {
    pub(super) fn of<K>(event: &watcher::Event<K>) -> Self {
        match event {
            watcher::Event::Init => Self::Init,
            watcher::Event::InitApply(_) => Self::InitApply,
            watcher::Event::InitDone => Self::InitDone,
            watcher::Event::Apply(_) => Self::Apply,
            watcher::Event::Delete(_) => Self::Delete,
        }
    }
}

#[derive(Clone, Debug, Default)]
struct State {
    ready: bool,
    absent: bool,
    objects: usize,
    changed: Option<Instant>,
    error: Option<(String, Instant)>,
    /// When it began to fail; of use only together with an error.
    failing: Option<Instant>,
}

impl Input {
    pub(super) fn new(kind: &'static str) -> Self {
        Self {
            kind,
            state: Mutex::default(),
        }
    }

    /// Notes an event.
    pub(super) fn saw(&self, event: EventKind, effect: &Effect) {
        if event == EventKind::Init {
            // Said before the server is asked.
            return;
        }
        let mut state = self.state();
        let listed = matches!(event, EventKind::InitDone | EventKind::Apply);
        if listed && std::mem::take(&mut state.absent) {
            tracing::info!(watch = self.kind, "the API server serves it now");
        } else if state.error.take().is_some() {
            tracing::info!(watch = self.kind, "watch works again");
        }
        state.failing = None;
        if event == EventKind::InitDone && !state.ready {
            tracing::debug!(watch = self.kind, objects = effect.objects, "first list");
            state.ready = true;
        }
        state.objects = effect.objects;
        if effect.changed {
            state.changed = Some(Instant::now());
        }
    }

    /// Notes an error. The log hears of it once, until it is over.
    pub(super) fn failed(&self, error: &watcher::Error) {
        let text = describe(error);
        if matches!(error, watcher::Error::WatchError(status) if status.code == 410) {
            // The server has forgotten the version we were at: a new list follows.
            tracing::debug!(watch = self.kind, error = text, "watch starts over");
            return;
        }
        let mut state = self.state();
        if state.error() != Some(&text) {
            tracing::warn!(
                watch = self.kind,
                error = text,
                "watch fails; it is tried again"
            );
        }
        let now = Instant::now();
        if state.error().is_none() {
            state.failing = Some(now);
        }
        state.error = Some((text, now));
    }

    /// For how long it has failed, if it does.
    pub(super) fn failing_for(&self) -> Option<Duration> {
        let state = self.state();
        state.error()?;
        state.failing.map(|since| since.elapsed())
    }

    /// Notes that there is nothing to watch, which is as good as an empty list at
    /// the start. Whether that is news.
    pub(super) fn vanished(&self) -> bool {
        let mut state = self.state();
        let news = !std::mem::replace(&mut state.absent, true);
        if news {
            const WORD: &str = "the API server does not serve it; it is watched for";
            if state.ready {
                tracing::warn!(watch = self.kind, "{WORD}");
            } else {
                tracing::info!(watch = self.kind, "{WORD}");
            }
            state.changed = Some(Instant::now());
        }
        state.ready = true;
        state.error = None;
        news
    }

    /// What keeps it from being ready, if it is not.
    pub(super) fn missing(&self) -> Option<String> {
        let state = self.state();
        let why = state.error().unwrap_or("no first list yet");
        (!state.ready).then(|| format!("{}: {why}", self.kind))
    }

    /// Whether it has delivered its first list and does not fail. A kind that the
    /// API server need not serve is in sync without it.
    pub(super) fn is_in_sync(&self) -> bool {
        let state = self.state();
        state.ready && state.error().is_none()
    }

    /// Kind, objects, state, age of the last change.
    pub(super) fn row(&self) -> Vec<String> {
        let state = self.state();
        let word = match (state.error(), state.ready) {
            (Some(error), _) => format!("failing: {error}"),
            _ if state.absent => "not served by the API server".to_owned(),
            (None, true) => "in sync".to_owned(),
            (None, false) => "waiting for the first list".to_owned(),
        };
        let changed = state.changed.map(|at| super::age(at.elapsed()));
        vec![
            self.kind.to_owned(),
            state.objects.to_string(),
            word,
            changed.unwrap_or_else(|| "never".to_owned()),
        ]
    }

    fn state(&self) -> MutexGuard<'_, State> {
        super::lock(&self.state)
    }
}

impl State {
    fn error(&self) -> Option<&str> {
        let (text, at) = self.error.as_ref()?;
        (at.elapsed() < ERROR_LIFE).then_some(text)
    }
}

fn describe(error: &watcher::Error) -> String {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(error) | WatchStartFailed(error) | WatchFailed(error) => {
            crate::connect::describe(error)
        }
        WatchError(status) => format!("{} ({})", status.message, status.code),
        other => other.to_string(),
    }
}
