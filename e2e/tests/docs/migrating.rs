//! Each page on moving has every flag of the program that is replaced, and what it says of a flag is so:
//! taken by the program, or refused with exit code 2.

use std::process::{Command, Stdio};

use isthmus_e2e::binaries;

use super::book::read;
use super::root;

/// A program that is replaced.
struct Replaced {
    page: &'static str,
    binary: &'static str,
    /// What a start needs at least.
    base: &'static [&'static str],
    /// Its flags, each with a value where it takes one; several on a line belong together.
    flags: &'static [&'static str],
}

const REPLACED: [Replaced; 4] = [
    Replaced {
        page: "from-kube-ingress-aws-controller",
        binary: "isthmus-ingress",
        base: &[],
        flags: &[
            "--version",
            "--debug",
            "--quiet",
            "--api-server-base-url=http://127.0.0.1:8001",
            "--polling-interval=30s",
            "--creation-timeout=5m",
            "--cert-polling-interval=30m",
            "--cert-ttl-timeout=1h",
            "--cert-filter-tag=team=edge",
            "--blacklist-certificate-arns=arn:aws:acm:eu-central-1:123456789012:certificate/a",
            "--max-certs-alb=24",
            "--disable-sni-support",
            "--ssl-policy=ELBSecurityPolicy-2016-08",
            "--ingress-class-filter=skipper,",
            "--controller-id=kube-ingress-aws-controller",
            "--cluster-id=kube-1",
            "--vpc-id=vpc-0a",
            "--cluster-local-domain=cluster.local",
            "--ip-addr-type=dualstack",
            "--load-balancer-type=application",
            "--target-access-mode=HostPort",
            "--target-cni-namespace=kube-system",
            "--target-cni-pod-labelselector=app=skipper",
            "--target-port=9999",
            "--alb-http-target-port=9998",
            "--nlb-http-target-port=9998 --nlb-http-enabled",
            "--target-https",
            "--health-check-path=/healthz",
            "--health-check-port=9999",
            "--health-check-interval=10s",
            "--health-check-timeout=5s",
            "--alb-healthy-threshold-count=5",
            "--alb-unhealthy-threshold-count=2",
            "--nlb-healthy-threshold-count=3",
            "--idle-connection-timeout=1m",
            "--deregistration-delay-timeout=5m",
            "--min-load-balancer-age=6m",
            "--redirect-http-to-https",
            "--deny-internal-domains",
            "--internal-domains=*.cluster.local",
            "--deny-internal-domains-response=Unauthorized",
            "--deny-internal-domains-response-content-type=text/plain",
            "--deny-internal-domains-response-status-code=401",
            "--nlb-zone-affinity=any_availability_zone",
            "--nlb-cross-zone",
            "--nlb-http-enabled",
            "--aws-waf-web-acl-id=arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/web/0a",
            "--logs-s3-bucket=logs",
            "--logs-s3-prefix=lb --logs-s3-bucket=logs",
            "--cloudwatch-alarms-config-map=kube-system/alarms",
            "--stack-termination-protection",
            "--additional-stack-tags=team=edge",
            "--disable-instrumented-http-client",
            "--metrics-address=127.0.0.1:0",
        ],
    },
    Replaced {
        page: "from-external-dns",
        binary: "isthmus-dns",
        base: &["--source=ingress"],
        flags: &[
            "--provider=aws",
            "--source=service",
            "--policy=sync",
            "--registry=txt",
            "--txt-owner-id=kube-1",
            "--txt-prefix=_x.",
            "--txt-suffix=-x",
            "--txt-wildcard-replacement=any",
            "--txt-encrypt-enabled --txt-encrypt-aes-key=01234567890123456789012345678901",
            "--txt-encrypt-aes-key=01234567890123456789012345678901 --txt-encrypt-enabled",
            "--txt-cache-interval=1m",
            "--migrate-from-txt-owner=old",
            "--provider-cache-time=1m",
            "--interval=1m",
            "--min-event-sync-interval=5s",
            "--events",
            "--once",
            "--dry-run",
            "--managed-record-types=A",
            "--exclude-record-types=AAAA",
            "--domain-filter=example.org",
            "--exclude-domains=internal.example.org",
            "--regex-domain-filter=example",
            "--regex-domain-exclusion=internal",
            "--zone-id-filter=Z1",
            "--aws-zone-type=public",
            "--aws-zone-tags=team=edge",
            "--aws-zone-match-parent",
            "--aws-profile=other",
            "--aws-assume-role=arn:aws:iam::123456789012:role/dns",
            "--aws-assume-role-external-id=x --aws-assume-role=arn:aws:iam::123456789012:role/dns",
            "--aws-batch-change-size=1000",
            "--aws-batch-change-size-bytes=32000",
            "--aws-batch-change-size-values=1000",
            "--aws-batch-change-interval=1s",
            "--aws-evaluate-target-health",
            "--no-aws-evaluate-target-health",
            "--aws-api-retries=3",
            "--aws-prefer-cname",
            "--prefer-alias",
            "--aws-zones-cache-duration=1h",
            "--dynamodb-table=external-dns",
            "--dynamodb-region=eu-central-1",
            "--min-ttl=60s",
            "--service-type-filter=LoadBalancer",
            "--publish-internal-services",
            "--publish-host-ip",
            "--always-publish-not-ready-addresses",
            "--resolve-service-load-balancer-hostname",
            "--ingress-class=skipper",
            "--annotation-filter=a=b",
            "--label-filter=a=b",
            "--namespace=shop",
            "--fqdn-template={{.Name}}.example.org",
            "--combine-fqdn-annotation",
            "--target-template=x",
            "--fqdn-target-template=x",
            "--ignore-hostname-annotation",
            "--ignore-ingress-tls-spec",
            "--ignore-ingress-rules-spec",
            "--default-targets=192.0.2.1",
            "--force-default-targets",
            "--target-net-filter=192.0.2.0/24",
            "--exclude-target-net=192.0.2.0/24",
            "--exclude-unschedulable",
            "--expose-internal-ipv6",
            "--create-ptr",
            "--nat64-networks=64:ff9b::/96",
            "--events-emit=RecordReady",
            "--kube-api-qps=5",
            "--kube-api-burst=10",
            "--kube-api-request-timeout=30s",
            "--metrics-address=127.0.0.1:0",
        ],
    },
    Replaced {
        page: "from-kube-static-egress-controller",
        binary: "isthmus-egress",
        base: &["--aws-az=a", "--aws-nat-cidr-block=10.0.0.0/28"],
        flags: &[
            "--master=https://127.0.0.1:1",
            "--kubeconfig=there-is-none",
            "--use-platform-credentials",
            "--credentials-dir=/meta/credentials",
            "--provider=aws",
            "--cluster-id=kube-1",
            "--cluster-id-tag-prefix=kubernetes.io/cluster/",
            "--controller-id=kube-static-egress-controller",
            "--vpc-id=vpc-0a",
            "--cf-template-bucket=templates",
            "--aws-nat-cidr-block=10.0.0.16/28 --aws-az=b",
            "--aws-az=b --aws-nat-cidr-block=10.0.0.16/28",
            "--stack-termination-protection",
            "--additional-stack-tags=team=edge",
            "--resync-interval=5m",
            "--dry-run",
            "--log-level=info",
            "--namespace=shop",
            "--address=127.0.0.1:0",
        ],
    },
    Replaced {
        page: "from-kube2iam",
        binary: "isthmus-metadata-proxy",
        base: &[],
        flags: &[
            "--kubeconfig=there-is-none",
            "--api-server=http://127.0.0.1:1",
            "--api-token=t --api-server=http://127.0.0.1:1",
            "--insecure --api-server=http://127.0.0.1:1",
            "--app-port=8181",
            "--metrics-port=8182",
            "--base-role-arn=arn:aws:iam::123456789012:role/",
            "--auto-discover-base-arn",
            "--auto-discover-default-role",
            "--default-role=web",
            "--iam-role-key=iam.amazonaws.com/role",
            "--iam-external-id=iam.amazonaws.com/external-id",
            "--iam-role-session-ttl=15m",
            "--iam-role-error-ttl=0",
            "--namespace-restrictions",
            "--namespace-restriction-format=glob",
            "--namespace-key=iam.amazonaws.com/allowed-roles",
            "--metadata-addr=127.0.0.1:1",
            "--iptables --host-ip=127.0.0.1 --host-interface=cali+",
            "--host-ip=127.0.0.1",
            "--host-interface=docker0",
            "--node=node-1",
            "--cache-resync-period=30m",
            "--resolve-duplicate-cache-ips",
            "--backoff-max-interval=1s",
            "--backoff-max-elapsed-time=2s",
            "--use-regional-sts-endpoint",
            "--debug",
            "--log-level=info",
            "--log-format=text",
            "--verbose",
            "--version",
        ],
    },
];

