//! The reasons of the proxy's Events, all of them.

use isthmus_core::EventReason;

/// The annotations of a pod name no role.
pub const INVALID_ROLE: &str = "InvalidRole";
/// The namespace does not allow the role.
pub const ROLE_NOT_ALLOWED: &str = "RoleNotAllowed";
/// The pod has no token to assume the role with.
pub const NO_POD_TOKEN: &str = "NoPodToken";
/// Several pods have one address.
pub const AMBIGUOUS_ADDRESS: &str = "AmbiguousAddress";
/// STS does not give credentials.
pub const ROLE_NOT_ASSUMED: &str = "RoleNotAssumed";
/// The list of a namespace cannot be read.
pub const INVALID_ALLOWED_ROLES: &str = "InvalidAllowedRoles";
/// The taint of `--startup-taint` is gone.
pub const STARTUP_TAINT_REMOVED: &str = "StartupTaintRemoved";

/// Every reason, with what it means.
pub const EVENTS: [EventReason; 7] = [
    EventReason::warning(
        INVALID_ROLE,
        "What the pod, or its ServiceAccount, is annotated with cannot be used. The pod gets no role.",
        "Write a role's name, its path and name, or its ARN; the Event names what is wrong.",
    ),
    EventReason::warning(
        ROLE_NOT_ALLOWED,
        "The namespace's list of roles does not have the pod's role.",
        "Have the role added to the list of the namespace, or use one that is there.",
    ),
    EventReason::warning(
        NO_POD_TOKEN,
        "With `--credential-source=web-identity`: the pod has no token to assume its role with.",
        "Add the projected volume that the Event describes.",
    ),
    EventReason::warning(
        AMBIGUOUS_ADDRESS,
        "Several living pods have one address. None of them is served.",
        "Look at the network plugin; delete the pod that does not belong there.",
    ),
    EventReason::warning(
        ROLE_NOT_ASSUMED,
        "STS gives no credentials of the pod's role; its words are in the Event.",
        "Mend the role's name or its trust policy.",
    ),
    EventReason::warning(
        INVALID_ALLOWED_ROLES,
        "On a namespace: its list of roles cannot be read, so no role is allowed there.",
        "Write a JSON list of patterns.",
    ),
    EventReason::normal(
        STARTUP_TAINT_REMOVED,
        "On a node: its pods are served, so the taint of `--startup-taint` was taken off.",
    ),
];
