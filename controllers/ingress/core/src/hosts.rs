/// A host as certificates and rules name it: lower case, without the final dot.
#[must_use]
pub fn normal_host(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// Whether `host` lies in `domain`, which only pods can resolve: it needs no load
/// balancer. `domain` itself and everything below it, but not `my-cluster.local`
/// for `cluster.local`.
#[must_use]
pub fn cluster_local(host: &str, domain: &str) -> bool {
    let domain = domain.trim_start_matches('.');
    !domain.is_empty()
        && host
            .strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_ends_at_a_dot() {
        for (host, local) in [
            ("web.default.svc.cluster.local", true),
            ("cluster.local", true),
            ("my-cluster.local", false),
            ("example.org", false),
        ] {
            assert_eq!(cluster_local(host, "cluster.local"), local, "{host}");
            assert_eq!(cluster_local(host, ".cluster.local"), local, "{host}");
            assert!(!cluster_local(host, ""), "{host}");
        }
    }
}
