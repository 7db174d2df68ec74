//! Child processes that never outlive this process, not even when it is killed.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::PATIENCE;

/// Runs its arguments as a child and reads signal names from its own stdin; at
/// the end of stdin, which the kernel brings about however we die, the child is
/// killed. `$1` is a folder to remove at the end, or empty.
const GUARD: &str = r#"
folder=$1; shift
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
(while read -r signal; do kill -s "$signal" "$child"; done; kill -s KILL "$child") <&3 >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait "$child"
code=$?
kill "$watcher" 2>/dev/null
[ -z "$folder" ] || rm -rf "$folder"
exit "$code"
"#;

/// A command line that runs under the guard.
pub(crate) fn guarded(program: &Path, folder: Option<&Path>) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", GUARD, "guard"])
        .arg(folder.unwrap_or(Path::new("")))
        .arg(program)
        .stdin(Stdio::piped())
        // Ctrl-C on the terminal is for us; the guard sees our end.
        .process_group(0);
    command
}

/// A long-running server of the testbed, killed when dropped.
pub(crate) struct Child {
    name: &'static str,
    guard: Mutex<std::process::Child>,
    stdin: Option<ChildStdin>,
    log: PathBuf,
}

impl Child {
    /// Starts `command` (made by [`guarded`]) with its output in `log`.
    pub(crate) fn spawn(name: &'static str, mut command: Command, log: &Path) -> Result<Self> {
        let file = File::create(log)?;
        command.stdout(file.try_clone()?).stderr(file);
        let mut guard = command.spawn().with_context(|| format!("start {name}"))?;
        Ok(Self {
            name,
            stdin: guard.stdin.take(),
            guard: Mutex::new(guard),
            log: log.to_owned(),
        })
    }

    /// How the process ended, if it has.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        let mut guard = self
            .guard
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        guard.try_wait().ok().flatten()
    }

    /// Waits until `ready` says yes.
    ///
    /// # Errors
    /// With the end of the log, if the process ends or [`PATIENCE`] is over.
    pub(crate) async fn wait_until<F>(&self, ready: impl Fn() -> F) -> Result<()>
    where
        F: Future<Output = bool>,
    {
        let start = Instant::now();
        while !ready().await {
            if let Some(status) = self.ended() {
                bail!("{} ended: {status}\n{}", self.name, self.log_tail());
            }
            if start.elapsed() > PATIENCE {
                bail!("{} is not ready in time\n{}", self.name, self.log_tail());
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Ok(())
    }

    /// The last lines of the process's output.
    pub(crate) fn log_tail(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(b"KILL\n");
        }
        self.stdin = None;
    }
}
