//! The redirection's rules: put in place, looked at again and again, repaired.

use std::net::IpAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use isthmus_runtime::StartError;
use metadata_proxy_core::{Redirect, removal, stale};
use tokio_util::sync::CancellationToken;

use crate::metrics::ProxyMetrics;

/// A repair that another program undoes at once is given up until the next look.
const TRIES: u32 = 3;

/// The rules of both families. Clones share their state.
#[derive(Clone, Debug)]
pub(crate) struct Netfilter {
    redirects: Arc<Vec<Redirect>>,
    in_place: Arc<AtomicBool>,
    metrics: ProxyMetrics,
}

/// Why the rules are not in place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum NetfilterError {
    #[error("{0}: {1}")]
    NotRun(&'static str, String),
    #[error("{program} {arguments}: {said}")]
    Failed {
        program: &'static str,
        arguments: String,
        said: String,
    },
    #[error("{0}: another program takes the rule away again")]
    Undone(&'static str),
}

impl Netfilter {
    pub(crate) fn new(redirects: Vec<Redirect>, metrics: ProxyMetrics) -> Self {
        let nothing_to_do = redirects.is_empty();
        Self {
            redirects: Arc::new(redirects),
            in_place: Arc::new(AtomicBool::new(nothing_to_do)),
            metrics,
        }
    }

    /// Puts the rules in place for the first time.
    pub(crate) async fn install(&self) -> Result<(), StartError> {
        let looked = self.look().await;
        looked.map(drop).map_err(|error| as_start_error(&error))
    }

    /// Whether they were in place at the last look.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self.in_place.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Err("the redirection's rules are not in place".to_owned()),
        }
    }

    /// Looks at the rules every so often until `shutdown`. They stay when the process ends.
    pub(crate) async fn keep(self, every: Duration, shutdown: CancellationToken) {
        while !self.redirects.is_empty() {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = shutdown.cancelled() => return,
            }
            match self.look().await {
                Ok(false) => {}
                Ok(true) => {
                    tracing::warn!("the redirection's rules had been changed, and were put right");
                    self.metrics.redirect_repaired();
                }
                Err(error) => tracing::error!("the redirection's rules are not in place: {error}"),
            }
        }
    }

    /// Whether they are in place now; nothing is changed.
    pub(crate) async fn are_in_place(&self) -> Result<bool, StartError> {
        let redirects = self.redirects.clone();
        let all = move || {
            for redirect in redirects.iter().filter(|redirect| is_needed(redirect)) {
                if !redirect.in_place(&list(program(redirect))?) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        blocking(all).await.map_err(|error| as_start_error(&error))
    }

    /// Takes the rules away.
    pub(crate) async fn remove(&self) -> Result<(), StartError> {
        let redirects = self.redirects.clone();
        let all = move || {
            redirects
                .iter()
                .filter(|redirect| is_needed(redirect))
                .try_for_each(take_away)
        };
        blocking(all).await.map_err(|error| as_start_error(&error))
    }

    /// Puts right what is wrong; whether something was.
    async fn look(&self) -> Result<bool, NetfilterError> {
        let redirects = self.redirects.clone();
        let all = move || {
            let mut changed = false;
            for redirect in redirects.iter().filter(|redirect| is_needed(redirect)) {
                changed |= put(redirect)?;
            }
            Ok(tidy(&redirects)? || changed)
        };
        let looked = blocking(all).await;
        self.in_place.store(looked.is_ok(), Ordering::Relaxed);
        looked
    }
}

fn as_start_error(error: &NetfilterError) -> StartError {
    StartError::new(format_args!("--iptables: {error}"))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NetfilterError> + Send + 'static,
) -> Result<T, NetfilterError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(NetfilterError::NotRun("iptables", error.to_string())))
}

/// The rule for IPv6 is not, on a node that has no such address but its own
/// links': nothing leaves it towards the metadata's IPv6 address.
fn is_needed(redirect: &Redirect) -> bool {
    redirect.metadata.is_ipv4() || node_has_ipv6()
}

/// Whether an interface has an IPv6 address of global scope, by the kernel's
/// list: address, index, length, scope, flags, name.
fn node_has_ipv6() -> bool {
    let list = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    list.lines()
        .any(|line| line.split_whitespace().nth(3) == Some("00"))
}

/// Puts one rule in place, first and once; whether it was not.
fn put(redirect: &Redirect) -> Result<bool, NetfilterError> {
    let program = program(redirect);
    for tried in 0..TRIES {
        let commands = redirect.repair(&list(program)?);
        if commands.is_empty() {
            return Ok(tried > 0);
        }
        for command in &commands {
            tracing::info!("{program} -t nat {}", command.join(" "));
            run(program, command)?;
        }
    }
    Err(NetfilterError::Undone(program))
}

/// Takes the rules away that an earlier configuration has left behind; whether there were some.
fn tidy(redirects: &[Redirect]) -> Result<bool, NetfilterError> {
    let mut changed = false;
    let addresses: Vec<IpAddr> = redirects.iter().map(|redirect| redirect.metadata).collect();
    let mut programs: Vec<&'static str> = redirects
        .iter()
        .filter(|redirect| is_needed(redirect))
        .map(program)
        .collect();
    programs.sort_unstable();
    programs.dedup();
    for program in programs {
        for command in stale(&addresses, &list(program)?) {
            tracing::info!("{program} -t nat {}", command.join(" "));
            run(program, &command)?;
            changed = true;
        }
    }
    Ok(changed)
}

/// Takes every rule of ours of one family away.
fn take_away(redirect: &Redirect) -> Result<(), NetfilterError> {
    let program = program(redirect);
    for command in removal(&list(program)?) {
        run(program, &command)?;
    }
    Ok(())
}

fn program(redirect: &Redirect) -> &'static str {
    if redirect.metadata.is_ipv4() {
        "iptables"
    } else {
        "ip6tables"
    }
}

fn list(program: &'static str) -> Result<String, NetfilterError> {
    run(program, &["-S".to_owned(), "PREROUTING".to_owned()])
}

/// Runs `iptables -w 5 -t nat …`: `-w` waits for the lock that kube-proxy and others take too.
fn run(program: &'static str, arguments: &[String]) -> Result<String, NetfilterError> {
    let output = Command::new(program)
        .args(["-w", "5", "-t", "nat"])
        .args(arguments)
        .output()
        .map_err(|error| NetfilterError::NotRun(program, error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(NetfilterError::Failed {
        program,
        arguments: arguments.join(" "),
        said: said.split_whitespace().collect::<Vec<_>>().join(" "),
    })
}
