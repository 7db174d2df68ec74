//! From the SDK's types, in which everything may be missing, to ours.

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{
    self, NatGatewayState, RouteOrigin, RouteState, RouteTableAssociationStateCode,
    VpcCidrBlockStateCode,
};
use egress_core::{
    Address, Association, NatGateway, NatState, Route, RouteTable, Subnet, Tags, Target, Vpc,
};
use ipnet::Ipv4Net;
use isthmus_core::ErrorClass;
use isthmus_runtime::{aws_message, error_class};

use super::FoundVpc;
use crate::error::{Ec2Error, Ec2ErrorKind, ObserveError};

type HttpResponse = aws_sdk_ec2::config::http::HttpResponse;

/// An SDK error as this controller understands it, by its code.
pub(super) fn failed<E: ProvideErrorMetadata>(
    operation: &'static str,
    error: &SdkError<E, HttpResponse>,
) -> Ec2Error {
    let code = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code);
    let code = code.unwrap_or_default();
    let kind = kind(code);
    let class = match kind {
        // It was there a moment ago, or will be in a moment: EC2 is eventually consistent.
        Ec2ErrorKind::Gone | Ec2ErrorKind::AlreadyThere => ErrorClass::Conflict,
        Ec2ErrorKind::RouteQuota => ErrorClass::Invalid,
        Ec2ErrorKind::Allowed | Ec2ErrorKind::Forbidden | Ec2ErrorKind::Other => error_class(error),
    };
    Ec2Error {
        operation,
        class,
        kind,
        message: aws_message(error),
    }
}

/// By the [error codes of EC2](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html).
fn kind(code: &str) -> Ec2ErrorKind {
    match code {
        "NatGatewayNotFound" => Ec2ErrorKind::Gone,
        code if code.ends_with(".NotFound") => Ec2ErrorKind::Gone,
        "RouteAlreadyExists" | "Resource.AlreadyAssociated" => Ec2ErrorKind::AlreadyThere,
        "RouteLimitExceeded" => Ec2ErrorKind::RouteQuota,
        "DryRunOperation" => Ec2ErrorKind::Allowed,
        "UnauthorizedOperation" => Ec2ErrorKind::Forbidden,
        _ => Ec2ErrorKind::Other,
    }
}

fn required(value: Option<&str>, what: &str) -> Result<String, ObserveError> {
    let value = value.filter(|value| !value.is_empty());
    value
        .map(str::to_owned)
        .ok_or_else(|| ObserveError::Incomplete(what.to_owned()))
}

