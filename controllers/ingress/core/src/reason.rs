//! The reasons of this controller's Events, all of them.

use isthmus_core::EventReason;

use crate::rejection::{
    INVALID_ALARM, INVALID_ANNOTATION, LOAD_BALANCER_FAILED, NO_CERTIFICATE, NO_SECURITY_GROUP,
    NO_SUBNETS, NOT_OWNED, TOO_MANY_CERTIFICATES,
};

/// AWS refused a call.
pub const REFUSED_BY_AWS: &str = "RefusedByAws";
/// A certificate that is served runs out soon.
pub const CERTIFICATE_EXPIRES: &str = "CertificateExpires";
/// Somebody else changed what is managed.
pub const CHANGED_BY_HAND: &str = "ChangedByHand";
/// A step of the plan is shown and not carried out.
pub const WITHHELD: &str = "Withheld";
/// The name in the status is gone.
pub const WITHDRAWN: &str = "Withdrawn";
/// The name in the status is new.
pub const LOAD_BALANCER_READY: &str = "LoadBalancerReady";

/// Every reason, with what it means.
pub const EVENTS: [EventReason; 14] = [
    EventReason::warning(
        INVALID_ANNOTATION,
        "An annotation has a value that is not allowed. The object keeps what it has.",
        "Write one of the values that the Event names.",
    ),
    EventReason::warning(
        INVALID_ALARM,
        "The ConfigMap of alarms is not there, or one of its keys is not understood. Alarms that there are stay.",
        "Write what the Event names as CloudFormation has it.",
    ),
    EventReason::warning(
        NO_CERTIFICATE,
        "No certificate of ACM or IAM is for a host, or the pinned one is not there. Other hosts go on.",
        "Make or import a certificate for the host in the account and region of the cluster.",
    ),
    EventReason::warning(
        TOO_MANY_CERTIFICATES,
        "One object needs more certificates than fit on a load balancer (`--max-certs-alb`).",
        "Use a wildcard certificate or one for several hosts, or spread the hosts over several objects.",
    ),
    EventReason::warning(
        NO_SUBNETS,
        "No subnets are found for the scheme of the load balancer.",
        "Tag the VPC's subnets as the Event says.",
    ),
    EventReason::warning(
        NO_SECURITY_GROUP,
        "No security group has the tags of the cluster and of the controller.",
        "Tag one as the Event says.",
    ),
    EventReason::warning(
        NOT_OWNED,
        "A load balancer, listener or target group of our name has not, or no longer, our tags. It is left alone.",
        "Put the tags back or delete it.",
    ),
    EventReason::warning(
        LOAD_BALANCER_FAILED,
        "Elastic Load Balancing could not set the load balancer up.",
        "Read the cause in the Event; often there are no free addresses in a subnet.",
    ),
    EventReason::warning(
        REFUSED_BY_AWS,
        "AWS refused a call that this object needs.",
        "Read AWS's words in the Event: a missing right is the operator's, a wrong value the author's matter.",
    ),
    EventReason::warning(
        CERTIFICATE_EXPIRES,
        "A certificate that serves this object runs out within 14 days.",
        "Renew it, or import the next one; it is taken up by itself.",
    ),
    EventReason::warning(
        CHANGED_BY_HAND,
        "Somebody else changed the load balancer; it is put back.",
        "Make the change by an annotation or a flag.",
    ),
    EventReason::warning(
        WITHHELD,
        "A change is shown in the plan and not carried out.",
        "Read the cause in the Event and look at the plan.",
    ),
    EventReason::normal(
        WITHDRAWN,
        "The object is on no load balancer any more; the name in its status is gone.",
    ),
    EventReason::normal(
        LOAD_BALANCER_READY,
        "The status has the name of a load balancer that serves the object.",
    ),
];
