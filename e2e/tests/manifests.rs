//! `manifests/` on a real API server, by a real kubectl.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Result, ensure};
use isthmus_e2e::Testbed;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../manifests")
        .join(name)
}

/// What kubectl says on stdout; an error if it does not end well.
async fn kubectl(testbed: &Testbed, args: &[&str]) -> Result<String> {
    let ended = tokio::process::Command::new(testbed.kubectl().await?)
        .arg(format!("--kubeconfig={}", testbed.kubeconfig().display()))
        .args(args)
        // Its cache of what the server can do is not for the user's folder.
        .arg("--cache-dir")
        .arg(testbed.scratch()?)
        .stdin(Stdio::null())
        .output()
        .await?;
    let said = String::from_utf8(ended.stdout)?;
    ensure!(
        ended.status.success(),
        "kubectl {args:?}\n{said}\n{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    Ok(said)
}

#[tokio::test]
async fn everything_is_applied_and_a_second_time_changes_nothing() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    for (name, objects) in [("", 30), ("overlays/eks", 30), ("overlays/kops", 30)] {
        let path = folder(name).display().to_string();
        let apply = ["apply", "--server-side", "--validate=strict", "-k", &path];
        let first = kubectl(&testbed, &apply).await?;
        assert!(first.lines().count() >= objects, "{name}: {first}");
        let diff = kubectl(&testbed, &["diff", "--server-side", "-k", &path]).await?;
        assert_eq!(diff, "", "{name} has something left to change");
    }
    Ok(())
}

/// Cluster Lifecycle Manager applies each `*.yaml` directly in a component's folder.
/// <https://github.com/zalando-incubator/cluster-lifecycle-manager>
#[tokio::test]
async fn a_folder_is_objects_and_nothing_else() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    kubectl(
        &testbed,
        &["apply", "-k", &folder("00-config").display().to_string()],
    )
    .await?;
    for component in ["ingress", "dns", "egress", "metadata-proxy"] {
        let path = folder(component).display().to_string();
        let applied = kubectl(&testbed, &["apply", "--validate=strict", "-f", &path]).await?;
        let files = std::fs::read_dir(&path)?.count();
        assert!(
            applied.lines().count() >= files - 1,
            "{component}: {applied}"
        );
    }
    Ok(())
}
