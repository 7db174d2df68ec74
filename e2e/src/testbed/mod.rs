//! The testbed: a real kube-apiserver with etcd, and AWS emulators behind the gate.
//!
//! A few are kept for the life of the process and wiped between tests, since
//! starting one takes seconds and wiping it milliseconds.

mod apply;
mod audit;
mod certificates;
mod child;
mod command;
mod emulators;
mod imds;
mod kubernetes;
mod node;
mod pool;
mod ports;
mod process;
mod python;
mod serve;
mod share;
mod wipe;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;

pub use audit::{Right, ServiceAccount};
pub use command::Command;
pub use emulators::{EmulatorSettings, Emulators};
pub use imds::{Imds, ImdsRequest};
pub(crate) use kubernetes::go;
pub use ports::free_port;
pub use process::{Finished, Process};
pub(crate) use python::{
    emulators as emulators_folder, interpreter as python_interpreter, kubectl as kubectl_binary,
};
pub(crate) use serve::{Body, Cut, serve};

use crate::REGION;
use crate::cache::progress;
use crate::gate::Gate;
use pool::Lease;

/// A testbed of one's own until it is dropped. Whatever was there is gone when
/// it is acquired; processes that a test spawned are killed with its
/// [`Process`].
///
/// # Panics
/// Dropping it fails the test if an emulator answered a status of 500
/// meanwhile ([`Gate::internal_errors`]): the test proved nothing then.
pub struct Testbed {
    /// The endpoint of the binaries.
    pub gate: Gate,
    /// The metadata service of the binaries.
    pub imds: Imds,
    kube: kube::Client,
    sdk: SdkConfig,
    lease: Lease,
}

impl Testbed {
    /// Takes a wiped testbed out of the pool, or starts one, or waits for one.
    /// What is missing on the machine is built first, with progress on stderr.
    ///
    /// # Errors
    /// If a part cannot be built or does not start.
    pub async fn acquire() -> Result<Self> {
        Self::on(pool::lease().await?).await
    }

    /// A further testbed if one is free at once.
    ///
    /// # Errors
    /// If a part cannot be built or does not start.
    pub async fn try_acquire() -> Result<Option<Self>> {
        match pool::try_lease().await? {
            Some(lease) => Ok(Some(Self::on(lease).await?)),
            None => Ok(None),
        }
    }

    /// The emulators and the gate in front of somebody else's API server, which
    /// is not wiped. For the playground.
    ///
    /// # Errors
    /// If a part cannot be built or does not start, or the kubeconfig is of no use.
    pub async fn with_kubeconfig(kubeconfig: &Path) -> Result<Self> {
        Self::on(pool::lease_with_kubeconfig(kubeconfig).await?).await
    }

    async fn on(lease: Lease) -> Result<Self> {
        let host = lease.host();
        Ok(Self {
            gate: host.gate.clone(),
            imds: host.imds.clone(),
            kube: kubernetes::client(&host.kubeconfig).await?,
            sdk: sdk_config(host.gate.bypass_url()).await,
            lease,
        })
    }

    /// A client with all rights. It lives as long as the test's runtime.
    #[must_use]
    pub fn kube(&self) -> kube::Client {
        self.kube.clone()
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.lease.host().kubeconfig
    }

    /// For setting up and reading back: straight to the emulators, so not recorded.
    #[must_use]
    pub fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// The same as a binary would have it: through the gate.
    pub async fn sdk_through_gate(&self) -> SdkConfig {
        sdk_config(self.gate.url()).await
    }

    /// The emulators themselves, for their settings.
    #[must_use]
    pub fn emulators(&self) -> &Emulators {
        &self.lease.host().emulators
    }

    /// A folder for the test's files, emptied with the testbed.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn scratch(&self) -> Result<PathBuf> {
        let folder = self.lease.host().folder.join("scratch");
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// A Python interpreter with boto3, a client that no one here wrote.
    ///
    /// # Errors
    /// If it cannot be installed.
    pub async fn python(&self) -> Result<PathBuf> {
        tokio::task::spawn_blocking(python_interpreter).await?
    }

