//! The examples, and the part of the kubelet: there is none, so the playground
//! places the pods and says that they run.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize as _;
use serde_json::{Value, json};

/// The Node that the metadata proxy of the playground serves.
pub(super) const NODE: &str = "playground";

/// That Node. It is no target of load balancers, and with it a cluster that
/// deletes the pods of Nodes that are gone leaves ours alone.
pub(super) fn node() -> String {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": NODE, "labels": {
            "node.kubernetes.io/exclude-from-external-load-balancers": "true",
        }},
        "status": {"conditions": [{
            "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "",
        }]},
    })
    .to_string()
}

/// The address of the first pod. All of 127.0.0.0/8 is this machine, so a client
/// that binds such an address is that pod.
const FIRST_POD: [u8; 4] = [127, 0, 10, 1];

/// The files of `docs/examples` by name, with each pod placed on [`NODE`] and running.
pub(super) fn examples() -> Result<Vec<(String, String)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "yaml") {
            files.push(path);
        }
    }
    files.sort();
    let mut pods = 0;
    let mut examples = Vec::new();
    for path in files {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let yaml = std::fs::read_to_string(&path)?;
        examples.push((name, placed(&yaml, &mut pods)?));
    }
    Ok(examples)
}

/// The same documents, with pods placed and running.
fn placed(yaml: &str, pods: &mut u8) -> Result<String> {
    let mut out = String::new();
    for document in serde_yaml_ng::Deserializer::from_str(yaml) {
        let mut object = Value::deserialize(document).context("parse the YAML")?;
        if object["kind"] == "Pod" {
            let [a, b, c, d] = FIRST_POD;
            let ip = format!("{a}.{b}.{c}.{}", d + *pods);
            *pods += 1;
            object["spec"]["nodeName"] = json!(NODE);
            object["status"] = json!({
                "phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
                "conditions": [{"type": "Ready", "status": "True"}],
            });
        }
        out.push_str("---\n");
        out.push_str(&serde_yaml_ng::to_string(&object)?);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_run_and_the_rest_stays() {
        let mut pods = 0;
        let yaml =
            "kind: Pod\nspec: {}\n---\nkind: Service\nspec: {a: 1}\n---\nkind: Pod\nspec: {}\n";
        let out = placed(yaml, &mut pods).unwrap();
        assert_eq!(pods, 2);
        assert!(
            out.contains("podIP: 127.0.10.1") && out.contains("podIP: 127.0.10.2"),
            "{out}"
        );
        assert!(out.contains("kind: Service\nspec:\n  a: 1\n---"), "{out}");
    }

    #[test]
    fn there_are_examples() {
        let names: Vec<_> = examples()
            .unwrap()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["app.yaml", "egress.yaml"]);
    }
}
