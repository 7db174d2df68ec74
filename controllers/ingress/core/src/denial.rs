//! Requests that are refused by the load balancer itself: `--deny-internal-domains`.

use std::collections::BTreeSet;

/// Values of one condition and wildcards in one rule, as AWS limits them
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html>).
const PER_RULE: usize = 5;

/// A [fixed response].
///
/// [fixed response]: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_FixedResponseActionConfig.html
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedResponse {
    /// 2xx, 4xx or 5xx.
    pub status: u16,
    /// One of [`FixedResponse::CONTENT_TYPES`].
    pub content_type: String,
    /// At most 1024 characters.
    pub body: String,
}

impl FixedResponse {
    /// What AWS allows.
    pub const CONTENT_TYPES: [&'static str; 5] = [
        "text/plain",
        "text/css",
        "text/html",
        "application/javascript",
        "application/json",
    ];
    /// The longest body.
    pub const MAX_BODY: usize = 1024;
}

/// Which hosts are refused, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// `--internal-domains`: host names with `*` and `?`.
    pub domains: BTreeSet<String>,
    /// `--deny-internal-domains-response*`.
    pub response: FixedResponse,
}

impl Denial {
    /// Whether AWS takes this as a host in a rule.
    #[must_use]
    pub fn is_host_pattern(text: &str) -> bool {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"-.*?_".contains(&b);
        (1..=128).contains(&text.len()) && text.bytes().all(legal) && wildcards(text) <= PER_RULE
    }

    /// The hosts of each rule: no rule may hold them all if they are many.
    #[must_use]
    pub fn rules(&self) -> Vec<BTreeSet<String>> {
        let mut rules: Vec<BTreeSet<String>> = Vec::new();
        let mut used = 0;
        for domain in &self.domains {
            let more = wildcards(domain);
            match rules.last_mut() {
                Some(rule) if rule.len() < PER_RULE && used + more <= PER_RULE => {
                    rule.insert(domain.clone());
                    used += more;
                }
                _ => {
                    rules.push(BTreeSet::from([domain.clone()]));
                    used = more;
                }
            }
        }
        rules
    }
}

fn wildcards(text: &str) -> usize {
    text.bytes().filter(|b| matches!(b, b'*' | b'?')).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(domains: &[&str]) -> Denial {
        Denial {
            domains: domains.iter().map(|d| (*d).to_owned()).collect(),
            response: FixedResponse {
                status: 401,
                content_type: "text/plain".into(),
                body: "Unauthorized".into(),
            },
        }
    }

    #[test]
    fn many_domains_take_several_rules() {
        assert_eq!(denial(&["*.cluster.local"]).rules().len(), 1);
        assert_eq!(denial(&["a", "b", "c", "d", "e", "f"]).rules().len(), 2);
        let wild = denial(&["*.*.a", "*.*.b", "*.*.c"]).rules();
        assert_eq!(wild.len(), 2, "four wildcards and two: {wild:?}");
        assert!(denial(&[]).rules().is_empty());
    }

    #[test]
    fn only_patterns_that_aws_takes() {
        for (text, legal) in [
            ("*.cluster.local", true),
            ("a?.internal", true),
            ("", false),
            ("a/b", false),
            ("******", false),
            ("a b", false),
        ] {
            assert_eq!(Denial::is_host_pattern(text), legal, "{text}");
        }
    }
}
