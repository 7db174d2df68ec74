//! Prometheus's own tool for rules and their unit tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::cache;
use crate::testbed::go;

/// Where [promtool] is: in the cache, filled by a build of the Go module in
/// `e2e/promtool`, which pins its version.
///
/// # Errors
/// If there is no Go, or its modules cannot be had.
///
/// [promtool]: https://prometheus.io/docs/prometheus/latest/command-line/promtool/
pub fn promtool() -> Result<PathBuf> {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("promtool");
    let inputs = ["go.mod", "go.sum"].map(|file| module.join(file));
    let folder = cache::ensure("promtool", &inputs, |out| build(&module, out))?;
    Ok(folder.join("promtool"))
}

/// Without what discovers targets in two dozen clouds, which is most of it.
fn build(module: &Path, out: &Path) -> Result<()> {
    cache::fetch(
        "building promtool, once (1 to 5 minutes)",
        Command::new(go()?)
            .current_dir(module)
            .env("CGO_ENABLED", "0")
            .env("GOFLAGS", "-mod=readonly")
            .args(["build", "-trimpath", "-p=2", "-ldflags=-s -w"])
            .args(["-tags", "remove_all_sd", "-o"])
            .arg(out)
            .arg("github.com/prometheus/prometheus/cmd/promtool"),
    )?;
    Ok(())
}
