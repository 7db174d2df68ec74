//! The reasons of this controller's Events, all of them. Those of entries are also in the status.

use isthmus_core::EventReason;

use crate::{Planned, Refusal};

/// A zone cannot be built as the flags say.
pub const ZONE_BLOCKED: &str = "ZoneBlocked";
/// Something else uses an Elastic IP.
pub const ADDRESS_IN_USE: &str = "AddressInUse";
/// EC2 could not make a NAT gateway.
pub const NAT_GATEWAY_FAILED: &str = "NatGatewayFailed";
/// Everything asked for is in place.
pub const READY: &str = "EgressReady";
/// EC2 refused a call.
pub const FAILED: &str = "EgressFailed";
/// A plan would remove too much.
pub const REMOVAL_WITHHELD: &str = "RemovalWithheld";

/// Every reason, with what it means.
pub const EVENTS: [EventReason; 18] = [
    EventReason::warning(
        Refusal::INVALID_CIDR,
        "An entry is no network.",
        "Write a network in CIDR notation, such as 203.0.113.0/24.",
    ),
    EventReason::warning(
        Refusal::IPV6,
        "An entry is an IPv6 network: NAT gateways translate IPv4.",
        "Take it away.",
    ),
    EventReason::warning(
        Refusal::DEFAULT_ROUTE,
        "An entry asks for all traffic.",
        "Name the networks that need a fixed address.",
    ),
    EventReason::warning(
        Refusal::PREFIX_TOO_SHORT,
        "An entry asks for more than `--min-prefix-length` allows.",
        "Name smaller networks.",
    ),
    EventReason::warning(
        Refusal::PRIVATE_RANGE,
        "An entry overlaps with private or shared address space.",
        "Take it away: such addresses are not reached over the internet.",
    ),
    EventReason::warning(
        Refusal::RESERVED_RANGE,
        "An entry overlaps with a range that is never routed.",
        "Take it away.",
    ),
    EventReason::warning(
        Refusal::VPC_RANGE,
        "An entry overlaps with a network of the VPC.",
        "Take it away.",
    ),
    EventReason::warning(
        Refusal::NAMESPACE_LIMIT,
        "The namespace asks for more networks than `--max-cidrs-per-namespace`.",
        "Take entries away, or have the operator raise the limit.",
    ),
    EventReason::warning(
        Planned::ROUTE_CONFLICT,
        "A route table has a route for the network that is not ours. It is left alone.",
        "Remove that route or the entry.",
    ),
    EventReason::warning(
        Planned::ROUTE_QUOTA,
        "A route table is full (`--max-routes-per-table`).",
        "Take entries away, or have the quota and the flag raised.",
    ),
    EventReason::warning(
        Planned::UNKNOWN_ZONE,
        "A route table is of a zone that is not one of `--aws-az`; it is skipped.",
        "Have the operator add the zone or mend the table's tags.",
    ),
    EventReason::warning(
        Planned::NO_ROUTE_TABLE,
        "No route table of the VPC gets routes.",
        "Have the operator tag the tables with `Type=dmz` and `AvailabilityZone`.",
    ),
    EventReason::warning(
        NAT_GATEWAY_FAILED,
        "EC2 could not make a NAT gateway; the next attempt waits longer each time.",
        "Read EC2's words in the Event.",
    ),
    EventReason::warning(
        ZONE_BLOCKED,
        "A zone cannot be built: there is no internet gateway, or the NAT network is not free.",
        "Have the operator mend what the Event names.",
    ),
    EventReason::warning(
        ADDRESS_IN_USE,
        "The Elastic IP of a zone is attached to something else.",
        "Detach it there.",
    ),
    EventReason::warning(
        FAILED,
        "A call that this ConfigMap needs failed.",
        "Read the cause in the Event. It is tried again.",
    ),
    EventReason::warning(
        REMOVAL_WITHHELD,
        "A plan would remove too much at once.",
        "Look at the plan; the operator confirms a removal that is meant.",
    ),
    EventReason::normal(
        READY,
        "All entries are in place; the Event names the public addresses.",
    ),
];
