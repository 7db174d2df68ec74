//! The Kubernetes client.

mod client;
mod limits;

use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::time::Instant;

use crate::{CommonArgs, StartError};

/// How long the API server is looked for.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(500);

/// Makes `ring` the process's TLS cryptography, which both the Kubernetes and
/// the AWS client ask for. A second call changes nothing.
pub fn install_crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A client for the cluster of `--kubeconfig`, otherwise of the variable
/// `KUBECONFIG`, otherwise of the pod this process runs in. The server has
/// answered once.
///
/// With `patient`, a server that does not answer is asked again for ten
/// seconds: at the start of a node it may come a little later than its pods.
///
/// # Errors
///
/// The file cannot be read or used, there is no pod around, or the server does
/// not answer: one line that names what was tried.
pub async fn connect(common: &CommonArgs, patient: bool) -> Result<kube::Client, StartError> {
    let (config, source) = find_config(common).await?;
    connect_to(config, &source, patient).await
}

/// As [`connect`], for a configuration that was made from other flags; `source` names them.
///
/// # Errors
///
/// As [`connect`].
pub async fn connect_to(
    config: kube::Config,
    source: &str,
    patient: bool,
) -> Result<kube::Client, StartError> {
    install_crypto();
    let url = config.cluster_url.clone();
    let client = client::client(&config, limits::Limits::default())
        .map_err(|error| StartError::new(format_args!("Kubernetes client ({source}): {error}")))?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let asked = tokio::time::timeout_at(deadline, client.apiserver_version()).await;
        let error = match asked {
            Ok(Ok(version)) => {
                tracing::debug!(%url, version = version.git_version, "Kubernetes API server");
                return Ok(client);
            }
            Ok(Err(error)) => describe(&error),
            Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        };
        if !patient || Instant::now() + PAUSE >= deadline {
            return Err(StartError::new(format_args!(
                "the Kubernetes API server {url} ({source}) cannot be reached: {error}"
            )));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn find_config(common: &CommonArgs) -> Result<(kube::Config, String), StartError> {
    let variable = std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty());
    let (kubeconfig, source) = if let Some(path) = &common.kubeconfig {
        (
            Kubeconfig::read_from(path),
            format!("--kubeconfig {}", path.display()),
        )
    } else if let Some(value) = variable {
        let source = format!("KUBECONFIG {}", value.to_string_lossy());
        (Kubeconfig::read(), source)
    } else {
        let config = kube::Config::incluster().map_err(|error| {
            StartError::new(format_args!(
                "no cluster: neither --kubeconfig nor KUBECONFIG is set, and this is no pod ({})",
                chain(&error)
            ))
        })?;
        return Ok((config, "service account of the pod".to_owned()));
    };
    let unusable = |error: &dyn std::error::Error| {
        StartError::new(format_args!("kubeconfig ({source}): {}", chain(error)))
    };
    let kubeconfig = kubeconfig.map_err(|error| unusable(&error))?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|error| unusable(&error))?;
    Ok((config, source))
}

/// An error of the Kubernetes client in one line: the server's own words, or the innermost cause.
pub(crate) fn describe(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} ({})", status.message, status.code),
        other => chain(other),
    }
}

/// The message of an error and of its innermost cause.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let (outer, inner) = (error.to_string(), innermost.to_string());
    let text = if outer.contains(&inner) {
        outer
    } else {
        format!("{outer}: {inner}")
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeServer;
    use crate::{ListenAddress, LogFormat, LogLevel};

    fn common(kubeconfig: std::path::PathBuf) -> CommonArgs {
        CommonArgs {
            kubeconfig: Some(kubeconfig),
            cluster_id: None,
            log_level: LogLevel::Info,
            log_format: LogFormat::Text,
            otlp_endpoint: None,
            metrics_address: ListenAddress::port(0),
        }
    }

    /// A kubeconfig in a file of this test's own.
    fn kubeconfig(name: &str, server: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("isthmus-{}-{name}", std::process::id()));
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
             contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {{server: '{server}'}}}}]\n\
             users: [{{name: u, user: {{}}}}]\n"
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    async fn failure(path: &std::path::Path) -> String {
        let error = connect(&common(path.to_owned()), false)
            .await
            .err()
            .unwrap();
        let _ = std::fs::remove_file(path);
        error.to_string()
    }

    #[tokio::test]
    async fn a_server_that_answers_is_connected_to() {
        let version = r#"{"major":"1","minor":"34","gitVersion":"v1.34.0","gitCommit":"","gitTreeState":"","buildDate":"","goVersion":"","compiler":"","platform":""}"#;
        let server = FakeServer::start(move |_| Some((200, version.to_owned()))).await;
        let path = kubeconfig("good", &format!("http://{}", server.address));
        assert!(connect(&common(path.clone()), false).await.is_ok());
        std::fs::remove_file(path).unwrap();
        assert_eq!(server.asked()[0].path, "/version");
    }

    #[tokio::test]
    async fn what_was_tried_is_in_one_line() {
        let port = {
            let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            closed.local_addr().unwrap()
        };
        let path = kubeconfig("closed", &format!("http://{port}"));
        let error = failure(&path).await;
        let said = format!(
            "the Kubernetes API server http://{port}/ (--kubeconfig {}) cannot be reached: ",
            path.display()
        );
        assert!(error.starts_with(&said), "{error}");
        assert!(
            error.contains("Connection refused") && !error.contains('\n'),
            "{error}"
        );

        let absent = std::path::Path::new("no/such/file");
        let error = failure(absent).await;
        assert!(
            error.starts_with("kubeconfig (--kubeconfig no/such/file): "),
            "{error}"
        );
        assert!(error.contains("No such file"), "{error}");
    }
}
