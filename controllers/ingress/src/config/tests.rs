use super::*;
use ingress_core::Protocol;
use isthmus_runtime::{Exit, parse_args};

#[derive(Debug, clap::Args)]
struct All {
    #[command(flatten)]
    own: Args,
    #[command(flatten)]
    common: CommonArgs,
}

fn parse(flags: &[&str], env: &[(&str, &str)]) -> Result<All, Exit> {
    let argv = std::iter::once("isthmus-ingress").chain(flags.iter().copied());
    let env = env
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    parse_args::<All>("isthmus-ingress", "", argv.map(Into::into), &env)
}

fn read(flags: &[&str]) -> Result<Config, Vec<String>> {
    let all = parse(flags, &[]).map_err(|exit| vec![exit.text])?;
    let mut problems = Problems::default();
    let config = config(&all.own, &all.common, &mut problems);
    match problems.lines() {
        [] => Ok(config.expect("no problems")),
        lines => Err(lines.to_vec()),
    }
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let config = read(&[]).unwrap();
    assert_eq!(config.resync, Duration::from_secs(300));
    assert_eq!(config.certificate_age, Duration::from_secs(1800));
    assert!(config.without_effect.is_empty());
    let decisions = config.decisions("kube-1", "vpc-1");
    assert_eq!(decisions.vpc, "vpc-1");
    assert_eq!(
        decisions.ownership.cluster_tag(),
        "kubernetes.io/cluster/kube-1"
    );
    assert_eq!(
        decisions.ownership.controller_id(),
        "kube-ingress-aws-controller"
    );
    assert_eq!(decisions.max_certificates, 24);
    assert_eq!(
        decisions.ssl_policy.to_string(),
        "ELBSecurityPolicy-2016-08"
    );
    assert_eq!(decisions.grace, Duration::from_secs(3600));
    assert_eq!(decisions.min_age, Duration::from_secs(360));
    assert_eq!(decisions.idle_timeout, 60);
    assert_eq!(decisions.target.port, 9999);
    assert_eq!(decisions.target.deregistration_delay, 300);
    assert_eq!(
        decisions.target.health_check.to_string(),
        "HTTP :9999/kube-system/healthz every 10s within 5s, up after 5, down after 2"
    );
}

#[test]
fn what_a_user_of_the_other_system_gives_is_taken() {
    let config = read(&[
        "--target-access-mode=HostPort",
        "--stack-termination-protection",
        "--ssl-policy=ELBSecurityPolicy-TLS13-1-2-2021-06",
        "--cluster-local-domain=cluster.local",
        "--additional-stack-tags=InfrastructureComponent=true",
        "--additional-stack-tags=team=web",
        "--cert-polling-interval=2m",
        "--cert-filter-tag=use=ingress",
        "--idle-connection-timeout=2m",
        "--deregistration-delay-timeout=10s",
        "--blacklist-certificate-arns=arn:aws:acm:eu-central-1:1:certificate/a",
        "--disable-sni-support",
        "--logs-s3-bucket=logs",
        "--redirect-http-to-https",
        "--target-https",
    ])
    .unwrap();
    assert_eq!(
        config.certificate_tag,
        Some(("use".into(), "ingress".into()))
    );
    let decisions = config.decisions("kube-1", "vpc-1");
    assert_eq!(decisions.max_certificates, 1);
    assert_eq!(decisions.extra_tags.len(), 2);
    assert!(decisions.deletion_protection && decisions.redirect_http);
    assert_eq!(decisions.target.protocol, Protocol::Https);
    assert_eq!(
        decisions.cluster_local_domain.as_deref(),
        Some("cluster.local")
    );
}