fn tags(tags: &[types::Tag]) -> Tags {
    let pairs = tags
        .iter()
        .filter_map(|tag| Some((tag.key()?, tag.value().unwrap_or_default())));
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

pub(super) fn vpc(vpc: &types::Vpc) -> Result<FoundVpc, ObserveError> {
    let id = required(vpc.vpc_id(), "a VPC without an id")?;
    let gone = |state: &VpcCidrBlockStateCode| {
        use VpcCidrBlockStateCode::{Disassociated, Failed, Failing};
        matches!(state, Disassociated | Failed | Failing)
    };
    let associated = vpc
        .cidr_block_association_set()
        .iter()
        .filter(|association| {
            let state = association
                .cidr_block_state()
                .and_then(|state| state.state());
            !state.is_some_and(gone)
        });
    let texts = associated
        .filter_map(|association| association.cidr_block())
        .chain(vpc.cidr_block());
    let mut cidrs: Vec<Ipv4Net> = texts
        .map(|text| {
            let network = text.parse::<Ipv4Net>();
            network.map_err(|_| ObserveError::Incomplete(format!("{id} the network {text:?}")))
        })
        .collect::<Result<_, _>>()?;
    cidrs.sort_unstable();
    cidrs.dedup();
    let is_default = vpc.is_default().unwrap_or(false);
    Ok(FoundVpc {
        vpc: Vpc { id, cidrs },
        is_default,
    })
}

type Named<T> = Result<(String, T), ObserveError>;

/// `None` for a subnet without IPv4, which can be in nobody's way.
pub(super) fn subnet(subnet: &types::Subnet) -> Option<Named<Subnet>> {
    let cidr = subnet.cidr_block()?.parse().ok()?;
    let named = || {
        let id = required(subnet.subnet_id(), "a subnet without an id")?;
        let zone = required(subnet.availability_zone(), "a subnet without a zone")?;
        Ok((
            id,
            Subnet {
                zone,
                cidr,
                tags: tags(subnet.tags()),
            },
        ))
    };
    Some(named())
}

pub(super) fn route_table(table: &types::RouteTable) -> Named<RouteTable> {
    use RouteTableAssociationStateCode::{Disassociated, Disassociating, Failed};
    let id = required(table.route_table_id(), "a route table without an id")?;
    let mut associations = Vec::new();
    for association in table.associations() {
        let state = association
            .association_state()
            .and_then(|state| state.state());
        if matches!(state, Some(Disassociated | Disassociating | Failed)) {
            continue;
        }
        // The main association and those of gateways have no subnet.
        if let Some(subnet) = association.subnet_id() {
            let id = association.route_table_association_id();
            associations.push(Association {
                id: required(id, "an association without an id")?,
                subnet: subnet.to_owned(),
            });
        }
    }
    let routes = table.routes().iter().filter_map(route).collect();
    let tags = tags(table.tags());
    Ok((
        id,
        RouteTable {
            tags,
            routes,
            associations,
        },
    ))
}

/// `None` for routes to IPv6 networks and prefix lists.
fn route(route: &types::Route) -> Option<Route> {
    let destination = route.destination_cidr_block()?.parse().ok()?;
    let target = if let Some(nat) = route.nat_gateway_id() {
        Target::NatGateway(nat.to_owned())
    } else if let Some(gateway) = route.gateway_id() {
        Target::Gateway(gateway.to_owned())
    } else {
        let others = [
            route.vpc_peering_connection_id(),
            route.transit_gateway_id(),
            route.instance_id(),
            route.network_interface_id(),
            route.local_gateway_id(),
            route.carrier_gateway_id(),
            route.core_network_arn(),
            route.egress_only_internet_gateway_id(),
        ];
        let id = others.into_iter().flatten().next();
        Target::Other(id.unwrap_or("something of an unknown kind").to_owned())
    };
    Some(Route {
        destination,
        target,
        blackhole: route.state() == Some(&RouteState::Blackhole),
        created: route.origin() == Some(&RouteOrigin::CreateRoute),
    })
}

/// `None` for an address without an allocation: it belongs to no VPC.
pub(super) fn address(address: &types::Address) -> Option<Named<Address>> {
    let id = address.allocation_id()?.to_owned();
    let named = || {
        let public_ip = required(address.public_ip(), "an Elastic IP without an address")?;
        let user = [
            address.instance_id(),
            address.network_interface_id(),
            address.association_id(),
        ];
        let user = user.into_iter().flatten().find(|user| !user.is_empty());
        let attached = address.association_id().is_some_and(|id| !id.is_empty());
        let attached_to = user.filter(|_| attached).map(str::to_owned);
        Ok((
            id,
            Address {
                public_ip,
                attached_to,
                tags: tags(address.tags()),
            },
        ))
    };
    Some(named())
}

pub(super) fn nat_gateway(nat: &types::NatGateway) -> Named<NatGateway> {
    let id = required(nat.nat_gateway_id(), "a NAT gateway without an id")?;
    let state = match nat.state() {
        Some(NatGatewayState::Pending) => NatState::Pending,
        Some(NatGatewayState::Available) => NatState::Available,
        Some(NatGatewayState::Failed) => NatState::Failed,
        Some(NatGatewayState::Deleting) => NatState::Deleting,
        Some(NatGatewayState::Deleted) => NatState::Deleted,
        other => {
            let word = other.map_or("none", |state| state.as_str());
            return Err(ObserveError::Incomplete(format!("{id} the state {word}")));
        }
    };
    let addresses = nat.nat_gateway_addresses();
    let primary = addresses
        .iter()
        .find(|address| address.is_primary() == Some(true));
    let address = primary.or(addresses.first());
    let failure = match (nat.failure_code(), nat.failure_message()) {
        (None, None) => (state == NatState::Failed).then(|| "EC2 gave no reason".to_owned()),
        (code, message) => {
            let parts: Vec<_> = [code, message].into_iter().flatten().collect();
            Some(parts.join(": "))
        }
    };
    let gateway = NatGateway {
        state,
        subnet: nat.subnet_id().unwrap_or_default().to_owned(),
        allocation: address
            .and_then(|address| address.allocation_id())
            .map(str::to_owned),
        created: nat
            .create_time()
            .map_or(0, aws_sdk_ec2::primitives::DateTime::secs),
        deleted: nat
            .delete_time()
            .map(aws_sdk_ec2::primitives::DateTime::secs),
        failure,
        tags: tags(nat.tags()),
    };
    Ok((id, gateway))
}

#[cfg(test)]
mod tests;
