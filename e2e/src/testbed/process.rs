//! A binary that runs, and how it ended.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader};

use crate::{PATIENCE, eventually, http};

/// How a binary ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The exit code; 137 if it was killed.
    pub code: Option<i32>,
    /// Everything on stdout.
    pub stdout: String,
    /// Everything on stderr.
    pub stderr: String,
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "exit code {:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.code, self.stdout, self.stderr
        )
    }
}

/// A binary that runs beside the test; killed when dropped.
#[derive(Debug)]
pub struct Process {
    /// Where its admin server is, `http://127.0.0.1:<port>`.
    pub admin: String,
    binary: &'static str,
    /// There until this is dropped.
    guard: Option<tokio::process::Child>,
    leaving: Leaving,
    stdin: Option<tokio::process::ChildStdin>,
    stdout: Captured,
    stderr: Captured,
}

impl Process {
    /// Starts a guarded command line whose outputs are pipes.
    pub(super) fn start(
        binary: &'static str,
        command: std::process::Command,
        address: impl fmt::Display,
        leaving: Leaving,
    ) -> Result<Self> {
        let mut guard = tokio::process::Command::from(command)
            .spawn()
            .with_context(|| format!("start {binary}"))?;
        Ok(Self {
            admin: format!("http://{address}"),
            binary,
            stdin: guard.stdin.take(),
            stdout: Captured::new(guard.stdout.take().context("stdout")?),
            stderr: Captured::new(guard.stderr.take().context("stderr")?),
            guard: Some(guard),
            leaving,
        })
    }

    fn guard(&mut self) -> Result<&mut tokio::process::Child> {
        self.guard
            .as_mut()
            .context("it is there until it is dropped")
    }

    /// Waits until `/readyz` says 200.
    ///
    /// # Errors
    /// With its output, if it ends or takes longer than [`PATIENCE`].
    pub async fn wait_ready(&mut self) -> Result<()> {
        let url = format!("{}/readyz", self.admin);
        let start = tokio::time::Instant::now();
        loop {
            if let Ok((status, _)) = http::get(&url).await
                && status.is_success()
            {
                return Ok(());
            }
            let ended = self.guard()?.try_wait()?;
            if ended.is_some() || start.elapsed() > PATIENCE {
                let (binary, stderr) = (self.binary, self.stderr());
                bail!("{binary} is not ready ({ended:?})\n{stderr}");
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// A page of its admin server: status and body.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn admin_page(&self, path: &str) -> Result<(u16, String)> {
        let (status, body) = http::get(&format!("{}{path}", self.admin)).await?;
        Ok((status.as_u16(), body))
    }

    /// SIGKILL, and the end.
    ///
    /// # Errors
    /// If waiting for it fails.
    pub async fn kill(mut self) -> Result<Finished> {
        self.stdin = None;
        self.finished().await
    }

    /// SIGTERM, and the end.
    ///
    /// # Errors
    /// If it does not end within [`PATIENCE`].
    pub async fn terminate(mut self) -> Result<Finished> {
        self.signal("TERM").await?;
        match tokio::time::timeout(PATIENCE, self.finished()).await {
            Ok(finished) => finished,
            Err(_) => bail!("{} does not end\n{}", self.binary, self.stderr()),
        }
    }

    /// Sends a signal by its name without `SIG`.
    ///
    /// # Errors
    /// If it has ended.
    pub async fn signal(&mut self, name: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("it was killed")?;
        stdin.write_all(format!("{name}\n").as_bytes()).await?;
        Ok(())
    }

    /// SIGSTOP, and waits until it stands still. What happens then it hears of at
    /// once when it goes on, however long it takes to happen.
    ///
    /// # Errors
    /// If it has ended.
    pub async fn pause(&mut self) -> Result<()> {
        self.signal("STOP").await?;
        let guard = self.guard()?.id().context("it has ended")?;
        eventually("a process to stand still", async || {
            Ok(has_stopped_child(guard)?.then_some(()))
        })
        .await
    }

    /// Lets it go on after [`Process::pause`].
    ///
    /// # Errors
    /// If it has ended.
    pub async fn go_on(&mut self) -> Result<()> {
        self.signal("CONT").await
    }

    /// Whether it has ended, and how.
    ///
    /// # Errors
    /// If that cannot be told.
    pub fn ended(&mut self) -> Result<Option<std::process::ExitStatus>> {
        Ok(self.guard()?.try_wait()?)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If waiting fails.
    pub async fn finished(&mut self) -> Result<Finished> {
        // Not `wait`: that closes stdin first, which kills the binary.
        let status = loop {
            if let Some(status) = self.guard()?.try_wait()? {
                break status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        Ok(Finished {
            code: status.code(),
            stdout: self.stdout.whole().await,
            stderr: self.stderr.whole().await,
        })
    }

    /// What it wrote so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.stdout.so_far()
    }

    /// What it wrote so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.so_far()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The end of its stdin is the guard's word to kill it.
        self.stdin = None;
        if let Some(guard) = self.guard.take() {
            self.leaving.add(guard);
        }
    }
}

/// Binaries that were told to end, and may still do something on a busy machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaving(Arc<Mutex<Vec<tokio::process::Child>>>);

impl Leaving {
    fn add(&self, guard: tokio::process::Child) {
        self.lock().push(guard);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<tokio::process::Child>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all of them have ended.
    ///
    /// # Errors
    /// If one has not after [`PATIENCE`].
    pub(super) async fn gone(&self) -> Result<()> {
        eventually("the processes of the last test to end", async || {
            let mut guards = self.lock();
            guards.retain_mut(|guard| matches!(guard.try_wait(), Ok(None)));
            Ok(guards.is_empty().then_some(()))
        })
        .await
    }
}

/// Whether a child of this process stands still: field 3 of [`stat`] is the
/// state, field 4 the parent.
///
/// [`stat`]: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
fn has_stopped_child(parent: u32) -> Result<bool> {
    let mut stats = std::fs::read_dir("/proc")?
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("stat")).ok());
    let parent = parent.to_string();
    let stopped = |stat: String| {
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split(' ');
        fields.nth(1) == Some("T") && fields.next() == Some(parent.as_str())
    };
    Ok(stats.any(stopped))
}

/// An output that is read as it comes.
#[derive(Debug)]
struct Captured {
    text: Arc<Mutex<String>>,
    reader: Option<tokio::task::JoinHandle<()>>,
}

impl Captured {
    fn new(stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&text);
        let reader = tokio::spawn(async move {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while matches!(stream.read_until(b'\n', &mut line).await, Ok(1..)) {
                let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
                written.push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        Self {
            text,
            reader: Some(reader),
        }
    }

    fn so_far(&self) -> String {
        self.text
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn whole(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            let _ = reader.await;
        }
        self.so_far()
    }
}
