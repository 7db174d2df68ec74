//! What a provisioner applies fits together: the image, the manifests, the
//! configuration in its two forms, and the programs' flags.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use isthmus_e2e::binaries;
use serde::Deserialize as _;
use serde_json::{Value, json};

/// The folder of each program under `manifests`.
const COMPONENTS: [(&str, &str); 4] = [
    ("isthmus-ingress", "ingress"),
    ("isthmus-dns", "dns"),
    ("isthmus-egress", "egress"),
    ("isthmus-metadata-proxy", "metadata-proxy"),
];
const PROXY: &str = "isthmus-metadata-proxy";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(root().join(path)).with_context(|| path.to_owned())
}

/// The objects of a component's folder, by kind.
fn objects(folder: &str) -> Result<BTreeMap<String, Value>> {
    let mut objects = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("manifests").join(folder))? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        for document in serde_yaml_ng::Deserializer::from_str(&text) {
            let object = Value::deserialize(document)?;
            let kind = object["kind"].as_str().context("a kind")?.to_owned();
            objects.insert(kind, object);
        }
    }
    Ok(objects)
}

/// The Deployment or DaemonSet of a folder.
fn workload(folder: &str) -> Result<Value> {
    let mut objects = objects(folder)?;
    let found = objects.remove("Deployment");
    found
        .or_else(|| objects.remove("DaemonSet"))
        .context("a workload")
}

fn container(workload: &Value) -> &Value {
    &workload["spec"]["template"]["spec"]["containers"][0]
}

fn words(list: &Value) -> Vec<&str> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).collect()
}

#[test]
fn every_workload_is_confined_watched_and_measured() -> Result<()> {
    let sizes = read("docs/building.md")?;
    for (name, folder) in COMPONENTS {
        let workload = workload(folder)?;
        let (template, container) = (&workload["spec"]["template"], container(&workload));
        let (pod, inner) = (&template["spec"], &container["securityContext"]);
        let is_proxy = name == PROXY;
        assert_eq!(
            pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault",
            "{name}"
        );
        assert_eq!(inner["allowPrivilegeEscalation"], false, "{name}");
        assert_eq!(inner["readOnlyRootFilesystem"], true, "{name}");
        assert_eq!(inner["privileged"], Value::Null, "{name}");
        assert_eq!(inner["capabilities"]["drop"], json!(["ALL"]), "{name}");
        let added = if is_proxy {
            json!(["NET_ADMIN"])
        } else {
            Value::Null
        };
        assert_eq!(inner["capabilities"]["add"], added, "{name}");
        let host = if is_proxy { json!(true) } else { Value::Null };
        assert_eq!(pod["hostNetwork"], host, "{name}");
        for (probe, path) in [("readinessProbe", "/readyz"), ("livenessProbe", "/livez")] {
            let get = json!({"path": path, "port": "admin"});
            assert_eq!(container[probe]["httpGet"], get, "{name}");
        }
        for (resource, of) in [
            ("cpu", "requests"),
            ("memory", "requests"),
            ("memory", "limits"),
        ] {
            assert!(
                container["resources"][of][resource].is_string(),
                "{name}: {of} of {resource}"
            );
        }
        let of = |kind: &str| {
            let memory = container["resources"][kind]["memory"].as_str();
            memory.unwrap_or_default().replace("Mi", " MiB")
        };
        let row = format!("| {} | {} |", of("requests"), of("limits"));
        let told = sizes
            .lines()
            .any(|line| line.starts_with(&format!("| `{name}` |")) && line.ends_with(&row));
        assert!(told, "docs/building.md says what {name} may use: {row}");
        let scraped = json!({
            "prometheus.io/scrape": "true",
            "prometheus.io/port": "7979",
            "prometheus.io/path": "/metrics",
        });
        // On the Service alone: with both, Prometheus's usual jobs scrape each pod twice.
        let service = &objects(folder)?["Service"]["metadata"];
        assert_eq!(service["annotations"], scraped, "{name}");
        let annotations = &template["metadata"]["annotations"];
        assert_eq!(annotations, &Value::Null, "{name}");
        let priority = if is_proxy {
            "system-node-critical"
        } else {
            "system-cluster-critical"
        };
        assert_eq!(pod["priorityClassName"], priority, "{name}");
    }
    Ok(())
}

