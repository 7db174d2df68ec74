//! What the process is asked to do: serve, or one of the commands for operators.

use std::ffi::OsString;
use std::process::ExitCode;

use isthmus_runtime::{Exit, Metrics, StartError};
use jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use metadata_proxy_core::{Directory, Pod, PodIndex, ServiceAccounts, TokenVolume, explain};

use crate::config::Config;
use crate::imds::Imds;
use crate::kubelet::KubeletRoot;
use crate::metrics::ProxyMetrics;
use crate::netfilter::Netfilter;
use crate::slim::{Namespace, Pod as KubePod, ServiceAccount};
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
    let pods = Api::<KubePod>::namespaced(client.clone(), namespace);
    let object = cluster::find(&pods, name).await.map_err(failed)?;
    let object = object.ok_or_else(|| {
        StartError::new(format_args!("Pod {namespace}/{name}: there is no such pod"))
    })?;
    let subject =
        watch::pod(&object, &config.keys).ok_or("the API server gave a pod without a UID")?;
    let mut directory = Directory {
        pods: PodIndex::new(config.host_addresses.iter().copied()),
        rules: discover::rules(&config.roles, &Imds::new(config.imds.clone())).await?,
        ..Directory::default()
    };
    let node = object.spec.node_name.unwrap_or_default();
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
    if config.roles.of_service_accounts {
        account(&mut directory, &client, &subject, &config.keys.role).await?;
    }
    if let Some(format) = directory.rules.restrictions {
        let namespaces = Api::<Namespace>::all(client);
        let object = cluster::find(&namespaces, namespace)
            .await
            .map_err(failed)?;
        let annotations = object.as_ref().map(ResourceExt::annotations);
        let list = annotations.and_then(|all| all.get(&config.keys.allowed_roles));
        let list = list.map(String::as_str);
        if let Err(error) = directory.namespaces.apply(namespace, list, format) {
            println!(
                "annotation {} of namespace {namespace}: {error}",
                config.keys.allowed_roles
            );
        }
    }
    let kubelet = KubeletRoot::new(config.credentials.kubelet_root.clone());
    let look = |token: &TokenVolume, uid: &str| look(&kubelet, token, uid);
    let explanation = explain(&directory, &subject, Timestamp::now(), &look);
    for line in &explanation.lines {
        println!("{line}");
    }
    Ok(if explanation.served {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The pod's service account, if it may be read.
async fn account(
    directory: &mut Directory,
    client: &kube::Client,
    pod: &Pod,
    key: &str,
) -> Result<(), StartError> {
    let (namespace, name) = (&pod.namespace, pod.account());
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), namespace);
    match cluster::find(&accounts, name).await {
        Ok(object) => {
            directory.service_accounts = ServiceAccounts::watched();
            if let Some(object) = object {
                let role = object.annotations().get(key).map(String::as_str);
                directory.service_accounts.apply(namespace, name, role);
            }
            Ok(())
        }
        Err(kube::Error::Api(status)) if status.code == 403 => {
            println!(
                "service account {namespace}/{name} may not be read: its annotation is not looked at"
            );
            Ok(())
        }
        Err(error) => Err(StartError::new(format_args!(
            "ServiceAccount {namespace}/{name}: {error}"
        ))),
    }
}

/// What there is to say of the file of a pod's token.
fn look(kubelet: &KubeletRoot, token: &TokenVolume, uid: &str) -> Result<String, String> {
    let place = kubelet.shown(token, uid);
    if !kubelet.has_pods() {
        return Ok(format!(
            "its token is looked for at {place}, on its node: this is not it, or the kubelet's folder is not mounted here"
        ));
    }
    match kubelet.token(token, uid) {
        Ok(_) => Ok(format!("its token is at {place}")),
        Err(error) => Err(format!("its token {place} cannot be read: {error}")),
    }
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
