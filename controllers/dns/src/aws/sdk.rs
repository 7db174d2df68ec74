//! Route 53 by the SDK: paging, turns at the limiter, retries by class.

use std::collections::BTreeSet;
use std::error::Error;
use std::future::Future;

use aws_config::sts::AssumeRoleProvider;
use aws_sdk_route53::Client;
use aws_sdk_route53::config::{Builder, retry::RetryConfig};
use aws_sdk_route53::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_route53::types::{ChangeBatch, ResourceRecordSet, RrType, TagResourceType};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use dns_core::{Batch, DnsName, RecordSet, Zone, ZoneId};
use isthmus_core::ErrorClass;
use isthmus_runtime::{Aws, aws_message, error_class};
use tokio_util::sync::CancellationToken;

use super::words::Words;
use super::{ATTEMPTS, Limiter, Route53, ZoneTags, backoff, convert};
use crate::config::Role;
use crate::error::CallError;

/// The most record sets that one listing gives.
const PAGE: i32 = 300;
/// The most zones whose tags one call gives.
const TAGS_PAGE: usize = 10;

/// Route 53 by the SDK.
pub(crate) struct Sdk {
    client: Client,
    limiter: Limiter,
    shutdown: CancellationToken,
}

impl Sdk {
    /// A client. The SDK itself does not retry: each of its attempts would be a
    /// call that the limiter does not know of.
    pub(crate) async fn new(
        aws: &Aws,
        role: Option<&Role>,
        limiter: Limiter,
        shutdown: CancellationToken,
    ) -> Self {
        let mut config = Builder::from(&aws.sdk)
            .interceptor(aws.interceptor())
            .retry_config(RetryConfig::disabled());
        if let Some(role) = role {
            let mut provider = AssumeRoleProvider::builder(&role.arn)
                .session_name("isthmus-dns")
                .configure(&aws.sdk);
            if let Some(id) = &role.external_id {
                provider = provider.external_id(id);
            }
            config = config.credentials_provider(provider.build().await);
        }
        Self {
            client: Client::from_conf(config.build()),
            limiter,
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
        let class = error_class(&error);
        if class == ErrorClass::Throttled {
            self.limiter.throttled();
        }
        let details = error
            .as_service_error()
            .map(Words::words)
            .unwrap_or_default();
        let words = if details.is_empty() {
            vec![aws_message(&error)]
        } else {
            details
        };
        let code = error
            .as_service_error()
            .and_then(ProvideErrorMetadata::code);
        let zone_gone = code == Some("NoSuchHostedZone");
        Err(CallError {
            operation,
            class,
            zone_gone,
            words,
        })
    }
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
            self.client
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

impl Route53 for Sdk {
    async fn zones(&self) -> Result<Vec<Zone>, CallError> {
        let (mut zones, mut marker) = (Vec::new(), None::<String>);
        loop {
            let list = || {
                self.client
                    .list_hosted_zones()
                    .set_marker(marker.clone())
                    .send()
            };
            let page = self.read("ListHostedZones", list).await?;
            zones.extend(page.hosted_zones.iter().map(convert::zone));
            match page.next_marker.filter(|_| page.is_truncated) {
                None => return Ok(zones),
                next => marker = next,
            }
        }
    }

    async fn tags(&self, zones: &[ZoneId]) -> Result<ZoneTags, CallError> {
        let mut tags = ZoneTags::new();
        for some in zones.chunks(TAGS_PAGE) {
            let ids: Vec<String> = some.iter().map(ToString::to_string).collect();
            let list = || {
                let list = self
                    .client
                    .list_tags_for_resources()
                    .resource_type(TagResourceType::Hostedzone);
                list.set_resource_ids(Some(ids.clone())).send()
            };
            let page = self.read("ListTagsForResources", list).await?;
            for set in page.resource_tag_sets {
                let of_zone = set.tags.unwrap_or_default().into_iter();
                let of_zone =
                    of_zone.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())));
                tags.insert(
                    ZoneId::new(set.resource_id.as_deref().unwrap_or_default()),
                    of_zone.collect(),
                );
            }
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

    async fn change(&self, batch: &Batch) -> Result<(), CallError> {
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
            let request = self.client.change_resource_record_sets();
            request
                .hosted_zone_id(batch.zone.as_str())
                .change_batch(body.clone())
                .send()
        };
        self.once(OPERATION, send).await.map(drop)
    }
}
