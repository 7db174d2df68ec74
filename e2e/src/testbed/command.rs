//! Command lines of the four binaries against a testbed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::child::guarded;
use super::process::{Finished, Leaving, Process};
use super::{Testbed, ports};
use crate::{REGION, binaries};

/// How long a run may take that should end by itself.
const RUN_LIMIT: Duration = Duration::from_secs(300);

/// A command line for one of the binaries. Its environment is the testbed's and
/// nothing else: `KUBECONFIG`, the gate as `AWS_ENDPOINT_URL`, the region, test
/// credentials, the metadata service, and a free loopback port as
/// `--metrics-address` unless the arguments have one.
#[derive(Clone, Debug)]
pub struct Command {
    binary: &'static str,
    program: PathBuf,
    by: Vec<String>,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    leaving: Leaving,
}

impl Command {
    pub(super) async fn new(testbed: &Testbed, binary: &'static str) -> Result<Self> {
        let program = tokio::task::spawn_blocking(move || binaries::path(binary)).await??;
        let kubeconfig = testbed.kubeconfig().display().to_string();
        let env = [
            ("KUBECONFIG", kubeconfig.as_str()),
            ("AWS_ENDPOINT_URL", testbed.gate.url()),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", "testbed"),
            ("AWS_SECRET_ACCESS_KEY", "testbed-secret"),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", testbed.imds.url()),
            ("AWS_CONFIG_FILE", "/nonexistent"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent"),
            // The gate's record names its caller by this.
            ("AWS_SDK_UA_APP_ID", binary),
            ("RUST_BACKTRACE", "1"),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(Self {
            binary,
            program,
            by: Vec::new(),
            args: Vec::new(),
            env: env.into(),
            leaving: testbed.lease.host().leaving.clone(),
        })
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<str>>(mut self, args: &[S]) -> Self {
        let args = args.iter().map(|arg| arg.as_ref().to_owned());
        self.args.extend(args);
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Has another program start it, such as `ip netns exec NAME`, which takes
    /// the binary and its arguments as its last arguments.
    #[must_use]
    pub fn by(mut self, words: &[&str]) -> Self {
        self.by = words.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Takes an environment variable away.
    #[must_use]
    pub fn env_remove(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    /// Runs it to its end (two minutes at most).
    ///
    /// # Errors
    /// If it cannot be started or does not end.
    pub async fn run(self) -> Result<Finished> {
        let binary = self.binary;
        let mut process = self.spawn()?;
        match tokio::time::timeout(RUN_LIMIT, process.finished()).await {
            Ok(finished) => finished,
            Err(_) => bail!(
                "{binary} does not end\n{}\n{}",
                process.stdout(),
                process.stderr()
            ),
        }
    }

    /// Starts it beside the test.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn(mut self) -> Result<Process> {
        let given = self
            .args
            .iter()
            .position(|arg| arg.starts_with("--metrics-address"));
        let address = match given {
            Some(at) => match self.args[at].split_once('=') {
                Some((_, address)) => address.to_owned(),
                None => self.args.get(at + 1).cloned().unwrap_or_default(),
            },
            None => {
                let address = format!("127.0.0.1:{}", ports::free_port()?);
                self.args.push(format!("--metrics-address={address}"));
                address
            }
        };
        let mut words = self.by.iter().map(PathBuf::from).chain([self.program]);
        let mut command = guarded(&words.next().context("a program")?, None);
        command
            .args(words)
            .args(&self.args)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(std::env::var_os("TMPDIR").map(|folder| ("TMPDIR", folder)))
            .envs(&self.env)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Process::start(self.binary, command, address, self.leaving)
    }
}
