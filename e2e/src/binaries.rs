//! The four binaries, built with the profile of the running test.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};

use crate::cache;

/// Every binary of the workspace that the testbed can run.
pub const ALL: [&str; 4] = [
    "isthmus-ingress",
    "isthmus-dns",
    "isthmus-egress",
    "isthmus-metadata-proxy",
];

static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());

/// The path of a binary, brought up to date by cargo once in the life of the process.
///
/// The selection is that of `cargo test --workspace`, so that the features of
/// the dependencies are the same and none is compiled a second time. With
/// `ISTHMUS_BIN_DIR` set the binaries are taken from there and nothing is built.
/// A name with a slash is a path already.
///
/// # Errors
/// With cargo's output if it does not compile.
pub fn path(binary: &str) -> Result<PathBuf> {
    if binary.contains('/') {
        return Ok(PathBuf::from(binary));
    }
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = built.get(binary) {
        return Ok(path.clone());
    }
    let path = match std::env::var_os("ISTHMUS_BIN_DIR") {
        Some(folder) => PathBuf::from(folder).join(binary),
        None => build(binary)?,
    };
    ensure!(path.is_file(), "{} is not there", path.display());
    built.insert(binary.to_owned(), path.clone());
    Ok(path)
}

fn build(binary: &str) -> Result<PathBuf> {
    let folder = profile_folder()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // What cargo set for this test is not meant for another build: some build
    // scripts would see it as a change.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_PKG_")
            || name.starts_with("CARGO_BIN_")
            || name.starts_with("CARGO_MANIFEST_")
            || [
                "CARGO_CRATE_NAME",
                "CARGO_PRIMARY_PACKAGE",
                "OUT_DIR",
                "CARGO_TARGET_TMPDIR",
            ]
            .contains(&name.as_str())
        {
            command.env_remove(name);
        }
    }
    command
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .args(["build", "--workspace", "--bin", binary]);
    match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") => {}
        Some(profile) => {
            command.args(["--profile", profile]);
        }
        None => bail!("{} is no target folder", folder.display()),
    }
    let target = folder.parent().context("a target folder")?;
    command.arg("--target-dir").arg(target);
    cache::run(&format!("cargo build {binary}"), &mut command)?;
    Ok(folder.join(binary))
}

/// `target/<profile>`, where the running test or the playground lies.
fn profile_folder() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let folder = program.parent().context("the program's folder")?;
    let is_deps = folder.ends_with("deps") || folder.ends_with("examples");
    let folder = if is_deps {
        folder.parent()
    } else {
        Some(folder)
    };
    Ok(folder.context("the profile's folder")?.to_owned())
}
