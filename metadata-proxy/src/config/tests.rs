use std::collections::BTreeMap;

use isthmus_runtime::{LogLevel, read_args};

use metadata_proxy_core::{PatternFormat, SourceMode};

use super::*;

/// The configuration of a command line, or the problems.
fn read(line: &str, endpoint: Option<&str>) -> Result<Config, Vec<String>> {
    let argv = std::iter::once("proxy")
        .chain(line.split_whitespace())
        .map(Into::into);
    let (args, problems) = read_args::<Args>("proxy", "", argv, &BTreeMap::new()).unwrap();
    let mut all = Problems::default();
    let config = args.and_then(|args| Config::read(args, endpoint, &mut all));
    all.merge(problems);
    match config {
        Some(config) if all.is_empty() => Ok(config),
        _ => Err(all.lines().to_vec()),
    }
}

#[test]
fn the_defaults() {
    let config = read("", None).unwrap();
    assert_eq!(config.listen, ListenAddress::port(8181));
    assert_eq!(config.imds.to_string(), "http://169.254.169.254/");
    assert_eq!(config.imds_v2, ImdsV2::Optional);
    assert_eq!(config.waits.pod, Duration::from_millis(800));
    assert_eq!(config.waits.answer, Duration::from_millis(900));
    assert_eq!(config.credentials.session, Duration::from_secs(3600));
    assert_eq!(config.credentials.policy.least, Duration::from_secs(1800));
    assert_eq!(config.credentials.policy.error_ttl, None);
    assert!(config.credentials.prefetch);
    assert!(config.roles.rules.restrictions.is_none());
    assert_eq!(config.keys.role, "iam.amazonaws.com/role");
    assert!(config.redirects.is_empty() && config.notes.is_empty());
}

/// What clusters run kube2iam with today.
#[test]
fn kube2iams_arguments_are_taken_as_they_are() {
    let config = read(
        "--auto-discover-base-arn --verbose --node=ip-10-0-0-1.eu-central-1.compute.internal --debug \
         --use-regional-sts-endpoint --iam-role-session-ttl=15m --cache-resync-period=30m --backoff-max-interval=1s \
         --backoff-max-elapsed-time=2s --metrics-port=9543 --namespace-restrictions --iam-role-key=a/b \
         --namespace-restriction-format=regexp --host-ip=10.0.0.1 --host-interface=docker0 --log-format=json \
         --resolve-duplicate-cache-ips --log-level=warning --metadata-addr=169.254.169.254 --iam-role-error-ttl=1m",
        None,
    );
    let config = config.unwrap();
    assert!(config.roles.discover_base && !config.roles.discover_default);
    assert_eq!(config.common.log_level, LogLevel::Debug);
    assert_eq!(config.common.metrics_address, ListenAddress::port(9543));
    assert_eq!(config.credentials.session, Duration::from_secs(1800));
    assert_eq!(
        config.credentials.policy.error_ttl,
        Some(Duration::from_secs(60))
    );
    assert_eq!(config.waits.pod, Duration::from_secs(2));
    assert_eq!(
        config.waits.answer,
        Duration::from_secs(2),
        "never shorter than the wait for a pod"
    );
    assert_eq!(config.roles.rules.restrictions, Some(PatternFormat::Regexp));
    assert_eq!(
        (config.keys.role.as_str(), config.host_ip.as_str()),
        ("a/b", "10.0.0.1")
    );
    assert_eq!(config.notes.len(), 4, "{:?}", config.notes);
    assert!(config.cluster.resolve_duplicates && config.redirects.is_empty());
}

#[test]
fn metrics_are_never_where_pods_are() {
    let config = read("--metrics-port=8181", None).unwrap();
    assert_eq!(config.common.metrics_address, ListenAddress::port(7979));
    assert_eq!(config.notes.len(), 1);
    let problems = read("--metrics-address=:8181", None).unwrap_err();
    assert_eq!(
        problems,
        ["--app-port: \"8181\" is not allowed; allowed: any port but that of --metrics-address"]
    );
    read("--app-port=0 --metrics-address=127.0.0.1:0", None).unwrap();
}

#[test]
fn the_real_instance_metadata() {
    let asked = |line: &str, endpoint: Option<&str>| {
        read(line, endpoint).map(|config| config.imds.to_string())
    };
    let endpoint = Some("http://127.0.0.1:1338/");
    assert_eq!(asked("", endpoint).unwrap(), "http://127.0.0.1:1338/");
    assert_eq!(
        asked("--metadata-addr=10.0.0.7:80", endpoint).unwrap(),
        "http://10.0.0.7:80/"
    );
    for wrong in ["a/b", "a?b", "a@b", ""] {
        let flag = format!("--metadata-addr={wrong}");
        assert!(asked(&flag, None).is_err(), "{wrong}");
    }
    assert!(asked("", Some("https://127.0.0.1")).is_err());
}