/// The proxy has neither: it is on each node, and in the host network, where no
/// NetworkPolicy applies.
#[test]
fn every_controller_has_a_second_replica_and_its_own_rules() -> Result<()> {
    for (name, folder) in COMPONENTS.into_iter().filter(|(name, _)| *name != PROXY) {
        let objects = objects(folder)?;
        let deployment = &objects["Deployment"]["spec"];
        assert_eq!(deployment["replicas"], 2, "{name}");
        let pod = &deployment["template"]["spec"];
        let args = words(&pod["containers"][0]["args"]);
        assert!(args.contains(&"--leader-elect"), "{name}: {args:?}");
        let spread = pod["topologySpreadConstraints"].as_array();
        let spread = spread.context("it is spread")?.iter();
        let keys: Vec<_> = spread.map(|one| &one["topologyKey"]).collect();
        assert_eq!(
            keys,
            ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
        );
        let selector = &deployment["selector"]["matchLabels"];
        assert_eq!(selector, &json!({"app.kubernetes.io/name": name}));
        let budget = &objects["PodDisruptionBudget"]["spec"];
        assert_eq!(&budget["selector"]["matchLabels"], selector);
        let policy = &objects["NetworkPolicy"]["spec"];
        assert_eq!(&policy["podSelector"]["matchLabels"], selector);
        assert_eq!(
            policy["policyTypes"],
            json!(["Ingress", "Egress"]),
            "{name}"
        );
        assert_eq!(&objects["Service"]["spec"]["selector"], selector);
    }
    Ok(())
}

/// The four names, the user, the images' names and the toolchain.
#[test]
fn the_image_is_what_the_manifests_start() -> Result<()> {
    let dockerfile = read("Dockerfile")?;
    let names = binaries::ALL.join(" ");
    assert!(
        dockerfile.contains(&format!("for name in {names}; do")),
        "the four names"
    );
    let user = dockerfile
        .lines()
        .find_map(|line| line.strip_prefix("USER "));
    let user = user.context("a user")?;
    for (name, folder) in COMPONENTS {
        let workload = workload(folder)?;
        let container = container(&workload);
        assert_eq!(words(&container["command"]), [format!("/{name}")]);
        let stage = if name == PROXY { PROXY } else { "isthmus" };
        assert!(
            dockerfile.contains(&format!(" AS {stage}\n")),
            "the stage {stage}"
        );
        let image = format!("{stage}:{}", env!("CARGO_PKG_VERSION"));
        assert_eq!(container["image"], image);
        assert!(
            dockerfile.contains(&format!("--tag {image} .")),
            "how {image} is built"
        );
        if name == PROXY {
            // The rules ask for root; it has one capability.
            assert_eq!(container["securityContext"]["runAsUser"], 0);
            continue;
        }
        let context = &workload["spec"]["template"]["spec"]["securityContext"];
        assert_eq!(context["runAsNonRoot"], true, "{name}");
        let ids = format!("{}:{}", context["runAsUser"], context["runAsGroup"]);
        assert_eq!(ids, user, "{name}");
    }
    let toolchain = read("rust-toolchain.toml")?;
    let channel = toolchain
        .lines()
        .find_map(|line| line.strip_prefix("channel = "));
    let channel = channel.context("a channel")?.trim_matches('"');
    assert!(
        dockerfile.contains(&format!("/rust:{channel}-")),
        "{channel}"
    );
    assert!(
        dockerfile.contains(&format!("RUSTUP_TOOLCHAIN={channel}\n")),
        "{channel}"
    );
    Ok(())
}

/// The flags and the environment of a workload are those of its program, and the
/// file of its AWS token is where the configuration says.
#[test]
fn the_programs_know_what_the_manifests_tell_them() -> Result<()> {
    for (name, folder) in COMPONENTS {
        let flags = read(&format!("docs/flags/{name}.md"))?;
        let workload = workload(folder)?;
        let container = container(&workload);
        let variables = container["env"].as_array().context("an environment")?;
        let variables = variables.iter().filter_map(|one| one["name"].as_str());
        let own = variables.filter_map(|name| name.strip_prefix("ISTHMUS_"));
        let own = own.map(|name| format!("--{}", name.to_lowercase().replace('_', "-")));
        let args = words(&container["args"]).into_iter().map(str::to_owned);
        for arg in args.chain(own) {
            let flag = arg.split('=').next().unwrap_or_default();
            let known = flags.split_whitespace().any(|word| {
                let word = word.trim_end_matches(',');
                word == flag || word.split(['=', '[']).next() == Some(flag)
            });
            assert!(known, "{name} has no {flag}");
        }
        if name != PROXY {
            let mount = &container["volumeMounts"][0]["mountPath"];
            let file = format!("{}/token", mount.as_str().context("a path")?);
            assert!(
                read("manifests/00-config/isthmus.env")?.contains(&file),
                "{file}"
            );
            assert!(
                read("manifests/00-config/config.yaml")?.contains(&file),
                "{file}"
            );
        }
    }
    Ok(())
}

