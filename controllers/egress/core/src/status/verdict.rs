//! How one entry stands.

use ipnet::Ipv4Net;

use super::{Applied, EntryState, EntryStatus};
use crate::{Entry, Inventory, Planned, RouteState, withheld};

struct Verdict {
    state: EntryState,
    reason: Option<&'static str>,
    message: Option<String>,
}

impl Verdict {
    fn accepted(message: Option<String>) -> Self {
        Self {
            state: EntryState::Accepted,
            reason: None,
            message,
        }
    }

    fn new(state: EntryState, reason: &'static str, message: impl Into<String>) -> Self {
        let message = Some(message.into());
        Self {
            state,
            reason: Some(reason),
            message,
        }
    }
}

/// What the verdicts go by.
pub(super) struct View<'a> {
    planned: &'a Planned,
    inventory: &'a Inventory<'a>,
    applied: &'a Applied,
    /// The tables that get routes.
    tables: Vec<&'a str>,
}

impl<'a> View<'a> {
    pub(super) fn new(
        planned: &'a Planned,
        inventory: &'a Inventory<'a>,
        applied: &'a Applied,
    ) -> Self {
        let tables = inventory.dmz_tables();
        let served = tables.filter(|table| table.zone.is_some());
        Self {
            planned,
            inventory,
            applied,
            tables: served.map(|table| table.id).collect(),
        }
    }

    pub(super) fn entry(&self, entry: &Entry) -> EntryStatus {
        let verdict = match &entry.network {
            Err(refusal) => Verdict::new(
                EntryState::Rejected,
                refusal.reason,
                refusal.message.clone(),
            ),
            Ok(network) => self.network(network),
        };
        EntryStatus {
            key: entry.key.clone(),
            value: entry.value.clone(),
            network: entry.network.as_ref().ok().map(Ipv4Net::to_string),
            state: verdict.state,
            reason: verdict.reason.map(str::to_owned),
            message: verdict.message,
        }
    }

    /// The worst verdict of all tables.
    fn network(&self, network: &Ipv4Net) -> Verdict {
        let tables = self.tables.iter();
        tables
            .map(|table| self.in_table(table, network))
            .reduce(|worst, next| {
                if next.state > worst.state {
                    next
                } else {
                    worst
                }
            })
            .unwrap_or_else(|| {
                let vpc = &self.inventory.observed.vpc.id;
                let message = format!("no route table of {vpc} gets routes");
                Verdict::new(EntryState::Pending, Planned::NO_ROUTE_TABLE, message)
            })
    }

    fn in_table(&self, table: &str, network: &Ipv4Net) -> Verdict {
        let key = (table.to_owned(), *network);
        if let Some(failure) = self.applied.failed.get(&key) {
            let reason = if failure.quota {
                withheld::QUOTA
            } else {
                "Failed"
            };
            return Verdict::new(
                EntryState::Pending,
                reason,
                format!("{table}: {}", failure.message),
            );
        }
        let routes = self.planned.routes.get(table);
        match routes.and_then(|routes| routes.get(network)) {
            Some(RouteState::InPlace) => Verdict::accepted(None),
            Some(RouteState::Planned) if self.applied.done.contains(&key) => {
                Verdict::accepted(None)
            }
            Some(RouteState::CoveredBy(cover)) => match self.in_table(table, cover) {
                accepted if accepted.state == EntryState::Accepted => {
                    Verdict::accepted(Some(format!("part of {cover}, which is asked for too")))
                }
                verdict => verdict,
            },
            Some(RouteState::Planned) | None => Verdict::new(
                EntryState::Pending,
                "Route",
                format!("{table} has no route for it yet"),
            ),
            Some(RouteState::Waiting(why)) => {
                Verdict::new(EntryState::Pending, "NatGateway", format!("{table}: {why}"))
            }
            Some(RouteState::Quota) => Verdict::new(
                EntryState::Pending,
                withheld::QUOTA,
                format!("{table} is full; it is routed as soon as there is room"),
            ),
            Some(RouteState::Conflict(target)) => Verdict::new(
                EntryState::Conflict,
                Planned::ROUTE_CONFLICT,
                format!("{table} has a route for it to {target}, which is not ours"),
            ),
        }
    }
}
