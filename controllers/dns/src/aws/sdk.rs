//! Route 53 by the SDK: paging, turns at the limiter, retries by class.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::future::Future;
use std::sync::{Mutex, PoisonError};

use aws_sdk_route53::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_route53::types::{
    ChangeBatch, ChangeStatus, HostedZoneLimitType, ResourceRecordSet, RrType, TagResourceType,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use dns_core::{Batch, DnsName, RecordSet, Zone, ZoneId};
use isthmus_core::ErrorClass;
use isthmus_runtime::{Aws, aws_message, error_class};
use tokio_util::sync::CancellationToken;

use super::clients::Clients;
use super::words::{Words, refusal};
use super::{ATTEMPTS, ChangeId, Limiter, Listed, Route53, ZoneTags, backoff, convert};
use crate::config::Settings;
use crate::error::CallError;

/// The most record sets that one listing gives.
const PAGE: i32 = 300;
/// The most zones whose tags one call gives.
const TAGS_PAGE: usize = 10;

/// Route 53 by the SDK.
pub(crate) struct Sdk {
    clients: Clients,
    /// Whether the account's zones are listed: not if the filter names zones
    /// only that have a role of their own.
    lists_account: bool,
    limiter: Limiter,
    /// Zones that were looked at one by one: their names never change.
    known: Mutex<BTreeMap<ZoneId, Zone>>,
    shutdown: CancellationToken,
}

impl Sdk {
    /// Route 53 as the flags say.
    pub(crate) async fn new(aws: &Aws, settings: &Settings, shutdown: CancellationToken) -> Self {
        Self {
            clients: Clients::new(aws, &settings.roles).await,
            lists_account: settings.lists_account(),
            limiter: Limiter::new(settings.rate),
            known: Mutex::default(),
            shutdown,
        }
    }

    /// Makes a call that reads, and again where that can help.
    async fn read<T, E, F>(
        &self,
        operation: &'static str,
        call: impl Fn() -> F,
    ) -> Result<T, CallError>
    where
        E: ProvideErrorMetadata + Error + Words + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let answer = self.once(operation, &call).await;
            match answer {
                Err(error) if error.may_pass() && attempt < ATTEMPTS => {
                    backoff(&error, attempt).await;
                }
                answer => return answer,
            }
        }
    }

    /// Makes a call once, when it is its turn, and none once the process is told to end.
    async fn once<T, E, F>(
        &self,
        operation: &'static str,
        call: impl Fn() -> F,
    ) -> Result<T, CallError>
    where
        E: ProvideErrorMetadata + Error + Words + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => return Err(CallError::ending(operation)),
            () = self.limiter.turn() => {}
        }
        let error = match call().await {
            Ok(answer) => {
                self.limiter.went_through();
                return Ok(answer);
            }
            Err(error) => error,
        };
        let (code, details) = refusal(&error);
        let code = code.as_deref();
        let class = match code {
            // Not the account has too many calls, but this zone a change under way.
            Some("PriorRequestNotComplete") => ErrorClass::Conflict,
            Some(_) => ErrorClass::from_aws(code, status(&error)),
            None => error_class(&error),
        };
        if class == ErrorClass::Throttled {
            self.limiter.throttled();
        }
        let words = if details.is_empty() {
            vec![aws_message(&error)]
        } else {
            details
        };
        let zone_gone = code == Some("NoSuchHostedZone");
        Err(CallError {
            operation,
            class,
            zone_gone,
            words,
        })
    }
}

fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|raw| raw.status().as_u16())
}

/// Where a listing of records goes on.
#[derive(Clone, Default)]
struct Cursor {
    name: Option<String>,
    record_type: Option<RrType>,
    set_identifier: Option<String>,
}

impl Sdk {
    async fn page(
        &self,
        zone: &ZoneId,
        from: &Cursor,
        most: i32,
    ) -> Result<(Vec<ResourceRecordSet>, Option<Cursor>), CallError> {
        let list = || {
            self.clients
                .of(zone)
                .list_resource_record_sets()
                .hosted_zone_id(zone.as_str())
                .set_start_record_name(from.name.clone())
                .set_start_record_type(from.record_type.clone())
                .set_start_record_identifier(from.set_identifier.clone())
                .max_items(most)
                .send()
        };
        let page = self.read("ListResourceRecordSets", list).await?;
        let next = page.is_truncated.then(|| Cursor {
            name: page.next_record_name.clone(),
            record_type: page.next_record_type.clone(),
            set_identifier: page.next_record_identifier.clone(),
        });
        Ok((page.resource_record_sets, next))
    }

    async fn records_of_name(
        &self,
        zone: &ZoneId,
        name: &DnsName,
    ) -> Result<Vec<RecordSet>, CallError> {
        // One name has few types; with routing policies it may have more.
        const FIRST_PAGE: i32 = 20;
        let mut records = Vec::new();
        let mut from = Cursor {
            name: Some(name.absolute()),
            ..Cursor::default()
        };
        let mut most = FIRST_PAGE;
        loop {
            let (page, next) = self.page(zone, &from, most).await?;
            let before = page.len();
            let here: Vec<_> = page
                .iter()
                .map(convert::record)
                .take_while(|record| record.key.name == *name)
                .collect();
            let ended = here.len() < before;
            records.extend(here);
            match next.filter(|_| !ended) {
                None => return Ok(records),
                Some(next) => (from, most) = (next, PAGE),
            }
        }
    }
}