#[test]
fn the_real_service_is_always_shut_off() {
    let rules = |line: &str, endpoint| {
        let config = read(
            &format!("--iptables --host-interface=cali+ {line}"),
            endpoint,
        )
        .unwrap();
        let rules = config
            .redirects
            .iter()
            .map(|redirect| redirect.rule().join(" "));
        rules.collect::<Vec<_>>()
    };
    let plain = rules("--host-ip=10.0.0.1", Some("http://127.0.0.1:1338"));
    assert_eq!(plain.len(), 2);
    assert!(
        plain[0].contains("-d 169.254.169.254 ")
            && plain[0].ends_with("--to-destination 10.0.0.1:8181"),
        "{plain:?}"
    );
    assert!(
        plain[1].contains("-d fd00:ec2::254 ") && plain[1].ends_with("REDIRECT --to-ports 8181"),
        "{plain:?}"
    );
    let both = rules("--host-ip=10.0.0.1,fd00::1", None);
    assert!(
        both[1].ends_with("--to-destination [fd00::1]:8181"),
        "{both:?}"
    );
    let named = rules("--host-ip=10.0.0.1 --metadata-addr=10.0.0.7:80", None);
    assert_eq!(named, plain);
    let problems = read("--iptables --host-interface=no-such0 --app-port=0", None).unwrap_err();
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(read("--iptables-remove", None).is_err());
}

#[test]
fn an_api_server_by_its_url() {
    let config = read(
        "--api-server=http://10.0.0.1:8080 --api-token=s3cret --insecure",
        None,
    )
    .unwrap();
    let said = format!("{config:?}");
    assert!(!said.contains("s3cret"), "{said}");
    assert!(config.cluster.server.is_some_and(|server| server.insecure));
    assert_eq!(
        read("--insecure --api-token=x --api-server=nowhere", None)
            .unwrap_err()
            .len(),
        1
    );
    assert_eq!(read("--insecure --api-token=x", None).unwrap_err().len(), 2);
}

#[test]
fn a_start_up_taint_is_of_the_own_node() {
    let config = read("--startup-taint=isthmus.dev/metadata-proxy --node=n1", None).unwrap();
    assert_eq!(
        config.cluster.startup_taint.as_deref(),
        Some("isthmus.dev/metadata-proxy")
    );
    for (line, problems) in [
        ("--startup-taint=a", 1),
        ("--startup-taint=a=b:NoSchedule --node=n1", 1),
        ("--startup-taint= ", 2),
    ] {
        assert_eq!(read(line, None).unwrap_err().len(), problems, "{line}");
    }
}

#[test]
fn limits_and_intervals() {
    let config = read("", None).unwrap();
    assert_eq!(config.request_rate, 200);
    assert_eq!(config.redirect_interval, Duration::from_secs(30));
    assert_eq!(read("--pod-request-rate=0", None).unwrap().request_rate, 0);
    for wrong in [
        "--pod-request-rate=-1",
        "--pod-request-rate=x",
        "--iptables --host-ip=10.0.0.1 --host-interface=cali+ --iptables-check-interval=0",
    ] {
        assert_eq!(read(wrong, None).unwrap_err().len(), 1, "{wrong}");
    }
}

#[test]
fn web_identity_takes_no_tags() {
    let config = read(
        "--credential-source=web-identity --kubelet-root=/data/kubelet --token-audience=sts.amazonaws.com.cn",
        None,
    );
    let config = config.unwrap();
    assert_eq!(config.roles.rules.source, SourceMode::WebIdentity);
    assert_eq!(config.roles.rules.audience, "sts.amazonaws.com.cn");
    assert_eq!(config.keys.audience, "sts.amazonaws.com.cn");
    assert_eq!(
        config.credentials.kubelet_root,
        std::path::Path::new("/data/kubelet")
    );
    let usual = read("", None).unwrap();
    assert_eq!(usual.roles.rules.source, SourceMode::AssumeRole);
    assert!(usual.roles.of_service_accounts);
    let problems = read(
        "--credential-source=web-identity --session-tags --token-audience= --container-endpoint",
        None,
    );
    let problems = problems.unwrap_err();
    for start in [
        "--session-tags: cannot be used with --credential-source=web-identity",
        "--token-audience: ",
        "--container-endpoint: has a meaning only with --iptables",
    ] {
        assert!(
            problems.iter().any(|line| line.starts_with(start)),
            "{start} in {problems:?}"
        );
    }
    assert_eq!(problems.len(), 3, "{problems:?}");
}
