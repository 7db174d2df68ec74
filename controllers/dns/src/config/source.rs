//! The flags that say where names come from.

use std::collections::BTreeSet;

use dns_core::{ServiceOptions, Source, SourceOptions, Targets};
use isthmus_runtime::Problems;

use crate::args::SourceArgs;

/// `--source`.
pub(super) fn sources(texts: &[String], problems: &mut Problems) -> BTreeSet<Source> {
    let allowed: Vec<_> = Source::ALL.map(Source::flag).to_vec();
    let allowed = allowed.join(", ");
    if texts.is_empty() {
        problems.say("source", format_args!("is required: {allowed}"));
    }
    let sources = texts.iter().filter_map(|text| {
        let found = Source::ALL.into_iter().find(|source| source.flag() == text);
        if found.is_none() {
            let words = format_args!("{text:?} is not supported; allowed: {allowed}");
            problems.say("source", words);
        }
        found
    });
    sources.collect()
}

/// Completes the options of the sources with those of single ones.
pub(super) fn complete(options: &mut SourceOptions, args: &SourceArgs, problems: &mut Problems) {
    const TYPES: [&str; 4] = ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"];
    for text in &args.service_type_filter {
        if !TYPES.contains(&text.as_str()) {
            problems.push("service-type-filter", text, TYPES.join(", "));
        }
    }
    options.service = ServiceOptions {
        types: args.service_type_filter.clone(),
        publish_internal: args.publish_internal_services,
        publish_host_ip: args.publish_host_ip,
        publish_not_ready: args.always_publish_not_ready_addresses,
        expose_internal_ipv6: args.expose_internal_ipv6,
    };
    options.default_targets = Targets::parse(&args.default_targets).unwrap_or_else(|| {
        let text = args.default_targets.join(",");
        problems.push("default-targets", text, "addresses and host names");
        Targets::default()
    });
    options.crd = crd(args, problems);
}

/// The kind of the source `crd`. Its names live as long as the process.
fn crd(args: &SourceArgs, problems: &mut Problems) -> (&'static str, &'static str) {
    let (api, kind) = (&args.crd_source_apiversion, &args.crd_source_kind);
    let word = |text: &str| {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        !text.is_empty() && text.chars().all(legal)
    };
    let parts = api.split_once('/');
    if !parts.is_some_and(|(group, version)| word(group) && word(version)) {
        problems.push("crd-source-apiversion", api, "GROUP/VERSION");
    }
    if !word(kind) {
        problems.push("crd-source-kind", kind, "the name of a kind");
    }
    let default = SourceOptions::default().crd;
    if (api.as_str(), kind.as_str()) == default {
        return default;
    }
    (api.clone().leak(), kind.clone().leak())
}