/// Every flag of kube-ingress-aws-controller with its own default, or what it needs.
#[test]
fn every_flag_of_the_other_system_is_taken() {
    let flags = "--debug --quiet --api-server-base-url= --polling-interval=30s --creation-timeout=5m \
        --cert-polling-interval=30m --cert-ttl-timeout=1h --cert-filter-tag= --max-certs-alb=24 --disable-sni-support \
        --ssl-policy=ELBSecurityPolicy-2016-08 --ingress-class-filter= --controller-id=kube-ingress-aws-controller \
        --cluster-id=kube-1 --vpc-id=vpc-1 --cluster-local-domain= --ip-addr-type=ipv4 --load-balancer-type=application \
        --target-access-mode=AWSCNI --target-cni-namespace=kube-system --target-cni-pod-labelselector=a=b \
        --target-port=9999 --alb-http-target-port=0 --nlb-http-target-port=0 --target-https --health-check-path=/kube-system/healthz \
        --health-check-port=9999 --health-check-interval=10s --health-check-timeout=5s --alb-healthy-threshold-count=5 \
        --alb-unhealthy-threshold-count=2 --nlb-healthy-threshold-count=3 --idle-connection-timeout=1m \
        --deregistration-delay-timeout=5m --min-load-balancer-age=6m --redirect-http-to-https --deny-internal-domains \
        --internal-domains=*.cluster.local --deny-internal-domains-response=Unauthorized \
        --deny-internal-domains-response-content-type=text/plain --deny-internal-domains-response-status-code=401 \
        --nlb-zone-affinity=any_availability_zone --nlb-cross-zone --nlb-http-enabled --aws-waf-web-acl-id= --logs-s3-bucket= \
        --logs-s3-prefix= --cloudwatch-alarms-config-map=kube-system/alarms --stack-termination-protection \
        --additional-stack-tags=a=b --disable-instrumented-http-client --blacklist-certificate-arns=arn:aws:acm:e:1:certificate/a";
    let flags: Vec<&str> = flags.split_whitespace().collect();
    let config = read(&flags).unwrap();
    assert_eq!(config.resync, Duration::from_secs(30));
    assert_eq!(config.alarms.unwrap().name, "alarms");
    assert_eq!(config.pods.unwrap().selector, "a=b");
    assert_eq!(
        config.without_effect.len(),
        1,
        "{:?}",
        config.without_effect
    );
}

#[test]
fn every_wrong_flag_is_named() {
    for (flag, value) in [
        ("polling-interval", "0s"),
        ("cert-polling-interval", "0s"),
        ("cert-filter-tag", "use"),
        ("blacklist-certificate-arns", "my-certificate"),
        ("max-certs-alb", "25"),
        ("max-certs-alb", "0"),
        ("controller-id", ""),
        ("vpc-id", "my-vpc"),
        ("ssl-policy", "modern"),
        ("idle-connection-timeout", "4001s"),
        ("idle-connection-timeout", "1500ms"),
        ("logs-s3-prefix", "prefix"),
        ("additional-stack-tags", "team"),
        ("additional-stack-tags", "aws:team=web"),
        ("target-node-selector", "role in (a,b)"),
        ("health-check-path", "healthz"),
        ("health-check-interval", "4s"),
        ("health-check-timeout", "1s"),
        ("health-check-timeout", "10s"),
        ("alb-healthy-threshold-count", "11"),
        ("alb-unhealthy-threshold-count", "1"),
        ("nlb-healthy-threshold-count", "1"),
        ("deregistration-delay-timeout", "0s"),
        ("creation-timeout", "59s"),
        ("nlb-http-target-port", "9998"),
        ("internal-domains", "a/b"),
        ("deny-internal-domains-response-status-code", "301"),
        ("deny-internal-domains-response-content-type", "text/xml"),
        ("custom-filters", "worker"),
        ("cloudwatch-alarms-config-map", "alarms"),
        ("aws-waf-web-acl-id", "5f2f1f7d-4f0a-4b1e-9c5e-0123456789ab"),
        ("cluster-id", ""),
    ] {
        let problems = read(&[&format!("--{flag}={value}")]).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].starts_with(&format!("--{flag}: ")),
            "{problems:?}"
        );
        assert!(
            problems[0].contains("is not allowed; allowed: "),
            "{problems:?}"
        );
    }
}

#[test]
fn an_api_server_by_its_url_alone() {
    assert!(read(&[]).unwrap().api_server.is_none());
    let both = ["--api-server-base-url=http://a", "--kubeconfig=b"];
    assert!(read(&both).unwrap_err()[0].contains("nothing beside --kubeconfig"));
    let read = |url: &str| read(&[&format!("--api-server-base-url={url}")]);
    let server = read("http://127.0.0.1:8001/").unwrap().api_server.unwrap();
    assert_eq!(server.cluster_url, "http://127.0.0.1:8001");
    assert!(server.auth_info.token.is_none() && server.auth_info.token_file.is_none());
    for wrong in [
        "127.0.0.1:8001",
        "ftp://a",
        "http://",
        "http://a b",
        "http://me@a",
    ] {
        let problems = read(wrong).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].contains("allowed: http://… or https://…"),
            "{problems:?}"
        );
    }
}

