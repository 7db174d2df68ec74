//! Reads Kubernetes-shaped YAML into a [`Snapshot`], and flags into a [`Config`].

use std::collections::BTreeMap;

use ingress_core::*;
use isthmus_core::{GoDuration, ObjectRef};
use serde::Deserialize;
use serde_yaml_ng::Value;

pub(crate) fn read(yaml: &str, config: &mut Config) -> Snapshot {
    let mut snapshot = Snapshot {
        classes: Some(Vec::new()),
        ..Snapshot::default()
    };
    for document in serde_yaml_ng::Deserializer::from_str(yaml) {
        let value = Value::deserialize(document).expect("YAML");
        match text(&value["kind"]).as_str() {
            "Ingress" => snapshot.ingresses.push(ingress(&value)),
            "RouteGroup" => snapshot.ingresses.push(route_group(&value)),
            "IngressClass" => {
                let classes = snapshot.classes.get_or_insert_default();
                classes.push(class(&value));
            }
            "Node" => snapshot.nodes.push(node(&value)),
            "Pod" => snapshot.pods.push(pod(&value)),
            "ConfigMap" => snapshot.alarms = Some(alarms(&value)),
            "Flags" => flags(&value, config),
            other => panic!("what is a {other:?}?"),
        }
    }
    snapshot
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn map(value: &Value) -> BTreeMap<String, String> {
    let pairs = value.as_mapping().into_iter().flatten();
    pairs.map(|(key, value)| (text(key), text(value))).collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_sequence().into_iter().flatten()
}

fn ingress(value: &Value) -> Ingress {
    let metadata = &value["metadata"];
    let namespace = metadata["namespace"].as_str().unwrap_or("default");
    let name = text(&metadata["name"]);
    let annotations = map(&metadata["annotations"]);
    let from_annotation = annotations.get("kubernetes.io/ingress.class").cloned();
    Ingress {
        object: ObjectRef::new("networking.k8s.io/v1", "Ingress", namespace, name),
        class: match text(&value["spec"]["ingressClassName"]) {
            class if class.is_empty() => from_annotation.unwrap_or_default(),
            class => class,
        },
        annotations,
        hosts: list(&value["spec"]["rules"])
            .map(|rule| text(&rule["host"]))
            .collect(),
        status: list(&value["status"]["loadBalancer"]["ingress"])
            .map(|entry| StatusEntry {
                hostname: entry["hostname"].as_str().map(str::to_owned),
                ip: entry["ip"].as_str().map(str::to_owned),
            })
            .collect(),
        deleting: !metadata["deletionTimestamp"].is_null(),
    }
}

fn route_group(value: &Value) -> Ingress {
    let plain = ingress(value);
    let ObjectRef {
        namespace, name, ..
    } = plain.object;
    let status = list(&value["status"]["loadBalancer"]["routegroup"]);
    Ingress {
        object: ObjectRef::new("zalando.org/v1", ROUTE_GROUP, namespace, name),
        hosts: list(&value["spec"]["hosts"]).map(text).collect(),
        status: status
            .map(|entry| StatusEntry::hostname(text(&entry["hostname"])))
            .collect(),
        ..plain
    }
}

fn class(value: &Value) -> IngressClass {
    let annotations = map(&value["metadata"]["annotations"]);
    let default = annotations.get("ingressclass.kubernetes.io/is-default-class");
    IngressClass {
        name: text(&value["metadata"]["name"]),
        default: default.is_some_and(|value| value == "true"),
    }
}

fn node(value: &Value) -> Node {
    Node {
        name: text(&value["metadata"]["name"]),
        provider_id: value["spec"]["providerID"].as_str().map(str::to_owned),
        labels: map(&value["metadata"]["labels"]),
        taints: list(&value["spec"]["taints"])
            .map(|taint| text(&taint["key"]))
            .collect(),
        deleting: !value["metadata"]["deletionTimestamp"].is_null(),
    }
}

fn alarms(value: &Value) -> AlarmSource {
    let metadata = &value["metadata"];
    let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
    AlarmSource {
        object: ObjectRef::new("v1", "ConfigMap", namespace, name),
        data: value["data"].as_mapping().map(|_| map(&value["data"])),
    }
}

fn pod(value: &Value) -> Pod {
    let mut conditions = list(&value["status"]["conditions"]);
    let ready = conditions.any(|c| text(&c["type"]) == "Ready" && text(&c["status"]) == "True");
    Pod {
        name: text(&value["metadata"]["name"]),
        ip: value["status"]["podIP"].as_str().map(str::to_owned),
        ready,
        deleting: !value["metadata"]["deletionTimestamp"].is_null(),
    }
}

/// What `--deny-internal-domains` means where nothing else is said.
fn denial(config: &mut Config) -> &mut Denial {
    config.denial.get_or_insert_with(|| Denial {
        domains: ["*.cluster.local".to_owned()].into(),
        response: FixedResponse {
            status: 401,
            content_type: "text/plain".to_owned(),
            body: "Unauthorized".to_owned(),
        },
    })
}

fn flags(value: &Value, config: &mut Config) {
    for (flag, value) in value.as_mapping().into_iter().flatten() {
        let duration = || text(value).parse::<GoDuration>().expect("a duration").0;
        let port = || Some(value.as_u64().expect("a port") as u16);
        match text(flag).as_str() {
            "kind" => {}
            "load-balancer-type" => {
                config.defaults.kind = match text(value).as_str() {
                    "network" => LoadBalancerType::Network,
                    _ => LoadBalancerType::Application,
                };
            }
            "aws-waf-web-acl-id" => {
                config.defaults.web_acl = Some(text(value).parse().expect("a web ACL"));
            }
            "cloudwatch-alarms-config-map" => config.alarms = true,
            "nlb-http-enabled" => {
                config.network_load_balancers.http = value.as_bool().expect("a bool");
            }
            "nlb-cross-zone" => {
                config.network_load_balancers.cross_zone = value.as_bool().expect("a bool");
            }
            "nlb-zone-affinity" => {
                let name = text(value);
                let known = ZoneAffinity::NAMES.iter().find(|(n, _)| *n == name);
                config.network_load_balancers.zone_affinity = known.expect("an affinity").1;
            }
            "nlb-healthy-threshold-count" => {
                config.target.nlb_threshold = value.as_u64().expect("a number") as u32;
            }
            "alb-http-target-port" => config.target.alb_http_port = port(),
            "nlb-http-target-port" => config.target.nlb_http_port = port(),
            "target-https" => {
                config.target.protocol = Protocol::Https;
                config.target.health_check.protocol = Protocol::Https;
            }
            "target-access-mode" => {
                config.target.kind = match text(value).as_str() {
                    "AWSCNI" => TargetType::Ip,
                    _ => TargetType::Instance,
                };
            }
            "deny-internal-domains" => {
                denial(config);
            }
            "internal-domains" => denial(config).domains = list(value).map(text).collect(),
            "deny-internal-domains-response" => denial(config).response.body = text(value),
            "deny-internal-domains-response-status-code" => {
                denial(config).response.status = value.as_u64().expect("a number") as u16;
            }
            "cert-ttl-timeout" => config.grace = duration(),
            "min-load-balancer-age" => config.min_age = duration(),
            "idle-connection-timeout" => config.idle_timeout = duration().as_secs() as u32,
            "deregistration-delay-timeout" => {
                config.target.deregistration_delay = duration().as_secs() as u32;
            }
            "ingress-class-filter" => config.classes = ClassFilter::new(&text(value)),
            "cluster-local-domain" => config.cluster_local_domain = Some(text(value)),
            "max-certs-alb" => {
                config.max_certificates = value.as_u64().expect("a number") as usize;
            }
            "target-port" => config.target.port = value.as_u64().expect("a port") as u16,
            "redirect-http-to-https" => config.redirect_http = value.as_bool().expect("a bool"),
            "stack-termination-protection" => {
                config.deletion_protection = value.as_bool().expect("a bool");
            }
            "additional-stack-tags" => config.extra_tags = map(value),
            "blacklist-certificate-arns" => {
                config.blacklist = list(value).map(|arn| Arn::new(text(arn))).collect();
            }
            "logs-s3-bucket" => {
                config.access_logs = Some(AccessLogs {
                    bucket: text(value),
                    prefix: String::new(),
                });
            }
            other => panic!("what is the flag {other}?"),
        }
    }
}
