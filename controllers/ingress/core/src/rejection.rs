//! Why an Ingress is not served: the closed set of reasons, and the sentences.

use isthmus_core::{AnnotationError, ObjectRef, Rejection};

pub(crate) const INVALID_ALARM: &str = "InvalidAlarm";
pub(crate) const INVALID_ANNOTATION: &str = "InvalidAnnotation";
pub(crate) const NO_CERTIFICATE: &str = "NoCertificate";
pub(crate) const TOO_MANY_CERTIFICATES: &str = "TooManyCertificates";
pub(crate) const NO_SUBNETS: &str = "NoSubnets";
pub(crate) const NO_SECURITY_GROUP: &str = "NoSecurityGroup";
pub(crate) const NOT_OWNED: &str = "NotOwned";
pub(crate) const LOAD_BALANCER_FAILED: &str = "LoadBalancerFailed";

/// One rejection.
pub(crate) fn rejection(
    object: &ObjectRef,
    reason: &'static str,
    message: impl Into<String>,
) -> Rejection {
    Rejection {
        object: object.clone(),
        reason,
        message: message.into(),
    }
}

/// The same for every member of a load balancer.
pub(crate) fn reject_all(
    out: &mut Vec<Rejection>,
    objects: &[ObjectRef],
    reason: &'static str,
    message: &str,
) {
    out.extend(
        objects
            .iter()
            .map(|object| rejection(object, reason, message)),
    );
}

/// All wrong annotations of one object, in one sentence.
pub(crate) fn annotations(object: &ObjectRef, errors: &[AnnotationError]) -> Rejection {
    let said: Vec<_> = errors.iter().map(ToString::to_string).collect();
    rejection(object, INVALID_ANNOTATION, said.join("; "))
}
