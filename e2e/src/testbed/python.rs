//! The Python environment of the emulators.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::cache;

/// The oldest Python that the pinned emulators run on.
const OLDEST: (u32, u32) = (3, 10);

/// The interpreter of an environment with the pinned emulators in it, and
/// boto3 for the playground.
pub(crate) fn interpreter() -> Result<PathBuf> {
    let pinned = emulators().join("requirements.txt");
    let venv = cache::ensure("python", std::slice::from_ref(&pinned), |venv| {
        let file = pinned.display().to_string();
        fill_venv(venv, &["--requirement", &file])
    })?;
    Ok(venv.join("bin/python"))
}

/// `kubectl` out of the same environment.
pub(crate) fn kubectl() -> Result<PathBuf> {
    Ok(interpreter()?.with_file_name("kubectl"))
}

/// The folder of our own Python code.
pub(crate) fn emulators() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("emulators")
}

/// Makes a virtual environment in `venv` and installs into it. It may be moved
/// afterwards as long as it is used through `bin/python -m`.
pub(super) fn fill_venv(venv: &Path, packages: &[&str]) -> Result<()> {
    let python = python_of_the_machine()?;
    cache::run(
        "making a Python environment",
        Command::new(python).args(["-m", "venv"]).arg(venv),
    )?;
    cache::fetch(
        &format!("installing {} from PyPI, once", packages.join(" ")),
        Command::new(venv.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet"])
            .arg("--disable-pip-version-check")
            .args(packages),
    )?;
    Ok(())
}

fn python_of_the_machine() -> Result<&'static str> {
    let check = format!("import sys, venv, ensurepip; sys.exit(sys.version_info < {OLDEST:?})");
    let fits = |python: &&str| {
        let output = Command::new(python).args(["-c", &check]).output();
        output.is_ok_and(|output| output.status.success())
    };
    match ["python3", "python"].into_iter().find(fits) {
        Some(python) => Ok(python),
        None => bail!(
            "the testbed needs python3 {}.{} or newer with its venv module (Debian: python3-venv)",
            OLDEST.0,
            OLDEST.1
        ),
    }
}
