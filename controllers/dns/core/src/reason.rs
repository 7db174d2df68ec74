//! The reasons of Events, a closed set. Those of rejections are values of a metric's label too.

use isthmus_core::EventReason;

/// An annotation's value is not allowed.
pub const INVALID_ANNOTATION: &str = "InvalidAnnotation";
/// The two annotation prefixes say different things.
pub const ANNOTATION_CONFLICT: &str = "AnnotationConflict";
/// An annotation with our prefix that means nothing.
pub const UNKNOWN_ANNOTATION: &str = "UnknownAnnotation";
/// A property of a DNSEndpoint that means nothing.
pub const UNKNOWN_PROPERTY: &str = "UnknownProperty";
/// A record of a DNSEndpoint is not one.
pub const INVALID_ENDPOINT: &str = "InvalidEndpoint";
/// The type of a record is not among the managed ones.
pub const UNMANAGED_TYPE: &str = "UnmanagedRecordType";
/// A host or a target is not a DNS name.
pub const INVALID_HOST: &str = "InvalidHost";
/// No hosted zone covers the host.
pub const NO_HOSTED_ZONE: &str = "NoHostedZone";
/// The hosted zone of the host cannot be read or written.
pub const ZONE_UNAVAILABLE: &str = "ZoneUnavailable";
/// Another object has the host, with another target.
pub const HOST_CONFLICT: &str = "HostConflict";
/// A record that is not ours is in the way.
pub const FOREIGN_RECORD: &str = "ForeignRecord";
/// Only one of several targets can be published.
pub const TARGET_IGNORED: &str = "TargetIgnored";
/// A record of that type cannot be at that name.
pub const IMPOSSIBLE_RECORD: &str = "ImpossibleRecord";
/// Route 53 refused the change.
pub const RECORD_REFUSED: &str = "RecordRefused";
/// A removal is shown in the plan and not carried out.
pub const REMOVAL_WITHHELD: &str = "RemovalWithheld";

/// Every reason, with what it means.
pub const EVENTS: [EventReason; 15] = [
    EventReason::warning(
        INVALID_ANNOTATION,
        "An annotation has a value that is not allowed. The object's records stay as they are.",
        "Write one of the values that the Event names.",
    ),
    EventReason::warning(
        ANNOTATION_CONFLICT,
        "The two annotation prefixes say different things. The newer prefix wins.",
        "Take one of the two away.",
    ),
    EventReason::warning(
        UNKNOWN_ANNOTATION,
        "An annotation `aws-…` means nothing and has no effect.",
        "Look for a typo in its name.",
    ),
    EventReason::warning(
        UNKNOWN_PROPERTY,
        "A property in `providerSpecific` of a DNSEndpoint means nothing and has no effect.",
        "Look for a typo in its name.",
    ),
    EventReason::warning(
        INVALID_ENDPOINT,
        "An endpoint of a DNSEndpoint is no record.",
        "Write the targets as its type asks for.",
    ),
    EventReason::warning(
        UNMANAGED_TYPE,
        "The type of a record is not among `--managed-record-types`.",
        "Have the operator add it, or take the endpoint away.",
    ),
    EventReason::warning(
        INVALID_HOST,
        "A host or a target is no DNS name.",
        "Write it right.",
    ),
    EventReason::warning(
        NO_HOSTED_ZONE,
        "No hosted zone that the filters admit covers the host.",
        "Use a host in one of the zones, or make a zone.",
    ),
    EventReason::warning(
        ZONE_UNAVAILABLE,
        "The hosted zone of the host cannot be read or written now.",
        "Wait, or have the operator look at the rights on the zone.",
    ),
    EventReason::warning(
        HOST_CONFLICT,
        "Another object has the host, with another target.",
        "Take the host away from one of them.",
    ),
    EventReason::warning(
        FOREIGN_RECORD,
        "A record that is not ours is in the way. It is left alone.",
        "Delete it in Route 53, or have the operator take it over.",
    ),
    EventReason::warning(
        TARGET_IGNORED,
        "Only one of several targets can be published.",
        "Name one target.",
    ),
    EventReason::warning(
        IMPOSSIBLE_RECORD,
        "Such a record cannot be at that name.",
        "Read the cause in the Event: at the apex of a zone no CNAME can be, for example.",
    ),
    EventReason::warning(
        RECORD_REFUSED,
        "Route 53 refused the change; its words are in the Event. It is tried again, less and less often.",
        "Write what Route 53 takes.",
    ),
    EventReason::warning(
        REMOVAL_WITHHELD,
        "Records are not removed: too many at once, or their source cannot be asked.",
        "Look at the plan; the operator confirms a removal that is meant.",
    ),
];
