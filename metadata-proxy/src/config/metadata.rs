//! The real instance metadata, and the rules that lead pods away from it.

use std::ops::RangeInclusive;
use std::time::Duration;

use hyper::Uri;
use isthmus_runtime::Problems;
use metadata_proxy_core::{CONTAINER_V4, CONTAINER_V6, IMDS_V4, IMDS_V6, Redirect};

use crate::args::Args;

/// Each look starts a process or two.
const INTERVALS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);

pub(super) fn imds(
    flag: Option<&str>,
    endpoint: Option<&str>,
    problems: &mut Problems,
) -> Option<Uri> {
    let text = match (flag, endpoint.filter(|endpoint| !endpoint.is_empty())) {
        (Some(address), _) => format!("http://{address}"),
        (None, Some(endpoint)) => endpoint.trim_end_matches('/').to_owned(),
        (None, None) => format!("http://{IMDS_V4}"),
    };
    let uri: Option<Uri> = text.parse().ok();
    let plain =
        |uri: &Uri| uri.scheme_str() == Some("http") && uri.path() == "/" && uri.query().is_none();
    let uri = uri
        .filter(plain)
        .filter(|uri| uri.authority().is_some_and(|a| !a.as_str().contains('@')));
    if uri.is_none() {
        let allowed = "a host or an address, with a port or without (from the flag or from AWS_EC2_METADATA_SERVICE_ENDPOINT)";
        problems.push(
            "metadata-addr",
            flag.or(endpoint).unwrap_or_default(),
            allowed,
        );
    }
    uri
}

pub(super) fn redirects(args: &Args, problems: &mut Problems) -> Vec<Redirect> {
    let redirect = &args.redirect;
    if !redirect.iptables {
        if redirect.iptables_remove {
            problems.say("iptables-remove", "has a meaning only with --iptables");
        }
        if redirect.container_endpoint {
            problems.say("container-endpoint", "has a meaning only with --iptables");
        }
        return Vec::new();
    }
    let interval = redirect.iptables_check_interval;
    if !INTERVALS.contains(&interval.0) {
        problems.push("iptables-check-interval", interval, "1s to 10m");
    }
    if redirect.host_ip.is_empty() {
        problems.say("host-ip", "is required with --iptables");
    }
    if args.listen.app_port == 0 {
        problems.push("app-port", 0, "a fixed port with --iptables");
    }
    let exists = |name: &str| std::path::Path::new("/sys/class/net").join(name).exists();
    if let Some(name) = redirect
        .host_interface
        .must_exist()
        .filter(|name| !exists(name))
    {
        problems.push(
            "host-interface",
            name,
            "an interface of this node, or a name with + behind or ! in front of it",
        );
    }
    // Of the real service, whatever is asked in its place: that is what pods would reach.
    let container = [CONTAINER_V4, CONTAINER_V6].into_iter();
    [IMDS_V4, IMDS_V6]
        .into_iter()
        .chain(container.filter(|_| redirect.container_endpoint))
        .map(|metadata| {
            let host = redirect
                .host_ip
                .iter()
                .find(|host| host.is_ipv4() == metadata.is_ipv4());
            Redirect {
                metadata,
                interface: redirect.host_interface.clone(),
                to: host.map(|host| (*host, args.listen.app_port).into()),
                port: args.listen.app_port,
            }
        })
        .collect()
}