impl Sdk {
    async fn zones_of_account(&self) -> Result<Vec<Zone>, CallError> {
        let (mut zones, mut marker) = (Vec::new(), None::<String>);
        loop {
            let list = || {
                let list = self.clients.account().list_hosted_zones();
                list.set_marker(marker.clone()).send()
            };
            let page = self.read("ListHostedZones", list).await?;
            zones.extend(page.hosted_zones.iter().map(convert::zone));
            match page.next_marker.filter(|_| page.is_truncated) {
                None => return Ok(zones),
                next => marker = next,
            }
        }
    }

    /// The tags of zones of one role.
    async fn tags_of(&self, zones: &[&ZoneId]) -> Result<ZoneTags, CallError> {
        let Some(client) = zones.first().map(|zone| self.clients.of(zone)) else {
            return Ok(ZoneTags::new());
        };
        let ids: Vec<String> = zones.iter().map(ToString::to_string).collect();
        let list = || {
            let list = client
                .list_tags_for_resources()
                .resource_type(TagResourceType::Hostedzone);
            list.set_resource_ids(Some(ids.clone())).send()
        };
        let page = self.read("ListTagsForResources", list).await?;
        let sets = page.resource_tag_sets.into_iter().map(|set| {
            let tags = set.tags.unwrap_or_default().into_iter();
            let tags = tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())));
            let id = ZoneId::new(set.resource_id.as_deref().unwrap_or_default());
            (id, tags.collect())
        });
        Ok(sets.collect())
    }
}

impl Route53 for Sdk {
    async fn zones(&self) -> Result<Listed, CallError> {
        let mut listed = Listed::default();
        if self.lists_account {
            listed.zones = self.zones_of_account().await?;
        }
        for id in self.clients.zones() {
            if listed.zones.iter().any(|zone| zone.id == *id) {
                continue;
            }
            match self.zone(id).await {
                Ok(zone) => listed.zones.push(zone),
                Err(error) => listed.failed.push((id.clone(), error)),
            }
        }
        Ok(listed)
    }

    async fn zone(&self, id: &ZoneId) -> Result<Zone, CallError> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(zone) = known().get(id) {
            return Ok(zone.clone());
        }
        let get = || self.clients.of(id).get_hosted_zone().id(id.as_str()).send();
        let answer = self.read("GetHostedZone", get).await?;
        let zone = answer.hosted_zone.as_ref().map(convert::zone);
        let zone = zone.ok_or_else(|| CallError::unreadable("GetHostedZone"))?;
        known().insert(id.clone(), zone.clone());
        Ok(zone)
    }

    async fn tags(&self, zones: &[ZoneId]) -> Result<ZoneTags, CallError> {
        let own: BTreeSet<_> = self.clients.zones().collect();
        let (own, others): (Vec<_>, Vec<_>) = zones.iter().partition(|zone| own.contains(zone));
        let groups = others.chunks(TAGS_PAGE).chain(own.chunks(1));
        let mut tags = ZoneTags::new();
        for some in groups {
            tags.extend(self.tags_of(some).await?);
        }
        Ok(tags)
    }

    async fn records(&self, zone: &ZoneId) -> Result<Vec<RecordSet>, CallError> {
        let mut records = Vec::new();
        let mut from = Cursor::default();
        loop {
            let (page, next) = self.page(zone, &from, PAGE).await?;
            records.extend(page.iter().map(convert::record));
            match next {
                None => return Ok(records),
                Some(next) => from = next,
            }
        }
    }

    async fn records_of_names(
        &self,
        zone: &ZoneId,
        names: &BTreeSet<DnsName>,
    ) -> Result<Vec<RecordSet>, CallError> {
        let mut records = Vec::new();
        for name in names {
            records.extend(self.records_of_name(zone, name).await?);
        }
        Ok(records)
    }

    async fn capacity(&self, zone: &ZoneId) -> Result<usize, CallError> {
        let get = || {
            let get = self.clients.of(zone).get_hosted_zone_limit();
            let get = get.hosted_zone_id(zone.as_str());
            get.r#type(HostedZoneLimitType::MaxRrsetsByZone).send()
        };
        let answer = self.once("GetHostedZoneLimit", get).await?;
        let limit = answer.limit.map(|limit| limit.value);
        let limit = limit.and_then(|limit| usize::try_from(limit).ok());
        limit.ok_or_else(|| CallError::unreadable("GetHostedZoneLimit"))
    }

    async fn change(&self, batch: &Batch) -> Result<ChangeId, CallError> {
        const OPERATION: &str = "ChangeResourceRecordSets";
        let invalid = |error: aws_sdk_route53::error::BuildError| CallError {
            operation: OPERATION,
            class: ErrorClass::Invalid,
            zone_gone: false,
            words: vec![error.to_string()],
        };
        let mut changes = Vec::new();
        for change in batch.changes() {
            changes.extend(convert::changes(&change.verb).map_err(invalid)?);
        }
        let body = ChangeBatch::builder()
            .set_changes(Some(changes))
            .build()
            .map_err(invalid)?;
        let send = || {
            let request = self.clients.of(&batch.zone).change_resource_record_sets();
            request
                .hosted_zone_id(batch.zone.as_str())
                .change_batch(body.clone())
                .send()
        };
        let answer = self.once(OPERATION, send).await?;
        let id = answer.change_info.map(|info| info.id);
        Ok(ChangeId(id.unwrap_or_default()))
    }

    async fn in_sync(&self, zone: &ZoneId, change: &ChangeId) -> Result<bool, CallError> {
        let get = || self.clients.of(zone).get_change().id(&change.0).send();
        let answer = self.once("GetChange", get).await?;
        let status = answer.change_info.map(|info| info.status);
        Ok(status == Some(ChangeStatus::Insync))
    }
}
