//! The references of Events and annotations are written from the tables in the code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use isthmus_core::{AnnotationReference, EventReason};
use isthmus_runtime::documents::hold;

use super::book::{files, read};
use super::root;

const EVENTS: [(&str, &[EventReason]); 5] = [
    ("All controllers", &isthmus_runtime::reason::EVENTS),
    ("isthmus-ingress", &ingress_core::reason::EVENTS),
    ("isthmus-dns", &dns_core::reason::EVENTS),
    ("isthmus-egress", &egress_core::reason::EVENTS),
    (
        "isthmus-metadata-proxy",
        &metadata_proxy_core::reason::EVENTS,
    ),
];

#[test]
fn the_events_are_those_of_the_code() {
    for (program, events) in EVENTS {
        let mut events = events.to_vec();
        events.sort();
        let mut text = "| reason | type | when | what to do |\n|---|---|---|---|\n".to_owned();
        for event in events {
            let kind = if event.warning { "Warning" } else { "Normal" };
            let EventReason {
                name, when, remedy, ..
            } = event;
            text += &format!("| `{name}` | {kind} | {when} | {remedy} |\n");
        }
        hold("events.md", program, &text);
    }
}

#[test]
fn the_annotations_are_those_of_the_parsers() {
    hold(
        "annotations.md",
        "isthmus-ingress",
        &annotations(ingress_core::annotation_reference()),
    );
    hold(
        "annotations.md",
        "isthmus-dns",
        &annotations(dns_core::annotation_reference()),
    );
}

fn annotations(rows: Vec<AnnotationReference>) -> String {
    let mut text =
        "| annotation | on | allowed | without it | what it is for |\n|---|---|---|---|---|\n"
            .to_owned();
    for row in rows {
        let AnnotationReference {
            key,
            on,
            allowed,
            default,
            meaning,
        } = row;
        let allowed = allowed.replace('<', "\\<");
        text += &format!("| `{key}` | {on} | {allowed} | {default} | {meaning} |\n");
    }
    text
}

/// The code of the four programs, without tests and without what is said to AWS.
fn sources() -> Vec<PathBuf> {
    let rooms = [
        "controllers/common",
        "controllers/ingress",
        "controllers/dns",
        "controllers/egress",
        "metadata-proxy",
    ];
    let mut found = Vec::new();
    for room in rooms {
        let parts = ["src", "core/src", "runtime/src"].map(|part| root().join(room).join(part));
        for part in parts.iter().filter(|part| part.exists()) {
            found.extend(files(part, ".rs"));
        }
    }
    found.retain(|path| {
        let path = path.to_string_lossy();
        !path.contains("/aws/") && !path.contains("tests") && !path.contains("fixture")
    });
    found
}

/// A file's code, up to its tests.
fn code(path: &Path) -> String {
    let text = read(path);
    text.split("#[cfg(test)]")
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// Whether the text is several capitalized words in one, as a reason is.
fn is_camel(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_alphanumeric())
        && text.chars().filter(char::is_ascii_uppercase).count() > 1
        && text.contains(|c: char| c.is_ascii_lowercase())
}

#[test]
fn every_reason_in_the_code_is_in_its_table() {
    /// Constants that look like reasons: kinds of objects, names of tags, a server.
    const OTHERS: [&str; 3] = ["RouteGroup", "AvailabilityZone", "EC2ws"];
    let known: BTreeSet<&str> = EVENTS
        .iter()
        .flat_map(|(_, events)| events.iter().map(|event| event.name))
        .collect();
    let mut unknown = Vec::new();
    for path in sources() {
        for line in code(&path).lines() {
            let Some((name, value)) = line.trim().split_once(" = \"") else {
                continue;
            };
            let value = value.trim_end_matches("\";");
            let is_constant = name.contains("const ") && name.ends_with("str");
            if is_constant && is_camel(value) && !known.contains(value) && !OTHERS.contains(&value)
            {
                unknown.push(format!("{}: {value}", path.display()));
            }
        }
    }
    assert!(
        unknown.is_empty(),
        "not in EVENTS of a core's reason.rs (or OTHERS here): {unknown:#?}"
    );
}

