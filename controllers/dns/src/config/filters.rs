//! The flags that say what counts.

use std::collections::BTreeSet;

use dns_core::{DomainFilter, RecordType, Selector, SourceOptions, ZoneFilter, ZoneType};
use isthmus_runtime::Problems;
use regex::Regex;

use crate::args::{FilterArgs, RecordArgs};

pub(super) fn domains(args: &FilterArgs, problems: &mut Problems) -> DomainFilter {
    let mut regex = |flag: &str, text: &str| {
        if text.is_empty() {
            return None;
        }
        let regex = Regex::new(text).ok();
        if regex.is_none() {
            problems.push(flag, text, "a regular expression");
        }
        regex
    };
    DomainFilter {
        regex: regex("regex-domain-filter", &args.regex_domain_filter),
        regex_exclude: regex("regex-domain-exclusion", &args.regex_domain_exclusion),
        ..DomainFilter::new(&args.domain_filter, &args.exclude_domains)
    }
}

pub(super) fn zones(args: &FilterArgs, problems: &mut Problems) -> ZoneFilter {
    let zone_type = match args.aws_zone_type.as_str() {
        "" => None,
        "public" => Some(ZoneType::Public),
        "private" => Some(ZoneType::Private),
        other => {
            problems.push("aws-zone-type", other, "public, private");
            None
        }
    };
    let tags = args.aws_zone_tags.iter().filter_map(|tag| {
        let (key, value) = match tag.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (tag.as_str(), None),
        };
        if key.is_empty() {
            problems.push("aws-zone-tags", tag, "KEY or KEY=VALUE");
            return None;
        }
        Some((key.to_owned(), value))
    });
    ZoneFilter {
        tags: tags.collect(),
        ids: args
            .zone_id_filter
            .iter()
            .filter(|id| !id.is_empty())
            .cloned()
            .collect(),
        zone_type,
        match_parent: args.aws_zone_match_parent,
    }
}

pub(super) fn source(args: &FilterArgs, problems: &mut Problems) -> SourceOptions {
    let mut selector = |flag: &str, text: &str| {
        text.parse::<Selector>().unwrap_or_else(|allowed| {
            problems.push(flag, text, allowed);
            Selector::default()
        })
    };
    let options = SourceOptions {
        ingress_classes: args.ingress_class.clone(),
        annotations: selector("annotation-filter", &args.annotation_filter),
        labels: selector("label-filter", &args.label_filter),
        ignore_hostname_annotation: args.ignore_hostname_annotation,
        ignore_tls: args.ignore_ingress_tls_spec,
        ignore_rules: args.ignore_ingress_rules_spec,
        ..SourceOptions::default()
    };
    if !args.ingress_class.is_empty()
        && args
            .annotation_filter
            .contains("kubernetes.io/ingress.class")
    {
        problems.push(
            "annotation-filter",
            &args.annotation_filter,
            "anything but kubernetes.io/ingress.class beside --ingress-class",
        );
    }
    options
}

pub(super) fn types(args: &RecordArgs, problems: &mut Problems) -> BTreeSet<RecordType> {
    let mut read = |flag: &str, texts: &[String]| -> BTreeSet<RecordType> {
        let types = texts.iter().filter_map(|text| {
            let parsed: Result<RecordType, _> = text.parse();
            parsed
                .map_err(|allowed| problems.push(flag, text, allowed))
                .ok()
        });
        types.collect()
    };
    let managed = read("managed-record-types", &args.managed_record_types);
    let excluded = read("exclude-record-types", &args.exclude_record_types);
    managed.difference(&excluded).cloned().collect()
}
