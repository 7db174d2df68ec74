//! `manifests/iam`: each policy allows what its program's code can call, and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use isthmus_e2e::{CLUSTER_ID, Fault, Testbed, World};
use serde_json::Value;

/// The clients of the SDK, with the prefix of their actions in IAM.
const SERVICES: [(&str, &str); 8] = [
    ("aws_sdk_acm", "acm"),
    ("aws_sdk_cloudwatch", "cloudwatch"),
    ("aws_sdk_ec2", "ec2"),
    ("aws_sdk_elasticloadbalancingv2", "elasticloadbalancing"),
    ("aws_sdk_iam", "iam"),
    ("aws_sdk_route53", "route53"),
    ("aws_sdk_sts", "sts"),
    ("aws_sdk_wafv2", "wafv2"),
];

/// What AWS asks for beside the operation that is called, and why.
const IMPLIED: [(&str, &str); 4] = [
    // The first load balancer of an account makes this role.
    ("ingress", "iam:createservicelinkedrole"),
    // Alarms are made with tags.
    ("ingress", "cloudwatch:tagresource"),
    // What AssociateWebACL does at the load balancer.
    ("ingress", "elasticloadbalancing:setwebacl"),
    // Session tags are a right of their own.
    ("metadata-proxy", "sts:tagsession"),
];

/// Calls that every identity may make.
const FREE: [&str; 2] = [
    "sts:getcalleridentity",
    // Signed with nothing: the token is the right.
    "sts:assumerolewithwebidentity",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The operations of each client: the names of its methods.
fn operations() -> Result<BTreeMap<&'static str, BTreeSet<String>>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(root())
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        .output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let mut operations = BTreeMap::new();
    for (library, _) in SERVICES {
        let package = metadata["packages"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|package| package["name"] == library.replace('_', "-"))
            .with_context(|| format!("{library} is no dependency"))?;
        let manifest = Path::new(package["manifest_path"].as_str().context("a path")?);
        let folder = manifest.with_file_name("src").join("operation");
        let mut names = BTreeSet::new();
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.file_stem().context("a name")?;
                names.insert(name.to_string_lossy().into_owned());
            }
        }
        operations.insert(library, names);
    }
    Ok(operations)
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// The actions that a program's code can call, in lower case.
fn callable(
    folder: &str,
    operations: &BTreeMap<&'static str, BTreeSet<String>>,
) -> Result<BTreeSet<String>> {
    let mut files = Vec::new();
    sources(&root().join(folder).join("src"), &mut files)?;
    let mut actions = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(&file)?;
        let room = file.with_file_name("mod.rs");
        let room = std::fs::read_to_string(room).unwrap_or_default();
        let names_one = SERVICES.iter().any(|(library, _)| text.contains(library));
        // A file that names no client uses that of its room.
        let where_named = if names_one { &text } else { &room };
        for (library, prefix) in SERVICES {
            if !where_named.contains(library) {
                continue;
            }
            for operation in &operations[library] {
                // A call of the client takes no argument; a builder's setter does.
                if text.contains(&format!(".{operation}()")) {
                    actions.insert(format!("{prefix}:{}", operation.replace('_', "")));
                }
            }
        }
    }
    Ok(actions)
}

/// The actions of a policy, in lower case.
fn allowed(component: &str) -> Result<BTreeSet<String>> {
    let path = root().join(format!("manifests/iam/{component}.json"));
    let policy: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let mut actions = BTreeSet::new();
    for statement in policy["Statement"].as_array().context("statements")? {
        let listed = match &statement["Action"] {
            Value::Array(listed) => listed.clone(),
            one => vec![one.clone()],
        };
        for action in listed {
            actions.insert(action.as_str().context("an action")?.to_lowercase());
        }
    }
    Ok(actions)
}

#[test]
fn each_policy_allows_what_the_code_can_call_and_no_more() -> Result<()> {
    let operations = operations()?;
    let mut wrong = Vec::new();
    for (component, folder) in [
        ("ingress", "controllers/ingress"),
        ("dns", "controllers/dns"),
        ("egress", "controllers/egress"),
        ("metadata-proxy", "metadata-proxy"),
    ] {
        let mut called = callable(folder, &operations)?;
        assert!(!called.is_empty(), "{folder} calls nothing");
        called.retain(|action| !FREE.contains(&action.as_str()));
        let implied = IMPLIED.iter().filter(|(of, _)| *of == component);
        called.extend(implied.map(|(_, action)| (*action).to_owned()));
        let allowed = allowed(component)?;
        let missing = called.difference(&allowed);
        wrong.extend(missing.map(|action| format!("{component} calls {action} and may not")));
        let idle = allowed.difference(&called);
        wrong.extend(idle.map(|action| format!("{component} may {action} and never calls it")));
    }
    assert_eq!(wrong, Vec::<String>::new());
    Ok(())
}

