//! The gate: the one endpoint for `AWS_ENDPOINT_URL` between the binaries and
//! the emulators.
//!
//! It routes by the service in the SigV4 credential scope, records every call,
//! enforces the real rates, injects faults by plan, and can stop the world
//! after call n. What Route 53 refuses and MiniStack lets through is refused
//! here.

mod answer;
mod call;
mod fault;
mod limits;
mod record;
mod request;
mod route53;
mod server;
mod xml;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

pub use call::{Call, Outcome};
pub use fault::{Fault, FaultKind};
pub use limits::TokenBucket;

use crate::testbed::Emulators;
use record::Record;
use server::Server;

/// The handle of a testbed's gate. Clones are the same gate.
#[derive(Clone)]
pub struct Gate {
    server: Arc<Server>,
    url: String,
    bypass: String,
}

impl Gate {
    /// Starts the gate on the current runtime.
    pub(crate) async fn start(emulators: Emulators) -> Result<Self> {
        let server = Arc::new(Server::new(emulators));
        let url = server::listen(&server, true).await?;
        let bypass = server::listen(&server, false).await?;
        Ok(Self {
            server,
            url,
            bypass,
        })
    }

    /// For `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same emulators without recording, rates and faults: for set-up and reading back.
    #[must_use]
    pub fn bypass_url(&self) -> &str {
        &self.bypass
    }

    /// Every call since the testbed was acquired or [`Gate::clear`], in the order of arrival.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.record().calls()
    }

    /// The calls that change something at AWS, or would have.
    #[must_use]
    pub fn writes(&self) -> Vec<Call> {
        let mut calls = self.calls();
        calls.retain(Call::is_write);
        calls
    }

    /// The calls of one action.
    #[must_use]
    pub fn calls_of(&self, action: &str) -> Vec<Call> {
        let mut calls = self.calls();
        calls.retain(|call| call.action == action);
        calls
    }

    /// Forgets the calls; their numbers begin at 1 again. Faults, rates and a
    /// stop stay.
    pub fn clear(&self) {
        self.record().clear();
    }

    /// Plans a fault. The first one that matches a call is used for it.
    pub fn fault(&self, fault: Fault) {
        self.record().plan(fault);
    }

    /// Takes all planned faults back.
    pub fn clear_faults(&self) {
        self.record().clear_faults();
    }

    /// How many calls the rates have refused; throttling by a planned fault does not count.
    #[must_use]
    pub fn throttled(&self) -> usize {
        let refused = |call: &&Call| call.outcome == Outcome::Throttled;
        self.calls().iter().filter(refused).count()
    }

    /// Puts a bucket of `burst` calls, refilled with `per_second`, over the
    /// actions of `service` that begin with `prefix`, in place of the real rate.
    pub fn rate(&self, service: &str, prefix: &str, burst: u32, per_second: f64) {
        self.record().rate(service, prefix, burst, per_second);
    }

    /// From now on: the `n`th call is carried out but its answer never arrives,
    /// and nothing after it is let through until [`Gate::resume`]. Calls that
    /// the rates or a fault refuse do not count. With 0, nothing is let through
    /// from now on.
    pub fn stop_after(&self, n: usize) {
        self.record().stop_after(n);
    }

    /// Waits until the call that [`Gate::stop_after`] named has been carried out.
    pub async fn stopped(&self) {
        self.record().stopped().await;
    }

    /// Lets calls through again. Those that were held get their connection cut.
    pub fn resume(&self) {
        self.record().resume();
    }

    /// Waits until the emulators have answered everything that was let through.
    pub async fn quiet(&self) {
        self.record().quiet().await;
    }

    /// What the emulators answered with a status of 500: an action or a filter
    /// that they do not have, so the test that caused it proves nothing. A
    /// testbed that is given back with one of these fails its test.
    #[must_use]
    pub fn internal_errors(&self) -> Vec<String> {
        self.record().internal_errors()
    }

    /// Makes [`Gate::internal_errors`] forget, for a test that is about them.
    pub fn forgive_internal_errors(&self) {
        self.record().forgive_internal_errors();
    }

    /// Waits until `enough` holds for the calls so far.
    ///
    /// # Errors
    /// With the calls that there were, after `timeout`.
    pub async fn wait_for(
        &self,
        timeout: Duration,
        enough: impl Fn(&[Call]) -> bool,
    ) -> Result<Vec<Call>> {
        let wait = async {
            loop {
                let calls = self.calls();
                if enough(&calls) {
                    return calls;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(timeout, wait).await.map_err(|_| {
            let calls: Vec<String> = self.calls().iter().map(ToString::to_string).collect();
            anyhow::anyhow!("waited in vain; calls so far:\n{}", calls.join("\n"))
        })
    }

    pub(crate) fn reset(&self) {
        self.record().reset();
    }

    fn record(&self) -> &Record {
        &self.server.record
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("url", &self.url).finish()
    }
}
