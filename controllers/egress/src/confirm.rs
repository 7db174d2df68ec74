//! When an empty list of ConfigMaps is believed: it removes everything.

use std::time::{Duration, Instant};

use egress_core::{Planned, Snapshot};
use isthmus_core::{Action as _, Effect, ErrorClass};
use isthmus_runtime::Failure;

use crate::controller::Egress;
use crate::error::kube_class;

/// How often in a row the watch may lag behind the API server.
const MOST_DOUBTS: u32 = 2;

/// Whether an empty list of ConfigMaps is one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Confirmed {
    /// Nothing hangs on it, or it is.
    Yes,
    /// It is the first that this process has seen: the resync decides.
    TooEarly,
    /// The API server has some.
    No,
    /// Nobody knows.
    Unknown(Failure),
}

impl Confirmed {
    pub(crate) fn into_failures(self) -> Vec<Failure> {
        match self {
            Self::Unknown(failure) => vec![failure],
            Self::Yes | Self::TooEarly | Self::No => Vec::new(),
        }
    }
}

/// What is known of empty lists.
#[derive(Debug, Default)]
pub(crate) struct EmptyLists {
    /// There was a ConfigMap since the process began.
    some: bool,
    /// When the first list was found empty.
    since: Option<Instant>,
    doubts: u32,
}

impl EmptyLists {
    /// Notes that a run goes by this list.
    pub(crate) fn note(&mut self, snapshot: &Snapshot) {
        if !snapshot.is_empty() {
            self.some = true;
            self.doubts = 0;
        }
    }

    /// Whether the list has been empty since the process began, and that is not
    /// as long ago as a resync: a process that starts at the wrong cluster, or
    /// before its objects were restored, leaves an operator that time.
    fn is_first(&mut self, now: Instant, resync: Duration) -> bool {
        let since = *self.since.get_or_insert(now);
        // Resyncs are moved by up to a tenth.
        !self.some && now.duration_since(since) < resync.mul_f64(0.8)
    }

    /// Notes that the API server had ConfigMaps and the watch none. Whether that
    /// may still be a delay.
    fn doubt(&mut self) -> bool {
        self.doubts += 1;
        self.doubts <= MOST_DOUBTS
    }
}

impl Egress {
    /// An empty list is believed only if the API server, asked again and past all
    /// caches, says the same; and if it is the first list of a process that stays,
    /// only at the next resync.
    pub(crate) async fn confirm(&self, snapshot: &Snapshot, planned: &Planned) -> Confirmed {
        let mut active = planned.plan.active();
        let removes = active.any(|step| step.action.effect() == Effect::Remove);
        if !snapshot.is_empty() || !removes {
            return Confirmed::Yes;
        }
        if !self.once && self.memory().empty.is_first(Instant::now(), self.resync) {
            tracing::warn!(
                "no ConfigMap is labelled egress=static, and none has been since the start: \
                 what is there is removed at the next resync, if that is still so"
            );
            return Confirmed::TooEarly;
        }
        let failed = |class, message| {
            Confirmed::Unknown(Failure {
                step: "confirm",
                class,
                message,
            })
        };
        match self.lists.none_for_sure().await {
            Ok(true) => Confirmed::Yes,
            Ok(false) if self.memory().empty.doubt() => Confirmed::No,
            Ok(false) => failed(
                ErrorClass::Transient,
                "the watch shows no ConfigMap labelled egress=static, and the API server has some"
                    .to_owned(),
            ),
            Err(error) => failed(
                kube_class(&error),
                format!("listing the ConfigMaps again: {error}"),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use egress_core::CidrList;
    use isthmus_core::ObjectRef;

    use super::*;

    const RESYNC: Duration = Duration::from_secs(300);

    #[test]
    fn the_first_list_is_believed_at_the_resync() {
        let mut empty = EmptyLists::default();
        let start = Instant::now();
        empty.note(&Snapshot::default());
        assert!(empty.is_first(start, RESYNC));
        assert!(empty.is_first(start + RESYNC / 2, RESYNC));
        assert!(!empty.is_first(start + RESYNC.mul_f64(0.9), RESYNC));
    }

    #[test]
    fn once_there_was_one_its_deletion_was_seen() {
        let mut empty = EmptyLists::default();
        empty.note(&Snapshot::new([CidrList {
            object: ObjectRef::new("v1", "ConfigMap", "shop", "partners"),
            created: 0,
            data: BTreeMap::new(),
        }]));
        assert!(!empty.is_first(Instant::now(), RESYNC));
    }

    #[test]
    fn a_watch_that_lags_is_waited_for_a_few_times() {
        let mut empty = EmptyLists::default();
        assert!((0..MOST_DOUBTS).all(|_| empty.doubt()));
        assert!(!empty.doubt());
    }
}