/// A cluster of Cluster Lifecycle Manager, as its templates see it.
/// <https://github.com/zalando-incubator/cluster-lifecycle-manager/blob/master/docs/templating.md>
fn rendered(template: &str) -> Result<String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (expression, after) = after.split_once("}}").context("an end")?;
        let value = match expression.trim() {
            ".Cluster.ID" => "aws:123456789012:eu-central-1:kube-1",
            ".Cluster.Region" => "eu-central-1",
            ".Cluster.LocalID" => "kube-1",
            "accountID .Cluster.InfrastructureAccount" => "123456789012",
            item => {
                let item = item.strip_prefix(".Cluster.ConfigItems.");
                ensure!(
                    item.is_some(),
                    "{expression} is nothing that a template has"
                );
                "an-item"
            }
        };
        text.extend([before, value]);
        rest = after;
    }
    Ok(text + rest)
}

#[test]
fn both_forms_of_the_configuration_have_the_same_keys_and_each_is_used() -> Result<()> {
    let rendered = rendered(&read("manifests/00-config/config.yaml")?)?;
    let object: Value = serde_yaml_ng::from_str(&rendered)?;
    let data = object["data"].as_object().context("data")?;
    let templated: BTreeSet<_> = data.keys().cloned().collect();
    assert_eq!(data["dns-owner-id"], "eu-central-1:kube-1");
    assert_eq!(data["base-role-arn"], "arn:aws:iam::123456789012:role/");

    // What is commented out is a key too: `# vpc-id=vpc-…`.
    let env = read("manifests/00-config/isthmus.env")?;
    let keys = env.lines().filter_map(|line| {
        let (key, _) = line.trim_start_matches("# ").split_once('=')?;
        let is_key = key.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        is_key.then(|| key.to_owned())
    });
    assert_eq!(keys.collect::<BTreeSet<_>>(), templated);

    // The file's path is there for who gives roles by web identity.
    let mut used = BTreeSet::new();
    for (_, folder) in COMPONENTS {
        let workload = workload(folder)?;
        let variables = container(&workload)["env"].as_array().cloned();
        for variable in variables.unwrap_or_default() {
            let from = &variable["valueFrom"]["configMapKeyRef"];
            if let Some(key) = from["key"].as_str() {
                assert_eq!(from["name"], object["metadata"]["name"], "{key}");
                used.insert(key.to_owned());
            }
        }
    }
    assert_eq!(used, templated);
    Ok(())
}

fn run(program: &Path, args: &[&str]) -> Result<Output> {
    Ok(Command::new(program).args(args).output()?)
}

#[test]
fn one_program_is_all_four() -> Result<()> {
    let joint = binaries::path("isthmus")?;
    let links = Path::new(env!("CARGO_TARGET_TMPDIR")).join("four-names");
    let _ = std::fs::remove_dir_all(&links);
    std::fs::create_dir_all(&links)?;
    for name in binaries::ALL {
        let link = links.join(name);
        std::os::unix::fs::symlink(&joint, &link)?;
        let help = run(&binaries::path(name)?, &["--help"])?.stdout;
        assert_eq!(run(&link, &["--help"])?.stdout, help, "{name}");
        let short = name.strip_prefix("isthmus-").context("a name")?;
        assert_eq!(run(&joint, &[short, "--help"])?.stdout, help, "{name}");
    }
    let unknown = run(&joint, &["dsn"])?;
    assert_eq!(unknown.status.code(), Some(2));
    let said = String::from_utf8(unknown.stderr)?;
    assert!(
        binaries::ALL.iter().all(|name| said.contains(name)),
        "{said}"
    );
    Ok(())
}
