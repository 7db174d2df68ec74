use std::ffi::OsString;

use isthmus_runtime::{ListenAddress, LogFormat, LogLevel, parse_args};

use super::*;

fn common() -> CommonArgs {
    CommonArgs {
        kubeconfig: None,
        cluster_id: Some("kube-1".into()),
        log_level: LogLevel::Info,
        log_format: LogFormat::Text,
        otlp_endpoint: None,
        metrics_address: ListenAddress::port(7979),
    }
}

fn read(flags: &[&str]) -> Result<Settings, Vec<String>> {
    let argv = std::iter::once("isthmus-egress")
        .chain(flags.iter().copied())
        .map(OsString::from);
    let args = parse_args::<Args>("isthmus-egress", "", argv, &BTreeMap::new());
    let args = args.map_err(|exit| vec![exit.text])?;
    let mut problems = Problems::default();
    Settings::new(args, &common(), &mut problems).ok_or_else(|| problems.lines().to_vec())
}

const ONE: [&str; 2] = [
    "--aws-az=eu-central-1a",
    "--aws-nat-cidr-block=10.0.255.0/28",
];

fn with(more: &[&str]) -> Vec<String> {
    let flags: Vec<&str> = ONE.iter().chain(more).copied().collect();
    read(&flags).err().unwrap_or_default()
}

#[test]
fn zones_networks_and_addresses_go_together_in_order() {
    let flags = [
        "--aws-az=eu-central-1b",
        "--aws-az=eu-central-1a",
        "--aws-nat-cidr-block=10.0.255.0/28",
        "--aws-nat-cidr-block=10.0.255.16/28",
        "--eip-allocation-id=none",
        "--eip-allocation-id=eipalloc-1",
    ];
    let zones = read(&flags).unwrap().zones;
    assert_eq!(
        (
            zones[0].name.as_str(),
            zones[0].nat_cidr.to_string(),
            zones[0].adopt.as_deref()
        ),
        ("eu-central-1b", "10.0.255.0/28".into(), None)
    );
    assert_eq!(
        (
            zones[1].name.as_str(),
            zones[1].nat_cidr.to_string(),
            zones[1].adopt.as_deref()
        ),
        ("eu-central-1a", "10.0.255.16/28".into(), Some("eipalloc-1"))
    );
}

#[test]
fn the_arguments_of_the_predecessor_are_understood() {
    let settings = read(&[
        "--provider=aws",
        "--vpc-id=vpc-1",
        "--cf-template-bucket=bucket",
        "--stack-termination-protection",
        "--cluster-id-tag-prefix=zalando.org/cluster/",
        "--controller-id=kube-static-egress-controller",
        "--additional-stack-tags=InfrastructureComponent=true",
        "--additional-stack-tags=application=kubernetes",
        "--master=http://127.0.0.1:8001",
        "--use-platform-credentials",
        "--resync-interval=1m30s",
        "--address=:8080",
        ONE[0],
        ONE[1],
    ])
    .unwrap();
    assert_eq!(settings.resync, Duration::from_secs(90));
    let said: Vec<_> = settings
        .notes
        .iter()
        .filter_map(|note| note.split(' ').next())
        .collect();
    assert_eq!(
        said,
        [
            "--master",
            "--use-platform-credentials",
            "--cf-template-bucket",
            "--stack-termination-protection",
            "--address"
        ]
    );
    let config = settings.decisions("kube-1");
    assert_eq!(config.ownership.cluster_tag(), "zalando.org/cluster/kube-1");
    assert_eq!(config.additional_tags.len(), 2);
    assert!(
        !config.release_addresses,
        "addresses are kept unless the flag is given"
    );
}

#[test]
fn the_resync_has_its_general_names_too() {
    for name in ["resync-interval", "interval", "polling-interval"] {
        let flag = format!("--{name}=7s");
        let settings = read(&[ONE[0], ONE[1], &flag]).unwrap();
        assert_eq!(settings.resync, Duration::from_secs(7), "{name}");
    }
}

#[test]
fn every_problem_is_told_at_once() {
    let problems = read(&[
        "--provider=azure",
        "--aws-az=eu-central-1a",
        "--aws-az=eu-central-1a",
        "--aws-nat-cidr-block=10.0.0.0/29",
        "--vpc-id=default",
        "--min-prefix-length=0",
        "--additional-stack-tags=a=b=c",
        "--eip-allocation-id=1.2.3.4",
    ])
    .unwrap_err();
    let flags: Vec<_> = problems
        .iter()
        .filter_map(|line| line.split(':').next())
        .collect();
    assert_eq!(
        flags,
        [
            "--provider",
            "--aws-az",
            "--aws-nat-cidr-block",
            "--aws-nat-cidr-block",
            "--eip-allocation-id",
            "--additional-stack-tags",
            "--min-prefix-length",
            "--vpc-id",
        ],
        "{problems:#?}"
    );
    assert_eq!(
        problems[0],
        r#"--provider: "azure" is not allowed; allowed: aws, noop"#
    );
}

#[test]
fn each_wrong_value_is_refused() {
    for flag in [
        "--aws-az=Frankfurt",
        "--aws-nat-cidr-block=10.0.255.8/29",
        "--aws-nat-cidr-block=10.0.255.0/24",
        "--eip-allocation-id=eipalloc-1,eipalloc-2",
        "--additional-stack-tags==x",
        "--additional-stack-tags=noequals",
        "--additional-stack-tags=aws:x=y",
        "--additional-stack-tags=kubernetes:application=y",
        "--additional-stack-tags=kubernetes.io/cluster/kube-1=owned",
        "--additional-stack-tags=isthmus.dev/zone=x",
        "--additional-stack-tags=Type=dmz",
        "--controller-id=",
        "--max-routes-per-table=0",
        "--min-prefix-length=33",
        "--resync-interval=0s",
        "--resync-interval=soon",
        "--address=8080",
        "--aws-api-rate=0",
        "--aws-api-rate=NaN",
        "--aws-api-rate=fast",
    ] {
        let problems = with(&[flag]);
        let name = flag.split('=').next().unwrap();
        assert!(
            problems.iter().any(|line| line.starts_with(name)),
            "{flag}: {problems:?}"
        );
    }
    assert_eq!(with(&[]), Vec::<String>::new());
    let quick = read(&[ONE[0], ONE[1], "--aws-api-rate=10"]).unwrap();
    assert_eq!(quick.period, Duration::from_millis(100));
    let two = with(&["--master=http://a", "--master=http://b"]);
    assert_eq!(
        two,
        [
            r#"--master: "http://a,http://b" is not allowed; allowed: one cluster; run isthmus-egress in each"#
        ]
    );
}

#[test]
fn noop_needs_no_zone() {
    assert_eq!(read(&["--provider=noop"]).unwrap().provider, Provider::Noop);
    let problems = read(&[]).unwrap_err();
    assert_eq!(
        problems,
        [r#"--aws-az: "" is not allowed; allowed: one availability zone or more"#]
    );
}