#[test]
fn no_reason_is_written_where_it_is_used() {
    let mut found = Vec::new();
    for path in sources() {
        let code = code(&path);
        for call in ["EventType::Warning,", "EventType::Normal,", "reason:"] {
            for rest in code.split(call).skip(1) {
                if let Some(literal) = rest.trim_start().strip_prefix('"') {
                    let literal = literal.split('"').next().unwrap_or_default();
                    found.extend(
                        is_camel(literal).then(|| format!("{}: {literal}", path.display())),
                    );
                }
            }
        }
    }
    assert!(found.is_empty(), "belong in a core's reason.rs: {found:#?}");
}

#[test]
fn every_annotation_and_label_in_the_code_is_on_its_page() {
    /// Keys with a slash that are neither: API versions, claims, prefixes, and kubectl's own.
    const OTHERS: [&str; 6] = [
        "networking.k8s.io/v1",
        "zalando.org/v1",
        "externaldns.k8s.io/v1alpha1",
        "authentication.kubernetes.io/pod-uid",
        "kubectl.kubernetes.io/last-applied-configuration",
        "zalando.org/aws-load-balancer-",
    ];
    let page = read(&root().join("docs/annotations.md"));
    let mut missing = BTreeSet::new();
    for path in sources() {
        for literal in code(&path).split('"').skip(1).step_by(2) {
            let is_key = literal.split_once('/').is_some_and(|(domain, name)| {
                let legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
                domain.contains('.')
                    && !domain.starts_with('.')
                    && domain
                        .chars()
                        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c))
                    && domain.contains(|c: char| c.is_ascii_lowercase())
                    && name.chars().all(legal)
                    && !name.is_empty()
            });
            if is_key && !OTHERS.contains(&literal) && !page.contains(&format!("`{literal}`")) {
                missing.insert(format!("{}: {literal}", path.display()));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "not in docs/annotations.md: {missing:#?}"
    );
}

#[test]
fn every_statement_of_the_policies_is_explained() {
    let page = read(&root().join("docs/policies.md"));
    let mut count = 0;
    for path in files(&root().join("manifests/iam"), ".json") {
        let policy: serde_json::Value = serde_json::from_str(&read(&path)).expect("JSON");
        let statements = policy["Statement"].as_array().cloned().unwrap_or_default();
        // A trust policy has a principal, and is an example by itself.
        for statement in statements.iter().filter(|one| one["Principal"].is_null()) {
            let sid = statement["Sid"].as_str().expect("each has a name");
            let row = format!("| `{sid}` |");
            assert!(
                page.contains(&row),
                "{}: docs/policies.md says nothing of {sid}",
                path.display()
            );
            count += 1;
        }
    }
    assert!(count >= 10, "only {count} statements were found");
}

#[test]
fn the_pages_name_only_flags_that_there_are() {
    /// Flags of other programs.
    const OTHERS: [&str; 9] = [
        "release",
        "locked",
        "bench",
        "test",
        "workspace",
        "field-selector",
        "filters",
        "hosted-zone-id",
        "register-with-taints",
    ];
    let is_flag = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let named = |text: &str| -> BTreeSet<String> {
        let words = text.split("--").skip(1);
        let words = words.filter_map(|rest| rest.split(|c| !is_flag(c)).next());
        let whole = words.filter(|word| {
            word.starts_with(|c: char| c.is_ascii_lowercase()) && !word.ends_with('-')
        });
        whole.map(str::to_owned).collect()
    };
    let mut known = BTreeSet::from(OTHERS.map(str::to_owned));
    for page in files(&root().join("docs/flags"), ".md") {
        known.extend(named(&read(&page)));
    }
    let mut wrong = Vec::new();
    for page in [
        "annotations",
        "dns",
        "egress",
        "events",
        "getting-started",
        "iam",
        "ingress",
        "installing",
        "limits",
        "metadata-proxy",
        "metrics",
        "operations",
        "policies",
        "threat-model",
    ] {
        let text = read(&root().join(format!("docs/{page}.md")));
        wrong.extend(
            named(&text)
                .difference(&known)
                .map(|flag| format!("docs/{page}.md: --{flag}")),
        );
    }
    assert!(wrong.is_empty(), "no program has: {wrong:#?}");
}
