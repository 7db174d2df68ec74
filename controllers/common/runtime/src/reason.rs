//! The reasons of the Events that the runtime itself sends.

use isthmus_core::EventReason;

/// AWS refuses calls that the program needs.
pub const MISSING_AWS_RIGHTS: &str = "MissingAwsRights";

/// Every reason, with what it means.
pub const EVENTS: [EventReason; 1] = [EventReason::warning(
    MISSING_AWS_RIGHTS,
    "On the program's own pod: AWS does not allow calls that it needs; the Event names the actions.",
    "Add them to the policy of the program's role, or look at its conditions.",
)];
