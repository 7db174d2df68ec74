//! The cluster and the node.

use hyper::Uri;
use isthmus_runtime::Problems;
use metadata_proxy_core::is_taint_key;

use super::{ApiServer, Cluster};
use crate::args::Args;

pub(super) fn cluster(args: &Args, problems: &mut Problems) -> Option<Cluster> {
    let kubernetes = &args.kubernetes;
    let node = kubernetes.node.clone();
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    if node.len() > 253 || !node.bytes().all(legal) {
        problems.push("node", &node, "the name of a Node");
    }
    if let Some(key) = &kubernetes.startup_taint {
        if !is_taint_key(key) {
            problems.push(
                "startup-taint",
                key,
                "the key of a taint, such as isthmus.dev/metadata-proxy",
            );
        }
        if node.is_empty() {
            problems.say("startup-taint", "has a meaning only with --node");
        }
    }
    let lonely = [
        ("api-token", kubernetes.api_token.is_some()),
        ("insecure", kubernetes.insecure),
    ];
    for (flag, _) in lonely
        .iter()
        .filter(|(_, given)| *given && kubernetes.api_server.is_none())
    {
        problems.say(flag, "has a meaning only with --api-server");
    }
    let server = match &kubernetes.api_server {
        None => None,
        Some(url) => {
            let uri = url.parse().ok().filter(|uri: &Uri| uri.scheme().is_some());
            if uri.is_none() {
                problems.push("api-server", url, "a URL");
            }
            Some(ApiServer {
                url: uri?,
                token: kubernetes.api_token.clone(),
                insecure: kubernetes.insecure,
            })
        }
    };
    Some(Cluster {
        node,
        startup_taint: kubernetes.startup_taint.clone(),
        server,
        resolve_duplicates: kubernetes.resolve_duplicate_cache_ips,
    })
}
