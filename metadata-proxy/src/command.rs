//! What the process is asked to do: serve, or one of the commands for operators.

use std::ffi::OsString;
use std::process::ExitCode;

use isthmus_runtime::{Exit, Metrics, StartError};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, Pod as KubePod};
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use metadata_proxy_core::{Directory, PodIndex, explain};

use crate::config::Config;
use crate::imds::Imds;
use crate::metrics::ProxyMetrics;
use crate::netfilter::Netfilter;
use crate::{cluster, discover, watch};

/// The first words of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Nothing but flags.
    Serve,
    /// `redirect install|check|remove`
    Redirect(RedirectAction),
    /// `explain <namespace>/<pod>`
    Explain {
        /// The pod's namespace.
        namespace: String,
        /// The pod's name.
        pod: String,
    },
}

/// What to do with the redirection's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RedirectAction {
    Install,
    Check,
    Remove,
}

impl Command {
    /// Takes the command out of a command line; flags are left.
    pub(crate) fn split(
        argv: impl IntoIterator<Item = OsString>,
    ) -> Result<(Self, Vec<OsString>), Exit> {
        let mut argv: Vec<OsString> = argv.into_iter().collect();
        let word = |at: usize| {
            argv.get(at)
                .and_then(|word| word.to_str())
                .unwrap_or_default()
        };
        let wrong = |text: String| Exit { code: 2, text };
        let command = match (word(1), word(2)) {
            ("redirect", "install") => Self::Redirect(RedirectAction::Install),
            ("redirect", "check") => Self::Redirect(RedirectAction::Check),
            ("redirect", "remove") => Self::Redirect(RedirectAction::Remove),
            ("redirect", "--help" | "-h") | ("explain", "--help" | "-h") => {
                argv.remove(1);
                return Ok((Self::Serve, argv));
            }
            ("redirect", other) => {
                return Err(wrong(format!(
                    "redirect: {other:?} is not allowed; allowed: install, check, remove\n"
                )));
            }
            ("explain", name) => match name.split_once('/') {
                Some((namespace, pod)) if !namespace.is_empty() && !pod.is_empty() => {
                    Self::Explain {
                        namespace: namespace.to_owned(),
                        pod: pod.to_owned(),
                    }
                }
                _ => {
                    return Err(wrong(format!(
                        "explain: {name:?} is not allowed; allowed: NAMESPACE/POD\n"
                    )));
                }
            },
            _ => return Ok((Self::Serve, argv)),
        };
        argv.drain(1..3);
        Ok((command, argv))
    }
}

/// `redirect …`: 0 if the rules are as asked for.
pub(crate) async fn redirect(
    action: RedirectAction,
    config: &Config,
) -> Result<ExitCode, StartError> {
    let metrics = ProxyMetrics::new(&Metrics::new());
    let netfilter = Netfilter::new(config.redirects.clone(), metrics);
    match action {
        RedirectAction::Install => netfilter.install().await?,
        RedirectAction::Remove => netfilter.remove().await?,
        RedirectAction::Check => {
            if !netfilter.are_in_place().await? {
                println!("the redirection's rules are not in place");
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `explain …`: 0 if the pod gets credentials.
pub(crate) async fn explain_pod(
    namespace: &str,
    name: &str,
    config: &Config,
) -> Result<ExitCode, StartError> {
    let client = cluster::client(&config.cluster, &config.common).await?;
    let failed =
        |error: kube::Error| StartError::new(format_args!("Pod {namespace}/{name}: {error}"));
    let object = Api::<KubePod>::namespaced(client.clone(), namespace)
        .get(name)
        .await
        .map_err(failed)?;
    let subject =
        watch::pod(&object, &config.keys).ok_or("the API server gave a pod without a UID")?;
    let mut directory = Directory {
        pods: PodIndex::new(config.host_addresses.iter().copied()),
        rules: discover::rules(&config.roles, &Imds::new(config.imds.clone())).await?,
        ..Directory::default()
    };
    let node = object
        .spec
        .and_then(|spec| spec.node_name)
        .unwrap_or_default();
    let neighbours = ListParams::default().fields(&format!("spec.nodeName={node}"));
    let neighbours = Api::<KubePod>::all(client.clone())
        .list(&neighbours)
        .await
        .map_err(failed)?;
    for neighbour in neighbours
        .items
        .iter()
        .filter_map(|object| watch::pod(object, &config.keys))
    {
        directory.pods.apply(neighbour);
    }
    if let Some(format) = directory.rules.restrictions {
        let object = Api::<Namespace>::all(client)
            .get(namespace)
            .await
            .map_err(failed)?;
        let list = object
            .annotations()
            .get(&config.keys.allowed_roles)
            .map(String::as_str);
        if let Err(error) = directory.namespaces.apply(namespace, list, format) {
            println!(
                "annotation {} of namespace {namespace}: {error}",
                config.keys.allowed_roles
            );
        }
    }
    let explanation = explain(&directory, &subject, Timestamp::now());
    for line in &explanation.lines {
        println!("{line}");
    }
    Ok(if explanation.served {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Result<(Command, Vec<String>), Exit> {
        let argv = line.split_whitespace().map(Into::into);
        let (command, rest) = Command::split(argv)?;
        Ok((
            command,
            rest.into_iter()
                .map(|word| word.into_string().unwrap())
                .collect(),
        ))
    }

    #[test]
    fn commands_come_first() {
        let (command, rest) = split("proxy redirect install --host-ip=10.0.0.1").unwrap();
        assert_eq!(command, Command::Redirect(RedirectAction::Install));
        assert_eq!(rest, ["proxy", "--host-ip=10.0.0.1"]);
        let (command, rest) = split("proxy explain shop/web").unwrap();
        assert_eq!(
            command,
            Command::Explain {
                namespace: "shop".into(),
                pod: "web".into()
            }
        );
        assert_eq!(rest, ["proxy"]);
        assert_eq!(
            split("proxy --iptables").unwrap(),
            (Command::Serve, vec!["proxy".into(), "--iptables".into()])
        );
        assert_eq!(
            split("proxy explain --help").unwrap().1,
            ["proxy", "--help"]
        );
        for wrong in [
            "proxy redirect",
            "proxy redirect away",
            "proxy explain",
            "proxy explain web",
            "proxy explain /web",
        ] {
            assert_eq!(split(wrong).unwrap_err().code, 2, "{wrong}");
        }
    }
}