#[test]
fn network_load_balancers_denial_and_web_acl() {
    let acl = "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/web/0a";
    let config = read(&[
        "--load-balancer-type=network",
        "--nlb-http-enabled",
        "--nlb-http-target-port=9998",
        "--nlb-cross-zone",
        "--nlb-zone-affinity=availability_zone_affinity",
        "--nlb-healthy-threshold-count=4",
        "--alb-http-target-port=9997",
        "--deny-internal-domains",
        "--internal-domains=*.Internal",
        "--internal-domains=*.cluster.local",
        "--deny-internal-domains-response-status-code=403",
        &format!("--aws-waf-web-acl-id={acl}"),
    ])
    .unwrap();
    assert!(config.without_effect.is_empty());
    let decisions = config.decisions("kube-1", "vpc-1");
    assert_eq!(decisions.defaults.kind.as_str(), "network");
    assert_eq!(decisions.defaults.web_acl.unwrap().as_str(), acl);
    let nlb = decisions.network_load_balancers;
    assert!(nlb.http && nlb.cross_zone);
    assert_eq!(nlb.zone_affinity.as_str(), "availability_zone_affinity");
    assert_eq!(decisions.target.nlb_threshold, 4);
    assert!(!decisions.alarms && config.alarms.is_none());
    assert_eq!(decisions.target.nlb_http_port, Some(9998));
    assert_eq!(decisions.target.alb_http_port, Some(9997));
    let denial = decisions.denial.unwrap();
    assert_eq!(denial.response.status, 403);
    let domains: Vec<_> = denial.domains.iter().map(String::as_str).collect();
    assert_eq!(domains, ["*.cluster.local", "*.internal"]);
}

#[test]
fn targets_are_nodes_or_instances_or_pods() {
    let config = read(&[]).unwrap();
    assert!(config.instance_filters.is_none() && config.pods.is_none());
    let config = read(&["--custom-filters=tag:role=worker tag-key=node"]).unwrap();
    assert_eq!(config.instance_filters.unwrap().len(), 2);
    let config = read(&[
        "--target-access-mode=AWSCNI",
        "--target-cni-namespace=edge",
        "--target-cni-pod-labelselector=application=skipper",
    ])
    .unwrap();
    let pods = config.pods.unwrap();
    assert_eq!(
        (pods.namespace.as_str(), pods.selector.as_str()),
        ("edge", "application=skipper")
    );
    assert!(config.without_effect.is_empty());
    let problems = read(&["--target-access-mode=AWSCNI"]).unwrap_err();
    assert!(
        problems[0].starts_with("--target-cni-pod-labelselector: \"\" is not allowed"),
        "{problems:?}"
    );
}

#[test]
fn what_has_no_effect_is_said() {
    let config = read(&[
        "--creation-timeout=10m",
        "--disable-instrumented-http-client",
        "--target-access-mode=Legacy",
        "--target-cni-namespace=edge",
        "--internal-domains=*.internal",
    ])
    .unwrap();
    assert_eq!(
        config.without_effect.len(),
        5,
        "{:?}",
        config.without_effect
    );
}

#[test]
fn wrong_choices_are_named_with_the_right_ones() {
    let exit = parse(
        &[
            "--ip-addr-type=ipv6",
            "--target-access-mode=hostport",
            "--target-port=0",
            "--cert-ttl-timeout=1d",
        ],
        &[],
    )
    .unwrap_err();
    assert_eq!(exit.code, 2);
    assert!(
        exit.text
            .contains("--ip-addr-type: \"ipv6\" is not allowed; allowed: ipv4, dualstack\n"),
        "{}",
        exit.text
    );
    assert!(
        exit.text.contains(
            "--target-access-mode: \"hostport\" is not allowed; allowed: HostPort, AWSCNI, Legacy\n"
        ),
        "{}",
        exit.text
    );
    assert_eq!(exit.text.lines().count(), 4, "{}", exit.text);
}

#[test]
fn the_variables_of_the_other_system_are_read() {
    let all = parse(
        &[],
        &[
            ("POLLING_INTERVAL", "1m"),
            ("ISTHMUS_TARGET_PORT", "8080"),
            ("CUSTOM_FILTERS", "tag:a=b"),
        ],
    )
    .unwrap();
    assert_eq!(all.own.source.polling_interval.0, Duration::from_secs(60));
    assert_eq!(all.own.target.target_port, 8080);
    assert_eq!(all.own.target.custom_filters, "tag:a=b");
}
