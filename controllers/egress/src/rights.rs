//! Whether EC2 would let this controller do its work, asked before there is any.

use std::time::Duration;

use egress_core::{Config, Observed, Tags, Target, client_token, tags};
use ipnet::Ipv4Net;
use isthmus_core::ErrorClass;
use isthmus_runtime::{Failure, Run};
use tokio::time::timeout;

use crate::aws::Call;
use crate::controller::{Cloud, Egress};

/// The reconcile goes on without the rest after that long.
const PATIENCE: Duration = Duration::from_secs(10);

/// A network of documentation, [RFC 5737](https://www.rfc-editor.org/rfc/rfc5737):
/// nobody's route goes there.
const NOWHERE: Ipv4Net = Ipv4Net::new_assert(std::net::Ipv4Addr::new(192, 0, 2, 0), 24);

impl Egress {
    /// Rehearses each kind of call once, when the process or its term begins. The
    /// runtime names what is refused; here it is a failure of a dry run. `--once`
    /// is told by the calls themselves.
    pub(crate) async fn forbidden(
        &self,
        run: &Run<'_>,
        cloud: &Cloud,
        observed: &Observed,
    ) -> Option<Failure> {
        if !run.first || (self.once && !run.dry_run) {
            return None;
        }
        let mut forbidden = Vec::new();
        let asking = async {
            let Some(rehearsal) = cloud.ec2.rehearsal().await else {
                tracing::debug!("this endpoint of EC2 knows no dry runs: rights are not checked");
                return;
            };
            for call in calls(&self.config, observed) {
                if run.may_call() && rehearsal.is_forbidden(&call).await {
                    forbidden.push(call.operation());
                }
            }
        };
        if timeout(PATIENCE, asking).await.is_err() {
            tracing::info!(
                "EC2 takes long over the check of the rights: going on without the rest"
            );
        }
        (!forbidden.is_empty()).then(|| Failure {
            step: "rights",
            class: ErrorClass::Denied,
            message: format!("EC2 does not allow {}", forbidden.join(", ")),
        })
    }
}

/// One call of each kind, as far as there is something to name in it: what is
/// not there yet can be made, what is ours can be used and taken away.
fn calls(config: &Config, observed: &Observed) -> Vec<Call> {
    let Some(zone) = config.zones.first() else {
        return Vec::new();
    };
    let (vpc, tags) = (&observed.vpc.id, tags::for_new(config, &zone.name));
    let mut calls = vec![
        Call::CreateSubnet {
            vpc: vpc.clone(),
            zone: zone.name.clone(),
            cidr: zone.nat_cidr,
            tags: tags.clone(),
        },
        Call::CreateRouteTable {
            vpc: vpc.clone(),
            tags: tags.clone(),
        },
    ];
    if config.zones.iter().any(|zone| zone.adopt.is_none()) {
        calls.push(Call::AllocateAddress { tags });
    }
    calls.extend(of_routes(observed));
    calls.extend(of_ours(config, observed, &zone.name));
    calls
}

/// Routes carry no tags: what counts are those of their table.
fn of_routes(observed: &Observed) -> Vec<Call> {
    let is_dmz = |tags: &Tags| tags.get(tags::TYPE_TAG).map(String::as_str) == Some(tags::DMZ);
    let mut tables = observed.route_tables.iter();
    let table = tables.find(|(_, one)| is_dmz(&one.tags));
    let Some(((table, _), gateway)) = table.zip(observed.internet_gateway.as_ref()) else {
        return Vec::new();
    };
    let (table, target) = (table.clone(), Target::Gateway(gateway.clone()));
    let destination = NOWHERE;
    vec![
        Call::CreateRoute {
            table: table.clone(),
            destination,
            target: target.clone(),
        },
        Call::ReplaceRoute {
            table: table.clone(),
            destination,
            target,
        },
        Call::DeleteRoute { table, destination },
    ]
}

/// What asks for the mark of the cluster: on the first of ours of each kind.
fn of_ours(config: &Config, observed: &Observed, zone: &str) -> Vec<Call> {
    let ours = |tags| config.ownership.owns(tags);
    let subnet = observed.subnets.iter().find(|(_, one)| ours(&one.tags));
    let mut tables = observed.route_tables.iter();
    let table = tables.find(|(_, one)| ours(&one.tags));
    let address = observed.addresses.iter().find(|(_, one)| ours(&one.tags));
    let nat = observed.nat_gateways.iter();
    let nat = nat
        .into_iter()
        .find(|(_, one)| ours(&one.tags) && one.state.is_live());
    let tags = tags::for_new(config, zone);
    let mut calls = Vec::new();
    if let Some((id, _)) = address {
        let (id, tags) = (id.clone(), tags.clone());
        calls.push(Call::CreateTags {
            id: id.clone(),
            tags,
        });
        if config.release_addresses {
            calls.push(Call::ReleaseAddress { allocation: id });
        }
    }
    if let Some(((subnet, _), (allocation, _))) = subnet.zip(address) {
        calls.push(Call::CreateNatGateway {
            subnet: subnet.clone(),
            allocation: allocation.clone(),
            token: client_token(config, "rights", zone, &[]),
            tags,
        });
    }
    if let Some(((subnet, _), (table, _))) = subnet.zip(table) {
        let (table, subnet) = (table.clone(), subnet.clone());
        calls.push(Call::Associate { table, subnet });
    }
    if let Some((table, one)) = table {
        if let Some(association) = one.associations.first().map(|one| one.id.clone()) {
            let (table, association) = (table.clone(), association);
            calls.push(Call::ReplaceAssociation {
                association: association.clone(),
                table,
            });
            calls.push(Call::Disassociate { association });
        }
        calls.push(Call::DeleteRouteTable {
            table: table.clone(),
        });
    }
    calls.extend(nat.map(|(id, _)| Call::DeleteNatGateway { nat: id.clone() }));
    calls.extend(subnet.map(|(id, _)| Call::DeleteSubnet { subnet: id.clone() }));
    calls
}

#[cfg(test)]
mod tests;
