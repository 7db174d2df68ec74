//! The AWS SDK for JavaScript, from npm, in the versions of our lock file.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use super::python::emulators;
use crate::cache;

/// The oldest Node.js that the pinned SDK runs on.
const OLDEST: u32 = 20;

/// A folder with the pinned packages and our scripts in it.
pub(crate) fn packages() -> Result<PathBuf> {
    let oldest = format!("process.exit(parseInt(process.versions.node) < {OLDEST} ? 1 : 0)");
    if !runs("node", &["-e", &oldest]) || !runs("npm", &["--version"]) {
        bail!("node {OLDEST} or newer, and npm");
    }
    let ours = emulators().join("js");
    let inputs = ["package.json", "package-lock.json", "as_pod.mjs"].map(|name| ours.join(name));
    cache::ensure("node", &inputs, |folder| {
        for input in &inputs {
            let name = input.file_name().unwrap_or_default();
            std::fs::copy(input, folder.join(name))?;
        }
        install(folder)
    })
}

fn install(folder: &Path) -> Result<()> {
    let mut npm = Command::new("npm");
    npm.current_dir(folder)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    cache::fetch(
        "installing the AWS SDK for JavaScript from npm, once",
        &mut npm,
    )?;
    Ok(())
}

fn runs(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
