//! The cache folder: what is built once and used by every test process.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use isthmus_core::short_hash;

/// How often a long build says that it is still going on.
const STILL_BUILDING: Duration = Duration::from_secs(15);
/// Before what was to be fetched is tried once more.
const PAUSES: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(30)];

/// `ISTHMUS_TESTBED_DIR`, else `isthmus-testbed` in the user's cache folder.
pub(crate) fn folder() -> PathBuf {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folder) = set("ISTHMUS_TESTBED_DIR") {
        return PathBuf::from(folder);
    }
    set("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| Path::new(&home).join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
        .join("isthmus-testbed")
}

/// A line on the terminal, past the test harness's capture: whoever waits
/// minutes for a build wants to know why.
pub(crate) fn progress(line: &str) {
    let _ = writeln!(std::io::stderr(), "testbed: {line}");
}

/// The folder `<name>-<hash of the inputs>`, filled by `build` unless it is
/// there already.
///
/// Built beside it and renamed, under a file lock: of several processes that
/// start at once one builds and the others wait, and a build that was cut off
/// is never taken for a whole one.
///
/// # Errors
/// If an input cannot be read or the build fails; nothing is left behind then.
pub(crate) fn ensure(
    name: &str,
    inputs: &[PathBuf],
    build: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let mut contents = Vec::new();
    for input in inputs {
        contents
            .push(fs::read_to_string(input).with_context(|| format!("read {}", input.display()))?);
    }
    let contents: Vec<&str> = contents.iter().map(String::as_str).collect();
    let root = folder();
    let done = root.join(format!("{name}-{}", short_hash(&contents, 12)));
    if done.is_dir() {
        return Ok(done);
    }
    fs::create_dir_all(&root).with_context(|| format!("make {}", root.display()))?;
    let lock = File::create(root.join(format!("{name}.lock")))?;
    if lock.try_lock().is_err() {
        progress(&format!("another process is building {name}, waiting"));
        lock.lock()?;
    }
    if done.is_dir() {
        return Ok(done);
    }
    let partial = root.join(format!("{name}.partial"));
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    fs::create_dir_all(&partial)?;
    let built = build(&partial);
    if built.is_err() {
        fs::remove_dir_all(&partial)?;
    }
    built?;
    fs::rename(&partial, &done)?;
    Ok(done)
}

/// As [`run`], for a command that fetches something from a registry: one that
/// fails is tried again, after a pause, for registries have bad moments.
///
/// # Errors
/// With the last output if it fails time after time.
pub(crate) fn fetch(what: &str, command: &mut std::process::Command) -> Result<String> {
    for pause in PAUSES {
        match run(what, command) {
            Ok(said) => return Ok(said),
            Err(error) => progress(&format!("{error:#}\nonce more in {} s", pause.as_secs())),
        }
        std::thread::sleep(pause);
    }
    run(what, command)
}

/// Runs one command of a build to its end, saying every few seconds that it is
/// still going on.
///
/// # Errors
/// With the command's output if it fails.
pub(crate) fn run(what: &str, command: &mut std::process::Command) -> Result<String> {
    progress(what);
    let start = Instant::now();
    let (ended, end) = mpsc::channel::<()>();
    let label = what.to_owned();
    let ticker = std::thread::spawn(move || {
        while end.recv_timeout(STILL_BUILDING) == Err(RecvTimeoutError::Timeout) {
            progress(&format!("{label}: {} s", start.elapsed().as_secs()));
        }
    });
    let output = command.output();
    drop(ended);
    let _ = ticker.join();
    let output = output.with_context(|| format!("{what}: start {command:?}"))?;
    if !output.status.success() {
        bail!(
            "{what}: {command:?}: {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