    /// `kubectl`, a client that no one here wrote.
    ///
    /// # Errors
    /// If it cannot be installed.
    pub async fn kubectl(&self) -> Result<PathBuf> {
        tokio::task::spawn_blocking(kubectl_binary).await?
    }

    /// A ServiceAccount that is there, as a client of the API server.
    ///
    /// # Errors
    /// If it is not there.
    pub async fn service_account(&self, namespace: &str, name: &str) -> Result<ServiceAccount> {
        ServiceAccount::new(self, namespace, name).await
    }

    /// Runs a script of `emulators/js` with the AWS SDK for JavaScript, a client
    /// that no one here wrote, and this environment alone: what it prints.
    /// `None`, and a line on stderr, where there is no Node.js or no npm registry.
    ///
    /// # Errors
    /// With the script's output, if it fails.
    pub async fn javascript(&self, script: &str, env: &[(&str, &str)]) -> Result<Option<String>> {
        let folder = match tokio::task::spawn_blocking(node::packages).await? {
            Ok(folder) => folder,
            Err(error) => {
                let error = format!("{error:#}").replace('\n', " ");
                progress(&format!(
                    "skipped: {script} with the SDK for JavaScript needs {error}"
                ));
                return Ok(None);
            }
        };
        let mut command = tokio::process::Command::new("node");
        command.arg(folder.join(script)).env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        let output = command.envs(env.iter().copied()).output().await?;
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        ensure!(
            output.status.success(),
            "{script}: {}{}",
            said(&output.stdout),
            said(&output.stderr)
        );
        Ok(Some(said(&output.stdout)))
    }

    /// Applies every document of `yaml` server-side, namespaces that are
    /// missing included; where a document has a `status`, that too.
    ///
    /// # Errors
    /// If a document is not a Kubernetes object, or the API server refuses it.
    pub async fn apply_yaml(&self, yaml: &str) -> Result<()> {
        apply::yaml(&self.kube, yaml).await
    }

    /// Forgets everything, as between two tests.
    ///
    /// # Errors
    /// If a part does not answer.
    pub async fn wipe(&self) -> Result<()> {
        let host = Arc::clone(self.lease.host());
        pool::in_background(async move || host.wipe().await)
            .await
            .context("wipe")
    }

    /// A command line for one of the four binaries, to be changed before it runs.
    ///
    /// # Errors
    /// If the binary cannot be built.
    pub async fn command(&self, binary: &'static str) -> Result<Command> {
        Command::new(self, binary).await
    }

    /// Runs a binary to its end (two minutes at most).
    ///
    /// # Errors
    /// If it cannot be built or started, or does not end.
    pub async fn run(&self, binary: &'static str, args: &[&str]) -> Result<Finished> {
        self.command(binary).await?.args(args).run().await
    }

    /// Starts a binary beside the test.
    ///
    /// # Errors
    /// If it cannot be built or started.
    pub async fn spawn(&self, binary: &'static str, args: &[&str]) -> Result<Process> {
        self.command(binary).await?.args(args).spawn()
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        let errors = self.gate.internal_errors();
        if !errors.is_empty() && !std::thread::panicking() {
            panic!(
                "an emulator answered 500, so this test proves nothing:\n{}\n{}",
                errors.join("\n"),
                self.lease.host().processes.moto_log_tail()
            );
        }
    }
}

async fn sdk_config(endpoint: &str) -> SdkConfig {
    use aws_smithy_http_client::{Builder, tls};
    let credentials = Credentials::new("testbed", "testbed", None, None, "testbed");
    let tls = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(Region::from_static(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint)
        .http_client(Builder::new().tls_provider(tls).build_https())
        .load()
        .await
}
