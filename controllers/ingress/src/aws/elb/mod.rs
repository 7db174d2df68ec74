//! Elastic Load Balancing v2 through the SDK.

mod listeners;
mod load_balancers;
mod rules;
mod tagging;
mod target_groups;

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::{ProtocolEnum, Tag};
use aws_sdk_elasticloadbalancingv2::{Client, Config};
use ingress_core::Protocol;
use isthmus_runtime::Aws;
use jiff::Timestamp;

use super::limits::ElbLimits;
use super::{Result, Tags};
use crate::error::AwsError;

/// The client and its rates.
pub(crate) struct Elb {
    client: Client,
    limits: ElbLimits,
}

impl Elb {
    pub(crate) fn new(aws: &Aws) -> Self {
        let config = aws_sdk_elasticloadbalancingv2::config::Builder::from(&aws.sdk)
            .interceptor(aws.interceptor())
            .build();
        Self::with(config)
    }

    fn with(config: Config) -> Self {
        Self {
            client: Client::from_conf(config),
            limits: ElbLimits::new(),
        }
    }
}

fn protocol(protocol: Protocol) -> ProtocolEnum {
    match protocol {
        Protocol::Http => ProtocolEnum::Http,
        Protocol::Https => ProtocolEnum::Https,
        Protocol::Tcp => ProtocolEnum::Tcp,
        Protocol::Tls => ProtocolEnum::Tls,
    }
}

fn to_tags(tags: &Tags) -> Vec<Tag> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    tags.iter().map(tag).collect()
}

fn from_tags(tags: &[Tag]) -> Tags {
    let pair = |tag: &Tag| {
        Some((
            tag.key()?.to_owned(),
            tag.value().unwrap_or_default().to_owned(),
        ))
    };
    tags.iter().filter_map(pair).collect()
}

/// A field that AWS documents to be there.
fn required<T>(field: Option<T>, operation: &'static str, what: &str) -> Result<T> {
    field.ok_or_else(|| AwsError::incomplete(operation, what))
}

/// A time of the SDK; one that cannot be told is the oldest of all.
fn timestamp(time: Option<&aws_sdk_elasticloadbalancingv2::primitives::DateTime>) -> Timestamp {
    time.and_then(|time| Timestamp::from_second(time.secs()).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Deleting what is gone is done: a first answer may have been lost.
fn gone_is_done(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if error.is_not_found() => Ok(()),
        other => other,
    }
}

fn pairs<T>(
    attributes: &[T],
    pair: impl Fn(&T) -> (Option<&str>, Option<&str>),
) -> BTreeMap<String, String> {
    attributes
        .iter()
        .filter_map(|attribute| {
            let (key, value) = pair(attribute);
            Some((key?.to_owned(), value.unwrap_or_default().to_owned()))
        })
        .collect()
}