/// What takes away or changes does so only to what carries the cluster's mark;
/// Route 53 and STS have no such condition for it.
#[test]
fn destructive_actions_ask_for_the_mark_of_the_cluster() -> Result<()> {
    for component in ["ingress", "egress"] {
        let path = root().join(format!("manifests/iam/{component}.json"));
        let policy: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
        for statement in policy["Statement"].as_array().context("statements")? {
            let text = statement["Action"].to_string();
            let destructive = [
                "Delete",
                "Release",
                "Deregister",
                "Remove",
                "Modify",
                "Disassociate",
                "Replace",
                "Set",
                "Detach",
                "Terminate",
            ];
            // A web ACL is somebody's; the mark is asked for by SetWebAcl, at the load balancer.
            let unmarked = text.contains("DisassociateWebACL");
            if destructive.iter().any(|word| text.contains(word)) && !unmarked {
                let marks = statement["Condition"].to_string();
                let owned = marks.contains("aws:ResourceTag/kubernetes.io/cluster/CLUSTER_ID");
                // A route is no resource of its own: its table has the tag, the
                // cluster's own ones another than those that were made.
                let routes = text.contains("DeleteRoute\"");
                assert!(
                    owned || (routes && marks.contains("aws:ResourceTag/Type")),
                    "{component}: {statement}"
                );
            }
        }
    }
    Ok(())
}

/// The examples of how a role is given trust the ServiceAccount of the manifests
/// and its audience, both: without the first every pod of the cluster is trusted.
#[test]
fn trust_policies_name_the_service_account_and_the_audience() -> Result<()> {
    for (file, issuer) in [
        ("irsa", "oidc.eks.REGION.amazonaws.com/id/ISSUER"),
        ("web-identity", "ISSUER_HOST_AND_PATH"),
    ] {
        let statement = trust(file)?;
        assert_eq!(
            statement["Action"], "sts:AssumeRoleWithWebIdentity",
            "{file}"
        );
        let provider = format!("arn:aws:iam::ACCOUNT_ID:oidc-provider/{issuer}");
        assert_eq!(statement["Principal"]["Federated"], provider, "{file}");
        let equal = &statement["Condition"]["StringEquals"];
        let subject = "system:serviceaccount:kube-system:isthmus-COMPONENT";
        assert_eq!(equal[format!("{issuer}:sub")], subject, "{file}");
        assert_eq!(
            equal[format!("{issuer}:aud")],
            "sts.amazonaws.com",
            "{file}"
        );
    }
    let statement = trust("kube2iam")?;
    let principal = &statement["Principal"]["AWS"];
    assert_eq!(principal, "arn:aws:iam::ACCOUNT_ID:role/NODE_ROLE");
    Ok(())
}

/// The one statement of a trust policy.
fn trust(file: &str) -> Result<Value> {
    let path = root().join(format!("manifests/iam/trust/{file}.json"));
    let policy: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let statements = policy["Statement"].as_array().context("statements")?;
    assert_eq!(statements.len(), 1, "{file}");
    Ok(statements[0].clone())
}

/// Where AWS has no dry run, the first read that is refused names its action, and
/// so does EC2.
#[tokio::test]
async fn the_first_read_that_is_refused_names_the_action() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    World::create(&testbed).await?;
    let cluster = format!("--cluster-id={CLUSTER_ID}");
    let dns = ["--source=ingress", "--txt-owner-id=kube-1"];
    let zone = [
        "--aws-az=eu-central-1a",
        "--aws-nat-cidr-block=10.20.240.0/28",
    ];
    for (binary, more, operation, action) in [
        (
            "isthmus-ingress",
            &[][..],
            "DescribeLoadBalancers",
            "elasticloadbalancing:DescribeLoadBalancers",
        ),
        (
            "isthmus-ingress",
            &[],
            "ListCertificates",
            "acm:ListCertificates",
        ),
        (
            "isthmus-ingress",
            &[],
            "ListServerCertificates",
            "iam:ListServerCertificates",
        ),
        (
            "isthmus-ingress",
            &[],
            "DescribeSubnets",
            "ec2:DescribeSubnets",
        ),
        (
            "isthmus-dns",
            &dns[..],
            "ListHostedZones",
            "route53:ListHostedZones",
        ),
        (
            "isthmus-egress",
            &zone[..],
            "DescribeAddresses",
            "ec2:DescribeAddresses",
        ),
    ] {
        testbed.gate.clear_faults();
        testbed.gate.fault(Fault::denied(operation).always());
        let args = [&["--once", &cluster], more].concat();
        let finished = testbed.run(binary, &args).await?;
        assert_eq!(finished.code, Some(1), "{finished}");
        let sentence = format!("AWS does not allow {action}: ");
        let lines = finished.stderr.lines();
        let naming = lines.filter(|line| line.contains(&sentence)).count();
        assert_eq!(naming, 1, "{action}: {finished}");
    }
    Ok(())
}
