use std::time::Duration;

use isthmus_core::GoDuration;

use super::*;
use crate::{CommonArgs, ControllerArgs, LogLevel};

#[derive(Debug, clap::Args)]
struct Own {
    #[command(flatten)]
    common: CommonArgs,
    #[command(flatten)]
    controller: ControllerArgs,
    #[arg(long, value_parser = ["ipv4", "dualstack"], default_value = "ipv4")]
    ip_addr_type: String,
    #[arg(long, default_value = "5m", env = "POLLING_INTERVAL")]
    polling_interval: GoDuration,
    #[arg(long, alias = "port", default_value_t = 9999)]
    target_port: u16,
    #[arg(long = "domain-filter")]
    domains: Vec<String>,
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    prefer: bool,
    #[arg(long)]
    maybe: Option<bool>,
    #[arg(long, hide_env_values = true, value_parser = parse_key)]
    aes_key: Option<String>,
}

fn parse_key(text: &str) -> Result<String, &'static str> {
    (text.len() == 32)
        .then(|| text.to_owned())
        .ok_or("32 bytes")
}

#[derive(Debug, clap::Args)]
struct Strict {
    #[arg(long)]
    vpc_id: String,
    #[arg(long)]
    access_mode: String,
    #[arg(long, default_value_t = 1)]
    count: u8,
}

fn read<A: clap::Args>(line: &str, env: &[(&str, &str)]) -> Result<A, Exit> {
    let argv = std::iter::once("isthmus-test")
        .chain(line.split_whitespace())
        .map(OsString::from);
    let env = env
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    parse_args("isthmus-test", "For tests.", argv, &env)
}

fn own(line: &str) -> Own {
    read(line, &[]).unwrap()
}

#[test]
fn defaults() {
    let args = own("");
    assert_eq!(args.ip_addr_type, "ipv4");
    assert_eq!(args.polling_interval.0, Duration::from_secs(300));
    assert_eq!(args.common.metrics_address.to_string(), ":7979");
    assert_eq!(
        args.controller.removal_limit(),
        isthmus_core::RemovalLimit::default()
    );
    assert!(!args.controller.once && args.prefer);
    assert_eq!(args.maybe, None);
}

#[test]
fn both_notations_and_aliases() {
    let args = own(
        "--target-port=80 --polling-interval 30s --log-level warning --domain-filter -x --domain-filter=y",
    );
    assert_eq!(args.target_port, 80);
    assert_eq!(args.polling_interval.0, Duration::from_secs(30));
    assert_eq!(args.common.log_level, LogLevel::Warn);
    assert_eq!(args.domains, ["-x", "y"]);
    assert_eq!(own("--port 81").target_port, 81);
}

#[test]
fn booleans_can_be_negated() {
    for (line, once, prefer, maybe) in [
        ("--once", true, true, None),
        ("--once=true --maybe", true, true, Some(true)),
        ("--once=0 --prefer=false", false, false, None),
        (
            "--no-once --no-prefer --no-maybe",
            false,
            false,
            Some(false),
        ),
        ("--once --prefer=T --maybe=false", true, true, Some(false)),
    ] {
        let args = own(line);
        assert_eq!(
            (args.controller.once, args.prefer, args.maybe),
            (once, prefer, maybe),
            "{line}"
        );
    }
}

#[test]
fn the_environment_says_what_the_command_line_does_not() {
    let env = [
        ("ISTHMUS_ONCE", "true"),
        ("ISTHMUS_PREFER", "false"),
        ("ISTHMUS_DOMAIN_FILTER", "a.org, b.org"),
        ("ISTHMUS_TARGET_PORT", "1"),
        ("ISTHMUS_IP_ADDR_TYPE", ""),
        ("POLLING_INTERVAL", "7s"),
        ("ISTHMUS_DNS_SERVICE_HOST", "10.0.0.1"),
    ];
    let args: Own = read("--target-port 2", &env).unwrap();
    assert!(args.controller.once && !args.prefer);
    assert_eq!(args.domains, ["a.org", "b.org"]);
    assert_eq!(args.target_port, 2);
    assert_eq!(args.ip_addr_type, "ipv4");
    assert_eq!(args.polling_interval.0, Duration::from_secs(7));
    let both: Own = read(
        "",
        &[
            ("POLLING_INTERVAL", "7s"),
            ("ISTHMUS_POLLING_INTERVAL", "8s"),
        ],
    )
    .unwrap();
    assert_eq!(both.polling_interval.0, Duration::from_secs(8));
}

