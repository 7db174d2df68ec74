//! What the owners of pods hear: Events, limited and aggregated by the runtime.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use isthmus_core::{ErrorClass, ObjectRef, Rejection};
use isthmus_runtime::{EventType, Events};
use jiff::Timestamp;
use metadata_proxy_core::{Caller, Found, Grant, Identity, Refusal, reason};

use crate::aws::SourceError;
use crate::directory::SharedDirectory;

/// Sends Events about pods that do not get what they ask for. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Reporter {
    events: Arc<OnceLock<Events>>,
    directory: SharedDirectory,
}

impl Reporter {
    /// Says nothing until [`Reporter::connect`].
    pub(crate) fn new(directory: SharedDirectory) -> Self {
        Self {
            events: Arc::default(),
            directory,
        }
    }

    /// The API server is there.
    pub(crate) fn connect(&self, events: Events) {
        let _ = self.events.set(events);
    }

    /// A pod was refused for a reason that its author, or the operator, can change.
    pub(crate) fn refused(&self, peer: IpAddr, caller: &Caller, refusal: Refusal) {
        match (refusal, caller) {
            (
                Refusal::InvalidRole | Refusal::RoleNotAllowed | Refusal::NoPodToken,
                Caller::Pod { pod, .. },
            ) => {
                let rejection = self.directory.look(|directory| directory.rejection(pod));
                if let Some(rejection) = rejection {
                    self.rejected(&rejection);
                }
            }
            (Refusal::AmbiguousAddress, _) => self.ambiguous(peer),
            _ => {}
        }
    }

    /// A pod asks for what it cannot have.
    pub(crate) fn rejected(&self, rejection: &Rejection) {
        let message = rejection.message.clone();
        self.warn(&rejection.object, rejection.reason, message);
    }

    fn ambiguous(&self, peer: IpAddr) {
        let Found::Ambiguous(pods) = self
            .directory
            .look(|directory| directory.pods.find(peer, Timestamp::now()))
        else {
            return;
        };
        let names: Vec<String> = pods.iter().map(|pod| pod.object().to_string()).collect();
        for pod in &pods {
            let message = format!(
                "{peer} is the address of more than one pod, and none is served: {}",
                names.join(", ")
            );
            self.warn(&pod.object(), reason::AMBIGUOUS_ADDRESS, message);
        }
    }

    /// STS does not give credentials of a pod's role.
    pub(crate) fn no_credentials(&self, grant: &Grant, error: &SourceError) {
        let pod = self.directory.look(|directory| {
            let mut pods = directory.pods.pods();
            pods.find(|pod| pod.uid == grant.pod_uid)
                .map(|pod| pod.object())
        });
        if let Some(pod) = pod {
            let hint = match &grant.identity {
                Identity::Pod {
                    service_account, ..
                } if error.class == ErrorClass::Denied => format!(
                    "; its trust policy has to allow system:serviceaccount:{}:{service_account} of this cluster's OIDC provider",
                    grant.namespace
                ),
                Identity::Pod { .. } | Identity::Node => String::new(),
            };
            let message = format!("{} cannot be assumed: {error}{hint}", grant.role);
            self.warn(&pod, reason::ROLE_NOT_ASSUMED, message);
        }
    }

    /// A namespace's list of roles cannot be read.
    pub(crate) fn wrong_list(
        &self,
        namespace: &ObjectRef,
        key: &str,
        error: &dyn std::error::Error,
    ) {
        self.warn(
            namespace,
            reason::INVALID_ALLOWED_ROLES,
            format!("annotation {key}: {error}; no role is allowed"),
        );
    }

    fn warn(&self, object: &ObjectRef, reason: &'static str, message: String) {
        self.say(object, EventType::Warning, reason, message);
    }

    /// An Event on any object.
    pub(crate) fn say(
        &self,
        object: &ObjectRef,
        event_type: EventType,
        reason: &'static str,
        message: String,
    ) {
        if let Some(events) = self.events.get() {
            events.send(object, event_type, reason, message);
        }
    }
}