/// Whether the program refuses these arguments, with exit code 2. Otherwise it ends with 1, for there is no
/// such kubeconfig.
fn refuses(replaced: &Replaced, flags: &str) -> bool {
    let program = binaries::path(replaced.binary).expect("it builds");
    let mut arguments: Vec<&str> = replaced.base.to_vec();
    arguments.extend(flags.split(' '));
    let mut child = Command::new(program);
    child
        .args(&arguments)
        .env_clear()
        // No rules are put on this machine.
        .env("PATH", "/nonexistent")
        .env("KUBECONFIG", "there-is-none")
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let output = child.stderr(Stdio::piped()).output().expect("it runs");
    output.status.code() == Some(2)
}

/// The row of the page's tables that has the flag, and not only one that begins like it.
fn row<'a>(page: &'a str, flag: &str) -> Option<&'a str> {
    let named = |line: &&str| {
        let codes = line.split('`').skip(1).step_by(2);
        let mut flags = codes.flat_map(|code| code.split([' ', '=']));
        line.starts_with('|') && flags.any(|word| word == flag)
    };
    page.lines().find(named)
}

#[test]
fn every_flag_of_what_is_replaced_is_in_the_table_and_does_what_it_says() {
    let mut wrong = Vec::new();
    for replaced in &REPLACED {
        let page = read(&root().join(format!("docs/migrating/{}.md", replaced.page)));
        for flags in replaced.flags {
            let flag = flags.split(['=', ' ']).next().unwrap_or_default();
            let Some(row) = row(&page, flag) else {
                wrong.push(format!("{}: no row has {flag}", replaced.page));
                continue;
            };
            let (says, does) = (row.contains("refused"), refuses(replaced, flags));
            if says != does {
                let does = if does { "refuses" } else { "takes" };
                wrong.push(format!("{} {does} {flags}, and: {row}", replaced.binary));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