#[test]
fn every_mistake_is_told_at_once() {
    let exit = read::<Own>(
        "--ip-addr-type foo --polling-interval 5 --target-port 70000 --once=maybe stray --ip-adr-type x \
         --metrics-address 7979 --log-level loud --aes-key secret --target-port 1 --no-prefer=true --kubeconfig",
        &[("ISTHMUS_MAX_REMOVAL_COUNT", "many")],
    )
    .unwrap_err();
    assert_eq!(exit.code, 2);
    let lines: Vec<_> = exit.text.lines().collect();
    assert_eq!(
        lines,
        [
            r#""stray" is not allowed; allowed: flags, see --help"#,
            "--ip-adr-type: no such flag; did you mean --ip-addr-type?",
            r#""x" is not allowed; allowed: flags, see --help"#,
            "--no-prefer: takes no value",
            "--kubeconfig: needs a value",
            "--target-port: is given more than once",
            r#"--ip-addr-type: "foo" is not allowed; allowed: ipv4, dualstack"#,
            r#"--polling-interval: "5" is not allowed; allowed: a sequence of numbers with the units ns, us, ms, s, m, h, such as 1h30m"#,
            r#"--target-port: "70000" is not allowed; allowed: a whole number (70000 is not in 0..=65535)"#,
            r#"--once: "maybe" is not allowed; allowed: true, false"#,
            r#"--metrics-address: "7979" is not allowed; allowed: host:port, where the host may be empty and the port is 0 to 65535, such as :7979 or 127.0.0.1:0"#,
            r#"--log-level: "loud" is not allowed; allowed: trace, debug, info, warn, error, off"#,
            "--aes-key: the value is not allowed; allowed: 32 bytes",
            r#"--max-removal-count: "many" is not allowed; allowed: a whole number (invalid digit found in string) (from ISTHMUS_MAX_REMOVAL_COUNT)"#,
        ]
    );
}

#[test]
fn required_flags_are_named_once() {
    let exit = read::<Strict>("--count 256", &[]).unwrap_err();
    let lines: Vec<_> = exit.text.lines().collect();
    assert_eq!(
        lines,
        [
            r#"--count: "256" is not allowed; allowed: a whole number (256 is not in 0..=255)"#,
            "--vpc-id: is required",
            "--access-mode: is required",
        ]
    );
}

#[test]
fn wrong_flags_do_not_hide_the_right_ones() {
    let argv = ["isthmus-test", "--ip-addr-type=foo", "--target-port=80"].map(OsString::from);
    let (args, problems) = read_args::<Own>("isthmus-test", "", argv, &BTreeMap::new()).unwrap();
    assert_eq!(problems.lines().len(), 1);
    assert_eq!(args.unwrap().target_port, 80);
}

#[test]
fn help_and_version_end_well() {
    let help = read::<Own>("--ip-addr-type foo --help", &[]).unwrap_err();
    assert_eq!(help.code, 0);
    for said in [
        "For tests.",
        "--leader-elect",
        "[default: :7979]",
        "ISTHMUS_",
    ] {
        assert!(help.text.contains(said), "{said} in {}", help.text);
    }
    let version = read::<Own>("--version", &[]).unwrap_err();
    assert_eq!(version.code, 0);
    assert!(
        version.text.starts_with("isthmus-test "),
        "{}",
        version.text
    );
}
