//! The reasons of rejections: Event reasons and values of the metric label, a closed set.

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

/// All of them.
pub const ALL: [&str; 14] = [
    INVALID_ANNOTATION,
    ANNOTATION_CONFLICT,
    UNKNOWN_ANNOTATION,
    UNKNOWN_PROPERTY,
    INVALID_ENDPOINT,
    UNMANAGED_TYPE,
    INVALID_HOST,
    NO_HOSTED_ZONE,
    ZONE_UNAVAILABLE,
    HOST_CONFLICT,
    FOREIGN_RECORD,
    TARGET_IGNORED,
    IMPOSSIBLE_RECORD,
    RECORD_REFUSED,
];
