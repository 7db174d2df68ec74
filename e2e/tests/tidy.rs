//! The rules of the house that a compiler does not hold: the rings of
//! `docs/architecture.md`, what the `*-core` crates may depend on, and what must
//! not be in the tree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The ring of each crate: an arrow may only point to a smaller ring.
const RINGS: [(&str, u8); 12] = [
    ("isthmus-core", 0),
    ("ingress-core", 1),
    ("dns-core", 1),
    ("egress-core", 1),
    ("metadata-proxy-core", 1),
    ("isthmus-runtime", 2),
    ("isthmus-ingress", 3),
    ("isthmus-dns", 3),
    ("isthmus-egress", 3),
    ("isthmus-metadata-proxy", 3),
    ("isthmus", 4),
    ("isthmus-e2e", 4),
];

/// What a crate of ring 0 or 1 cannot have, so that it cannot do I/O.
const NO_IO: [&str; 12] = [
    "tokio",
    "tokio-util",
    "futures",
    "hyper",
    "hyper-util",
    "kube",
    "k8s-openapi",
    "isthmus-runtime",
    "rand",
    "getrandom",
    "clap",
    "tracing",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("e2e lies in the workspace")
        .to_owned()
}

/// The workspace's packages: name → its dependencies as `(name, kind)`.
fn packages() -> BTreeMap<String, Vec<(String, String)>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    metadata["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("dependencies");
            let dependencies = dependencies
                .iter()
                .map(|d| {
                    (
                        text(&d["name"]),
                        d["kind"].as_str().unwrap_or("normal").to_owned(),
                    )
                })
                .collect();
            (text(&package["name"]), dependencies)
        })
        .collect()
}

#[test]
fn every_crate_has_a_ring() {
    let known: BTreeSet<_> = RINGS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let found: BTreeSet<_> = packages().into_keys().collect();
    assert_eq!(
        found, known,
        "RINGS lists exactly the crates of the workspace"
    );
}

#[test]
fn arrows_point_inwards() {
    let rings: BTreeMap<_, _> = RINGS.into_iter().collect();
    for (name, dependencies) in packages() {
        let ring = rings[name.as_str()];
        for (dependency, kind) in dependencies {
            let Some(&other) = rings.get(dependency.as_str()) else {
                continue;
            };
            assert!(
                other < ring,
                "{name} (ring {ring}) has a {kind} dependency on {dependency} (ring {other})"
            );
        }
    }
}

#[test]
fn what_decides_cannot_do_io() {
    let rings: BTreeMap<_, _> = RINGS.into_iter().collect();
    for (name, dependencies) in packages() {
        if rings[name.as_str()] > 1 {
            continue;
        }
        for (dependency, kind) in dependencies {
            assert!(
                !NO_IO.contains(&dependency.as_str()) && !dependency.starts_with("aws-"),
                "{name} has a {kind} dependency on {dependency}, and could do I/O with it"
            );
        }
    }
}

#[test]
fn what_decides_reads_no_clock_and_no_environment() {
    const FORBIDDEN: [&str; 7] = [
        "SystemTime::now",
        "Instant::now",
        "Timestamp::now",
        "Zoned::now",
        "std::env",
        "std::fs",
        "std::net::Tcp",
    ];
    for room in [
        "controllers/common/core/src",
        "controllers/ingress/core/src",
        "controllers/dns/core/src",
        "controllers/egress/core/src",
        "metadata-proxy/core/src",
    ] {
        for file in files(&root().join(room), &["rs"]) {
            let text = std::fs::read_to_string(&file).expect("readable");
            for word in FORBIDDEN {
                assert!(!text.contains(word), "{} uses {word}", file.display());
            }
        }
    }
}

fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(files(&path, extensions));
        } else if path
            .extension()
            .is_some_and(|e| extensions.iter().any(|x| e == *x))
        {
            found.push(path);
        }
    }
    found.sort();
    found
}
