//! DNSEndpoints: records as they are written.

use std::collections::BTreeSet;

use super::reading::{Asking, Parts, Reading, answer, publish};
use super::value::{Fault, value};
use super::{Content, Slot, Wish};
use crate::annotations::{AliasTypes, Targets, read_properties};
use crate::record::RecordType;
use crate::snapshot::{DnsEndpoint, EndpointSpec};
use crate::{DnsName, Source, reason};

/// What a record of a DNSEndpoint comes to, or the sentence that says why not.
type Read<T> = Result<T, String>;

impl<'a> Reading<'a> {
    pub(super) fn dns_endpoint(&mut self, dns_endpoint: &'a DnsEndpoint) {
        let parts = Parts {
            source: Source::Crd,
            object: &dns_endpoint.object,
            annotations: &dns_endpoint.annotations,
            labels: &dns_endpoint.labels,
        };
        let Some(mut asking) = self.ask_spec(&parts) else {
            return;
        };
        for spec in &dns_endpoint.endpoints {
            self.endpoint(&mut asking, spec);
        }
    }

    fn endpoint(&mut self, asking: &mut Asking<'_>, spec: &EndpointSpec) {
        let name = match DnsName::parse(&spec.dns_name) {
            Ok(name) if self.config.domains.admits(&name) => name,
            Ok(_) => return,
            Err(error) => {
                self.freeze(asking);
                return self.reject(asking.object, reason::INVALID_HOST, format!("host {error}"));
            }
        };
        let record_type = match spec.record_type.parse::<RecordType>() {
            Ok(record_type) => record_type,
            Err(allowed) => {
                self.freeze(asking);
                let message = format!(
                    "endpoint {name}: recordType {:?} is not allowed; allowed: {allowed}",
                    spec.record_type
                );
                return self.reject(asking.object, reason::INVALID_ENDPOINT, message);
            }
        };
        if !self.config.types.contains(&record_type) {
            let message = format!(
                "endpoint {name}: records of type {record_type} are not managed; see --managed-record-types and --exclude-record-types"
            );
            return self.reject(asking.object, reason::UNMANAGED_TYPE, message);
        }
        asking.frozen = self.properties(asking, &name, spec);
        asking.labels.clone_from(&spec.labels);
        let wish = match self.publish_endpoint(asking, &record_type, spec) {
            Ok(wish) => wish,
            Err(fault) => {
                asking.frozen = true;
                let message = format!("endpoint {name} {record_type}: {fault}");
                self.reject(asking.object, reason::INVALID_ENDPOINT, message);
                Wish::Frozen
            }
        };
        if asking.frozen {
            self.freeze(asking);
        }
        self.want(name, asking.candidate(Slot::of(&record_type), wish));
    }

    /// Reads `providerSpecific` into the wishes. Whether something is wrong in it.
    fn properties(&mut self, asking: &mut Asking<'_>, name: &DnsName, spec: &EndpointSpec) -> bool {
        let set = spec.set_identifier.clone().filter(|set| !set.is_empty());
        let (wishes, findings) = read_properties(&spec.properties, set);
        asking.wishes = wishes;
        for error in &findings.errors {
            let message = format!(
                "endpoint {name}: {} {:?} is not allowed; allowed: {}",
                error.key, error.value, error.allowed
            );
            self.reject(asking.object, reason::INVALID_ENDPOINT, message);
        }
        for key in &findings.unknown {
            let message =
                format!("endpoint {name}: providerSpecific {key} is not known and has no effect");
            self.reject(asking.object, reason::UNKNOWN_PROPERTY, message);
        }
        !findings.errors.is_empty()
    }

    fn publish_endpoint(
        &self,
        asking: &mut Asking<'_>,
        record_type: &RecordType,
        spec: &EndpointSpec,
    ) -> Read<Wish> {
        let most = i64::from(i32::MAX);
        if !(0..=most).contains(&spec.ttl) {
            return Err(format!(
                "recordTTL {} is not allowed; allowed: 0 to {most}",
                spec.ttl
            ));
        }
        if let Some((label, value)) = spec.labels.iter().find(|label| !is_notable(*label)) {
            return Err(format!(
                "label {label:?} with value {value:?} is not allowed; allowed: printable characters but commas, quotes, backslashes, and = in the label"
            ));
        }
        let wishes = &mut asking.wishes;
        wishes.ttl = u32::try_from(spec.ttl).ok().filter(|ttl| *ttl > 0);
        if record_type.is_address() {
            let targets = self.endpoint_targets(wishes.alias == Some(true), record_type, spec)?;
            if !targets.hosts.is_empty() && wishes.alias_types == AliasTypes::ByFlag {
                wishes.alias_types = match record_type {
                    RecordType::A => AliasTypes::A,
                    RecordType::Aaaa => AliasTypes::Aaaa,
                    _ => AliasTypes::ByFlag,
                };
            }
            return Ok(publish(targets, wishes, self.config));
        }
        let targets = spec.targets.iter();
        let values: BTreeSet<String> = targets
            .map(|target| value(record_type, target).map_err(|fault| told(target, &fault)))
            .collect::<Read<_>>()?;
        if values.is_empty() {
            return Err("targets are missing".to_owned());
        }
        let content = Content::Values(record_type.clone(), values);
        Ok(Wish::Publish(Box::new(answer(
            content,
            wishes,
            self.config,
        ))))
    }

    /// Addresses and names, as far as the record type has room for them.
    fn endpoint_targets(
        &self,
        alias: bool,
        record_type: &RecordType,
        spec: &EndpointSpec,
    ) -> Read<Targets> {
        let mut targets = Targets::default();
        if spec.targets.is_empty() {
            targets.clone_from(&self.config.source.default_targets);
            return match targets.is_empty() {
                true => Err("targets are missing".to_owned()),
                false => Ok(targets),
            };
        }
        for text in &spec.targets {
            let mut one = Targets::default();
            let read = one.add(text.trim());
            let (allowed, fits) = match record_type {
                _ if alias => ("a host name", !one.hosts.is_empty()),
                RecordType::A => ("an IPv4 address", !one.v4.is_empty()),
                RecordType::Aaaa => ("an IPv6 address", !one.v6.is_empty()),
                _ => ("a host name", !one.hosts.is_empty()),
            };
            if read.is_none() || !fits {
                return Err(told(text, &Fault(allowed)));
            }
            targets.merge(&one);
        }
        Ok(targets)
    }
}

/// Whether the registry's format has room for a label.
fn is_notable((label, value): (&String, &String)) -> bool {
    let plain = |text: &str| {
        let plain = |c: char| (c == ' ' || c.is_ascii_graphic()) && !matches!(c, ',' | '"' | '\\');
        text.chars().all(plain)
    };
    !label.is_empty() && !label.contains('=') && plain(label) && plain(value)
}

fn told(target: &str, fault: &Fault) -> String {
    format!("target {target:?} is not allowed; allowed: {}", fault.0)
}
