use super::*;

struct Strict;

#[derive(Debug, clap::Args)]
struct StrictArgs {
    #[arg(long, default_value_t = 24)]
    max_certs_alb: u32,
    #[arg(long, default_value = "HostPort")]
    target_access_mode: String,
    #[arg(long)]
    debug: bool,
}

impl Controller for Strict {
    const NAME: &'static str = "isthmus-test";
    type Args = StrictArgs;
    type Config = u32;

    fn config(args: StrictArgs, _: &CommonArgs, problems: &mut Problems) -> Option<u32> {
        if args.max_certs_alb > 24 {
            problems.push("max-certs-alb", args.max_certs_alb, "1 to 24");
        }
        if !["HostPort", "AWSCNI"].contains(&args.target_access_mode.as_str()) {
            problems.push(
                "target-access-mode",
                &args.target_access_mode,
                "HostPort, AWSCNI",
            );
        }
        problems.is_empty().then_some(args.max_certs_alb)
    }
    fn resync(_: &u32) -> Duration {
        Duration::from_secs(300)
    }
    fn log_level(args: &StrictArgs) -> Option<LogLevel> {
        args.debug.then_some(LogLevel::Debug)
    }
    async fn start(_: u32, _: &mut Setup) -> Result<Self, StartError> {
        Ok(Self)
    }
    async fn run_once(&self, _: &Run<'_>) -> Result<Outcome, RunError> {
        Ok(Outcome::default())
    }
}

fn read(line: &str) -> Result<Launch<Strict>, Exit> {
    let argv = std::iter::once("isthmus-test").chain(line.split_whitespace());
    Launch::read(argv.map(OsString::from), &BTreeMap::new())
}

#[test]
fn flags_of_all_three_kinds() {
    let launch = read("--max-certs-alb 3 --once --cluster-id kube-1 --debug")
        .ok()
        .unwrap();
    assert_eq!(launch.config, 3);
    assert!(launch.controller.once);
    assert_eq!(launch.common.cluster_id.as_deref(), Some("kube-1"));
    assert_eq!(launch.common.log_level, LogLevel::Debug);
}

#[test]
fn problems_of_every_kind_are_told_together_and_once() {
    let exit = read(
        "--max-certs-alb 25 --target-access-mode Legacy --max-removal-percent 101 \
         --log-format xml --otlp-endpoint otel:4318 --leader-election-id Upper",
    )
    .err()
    .unwrap();
    assert_eq!(exit.code, 2);
    let lines: Vec<_> = exit.text.lines().collect();
    assert_eq!(
        lines,
        [
            r#"--log-format: "xml" is not allowed; allowed: text, json"#,
            r#"--otlp-endpoint: "otel:4318" is not allowed; allowed: http://HOST:PORT of a collector that takes OTLP over HTTP, such as http://otel-collector.monitoring:4318"#,
            r#"--max-removal-percent: "101" is not allowed; allowed: 0 to 100"#,
            r#"--leader-election-id: "Upper" is not allowed; allowed: lower-case letters, digits, '-' and '.'"#,
            r#"--max-certs-alb: "25" is not allowed; allowed: 1 to 24"#,
            r#"--target-access-mode: "Legacy" is not allowed; allowed: HostPort, AWSCNI"#,
        ]
    );
}
