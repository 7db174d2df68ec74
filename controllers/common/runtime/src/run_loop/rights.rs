//! What the role may not do, said once where somebody looks.

use isthmus_core::ObjectRef;

use super::RunLoop;
use crate::{Controller, EventType, Metrics, reason};

impl<C: Controller> RunLoop<C> {
    /// Names the actions that AWS has refused: in one line of the log, and in an
    /// Event on this process's own pod where it knows it.
    pub(super) fn tell_rights(&self) {
        if !self.metrics.rights().is_news() {
            return;
        }
        let Some(missing) = missing(&self.metrics) else {
            return;
        };
        tracing::error!("{missing}");
        if let Some(pod) = own_pod().filter(|_| !self.args.dry_run) {
            self.events.send(
                &pod,
                EventType::Warning,
                reason::MISSING_AWS_RIGHTS,
                missing,
            );
        }
    }
}

/// One sentence with every action that is missing, if one is.
pub(super) fn missing(metrics: &Metrics) -> Option<String> {
    let missing = metrics.rights().missing();
    (!missing.is_empty()).then(|| {
        format!(
            "AWS does not allow {}: add that to the policy of this program's role, or look at its conditions",
            missing.join(", ")
        )
    })
}

/// The pod, from the environment that the manifests set.
fn own_pod() -> Option<ObjectRef> {
    let given = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let pod = ObjectRef::new("v1", "Pod", given("POD_NAMESPACE")?, given("POD_NAME")?);
    Some(pod.with_uid(given("POD_UID")?))
}
