//! The AWS emulators: moto behind our launcher, and MiniStack for Route 53.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use hyper::Method;

use super::child::{Child, guarded};
use super::{ports, python};
use crate::{ACCOUNT, REGION, http};

/// What tests may change in the emulators' behaviour. Wiping restores the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmulatorSettings {
    /// How long a new NAT gateway is `pending`; of those there are, too.
    pub nat_pending: Duration,
    /// How long a NAT gateway that goes is `deleting`; of those there are, too.
    pub nat_deleting: Duration,
    /// How long a new load balancer is `provisioning`.
    pub load_balancer_provisioning: Duration,
    /// How many items EC2 puts on a page of its lists; 0: all of them.
    pub ec2_page_size: usize,
    /// How many items ELBv2, ACM and IAM put on a page of their lists; 0: as AWS does.
    pub list_page_size: usize,
    /// NAT gateways made from now on end as `failed` with this `FailureCode`
    /// and `FailureMessage`.
    pub nat_failure: Option<(String, String)>,
    /// The `TargetHealth.State` of registered targets, with its reason
    /// (`unhealthy`, `Target.FailedHealthChecks`); `None`: what moto says.
    pub target_health: Option<(String, String)>,
}

impl Default for EmulatorSettings {
    fn default() -> Self {
        Self {
            nat_pending: Duration::from_millis(300),
            nat_deleting: Duration::from_millis(300),
            load_balancer_provisioning: Duration::from_millis(300),
            ec2_page_size: 0,
            list_page_size: 0,
            nat_failure: None,
            target_health: None,
        }
    }
}

/// The emulators of one testbed.
#[derive(Clone, Debug)]
pub struct Emulators {
    moto: String,
    ministack: String,
}

/// Their processes.
pub(crate) struct EmulatorProcesses {
    moto: Child,
    _ministack: Child,
}

impl EmulatorProcesses {
    /// The end of moto's log, where a status of 500 is explained.
    pub(crate) fn moto_log_tail(&self) -> String {
        self.moto.log_tail()
    }
}

impl Emulators {
    /// Starts both and waits until they answer, moto's slow first EC2 call included.
    pub(crate) async fn start(folder: &Path) -> Result<(Self, EmulatorProcesses)> {
        let python = tokio::task::spawn_blocking(python::interpreter).await??;
        let (moto_port, ministack_port) = (ports::free_port()?, ports::free_port()?);
        let emulators = Self {
            moto: format!("http://127.0.0.1:{moto_port}"),
            ministack: format!("http://127.0.0.1:{ministack_port}"),
        };
        let mut command = guarded(&python, None);
        command
            .arg(python::emulators().join("moto_launcher.py"))
            .arg(moto_port.to_string())
            .env("AWS_DEFAULT_REGION", REGION)
            .env("MOTO_ACCOUNT_ID", ACCOUNT)
            .env("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
            .env("PYTHONDONTWRITEBYTECODE", "1");
        let moto = Child::spawn("moto", command, &folder.join("moto.log"))?;
        let mut command = guarded(&python, None);
        command
            .args(["-m", "ministack"])
            .current_dir(folder)
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", ministack_port.to_string())
            .env("MINISTACK_REGION", REGION)
            .env("MINISTACK_ACCOUNT_ID", ACCOUNT);
        let ministack = Child::spawn("MiniStack", command, &folder.join("ministack.log"))?;
        // The launcher listens only once it is warm.
        let health = format!("{}/_isthmus/health", emulators.moto);
        moto.wait_until(|| answers(&health)).await?;
        let health = format!("{}/_localstack/health", emulators.ministack);
        ministack.wait_until(|| answers(&health)).await?;
        let processes = EmulatorProcesses {
            moto,
            _ministack: ministack,
        };
        Ok((emulators, processes))
    }

    /// Where everything but Route 53 is.
    #[must_use]
    pub fn moto(&self) -> &str {
        &self.moto
    }

    /// Where Route 53 is.
    #[must_use]
    pub fn ministack(&self) -> &str {
        &self.ministack
    }

    /// Changes how the emulators behave, until the next wipe.
    ///
    /// # Errors
    /// If moto does not answer.
    pub async fn configure(&self, settings: &EmulatorSettings) -> Result<()> {
        let failure = |pair: &Option<(String, String)>| serde_json::to_value(pair);
        let body = serde_json::json!({
            "nat_pending": settings.nat_pending.as_secs_f64(),
            "nat_deleting": settings.nat_deleting.as_secs_f64(),
            "load_balancer_provisioning": settings.load_balancer_provisioning.as_secs_f64(),
            "ec2_page_size": settings.ec2_page_size,
            "list_page_size": settings.list_page_size,
            "nat_failure": failure(&settings.nat_failure)?,
            "target_health": failure(&settings.target_health)?,
        });
        let url = format!("{}/_isthmus/settings", self.moto);
        let (status, answer) = http::post(&url, body.to_string()).await?;
        ensure!(status.is_success(), "{url}: {status} {answer}");
        Ok(())
    }

    /// Forgets everything and goes back to the default settings.
    pub(crate) async fn reset(&self) -> Result<()> {
        for url in [
            format!("{}/_isthmus/reset", self.moto),
            format!("{}/_ministack/reset", self.ministack),
        ] {
            let (status, answer) = http::send(Method::POST, &url, &[], String::new()).await?;
            ensure!(status.is_success(), "{url}: {status} {answer}");
        }
        self.configure(&EmulatorSettings::default()).await
    }
}

async fn answers(url: &str) -> bool {
    http::get(url)
        .await
        .is_ok_and(|(status, _)| status.is_success())
}
