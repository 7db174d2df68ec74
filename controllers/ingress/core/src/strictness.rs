//! Which TLS policy allows more than which.

use crate::SslPolicy;

/// What a policy asks of clients, see the [tables] of protocols and ciphers. Each
/// field is stricter the greater it is.
///
/// [tables]: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Demands {
    /// The oldest minor version of TLS 1.x that it allows.
    oldest: u8,
    /// Whether every cipher has forward secrecy.
    forward_secrecy: bool,
    /// Whether every cipher is authenticated (GCM, ChaCha20), none is CBC.
    authenticated: bool,
    /// Whether 3DES is not among the ciphers.
    no_triple_des: bool,
}

impl SslPolicy {
    /// Whether it allows nothing that `other` forbids: no older protocol, no
    /// weaker kind of cipher.
    #[must_use]
    pub fn is_as_strict_as(self, other: Self) -> bool {
        if self == other {
            return true;
        }
        let (this, that) = (self.demands(), other.demands());
        this.oldest >= that.oldest
            && this.forward_secrecy >= that.forward_secrecy
            && this.authenticated >= that.authenticated
            && this.no_triple_des >= that.no_triple_des
    }

    fn demands(self) -> Demands {
        let name = self.suffix();
        let has = |part: &str| name.split('-').any(|word| word == part);
        let newest = name.starts_with("TLS13-1-3-");
        let tls13 = name.starts_with("TLS13-");
        let extended = ["Ext", "Ext0", "Ext1", "Ext2"].into_iter().any(has);
        let since_1_2 = ["TLS-1-2-", "FS-1-2-", "TLS13-1-2-"]
            .iter()
            .any(|prefix| name.starts_with(prefix));
        let since_1_1 = ["TLS-1-1-", "FS-1-1-", "TLS13-1-1-"]
            .iter()
            .any(|prefix| name.starts_with(prefix));
        Demands {
            oldest: match (newest, since_1_2, since_1_1) {
                (true, ..) => 3,
                (_, true, _) => 2,
                (_, _, true) => 1,
                _ => 0,
            },
            forward_secrecy: newest || has("FS") || (tls13 && since_1_2 && !extended),
            authenticated: newest || has("Res"),
            no_triple_des: name != "TLS-1-0-2015-04",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(suffix: &str) -> SslPolicy {
        format!("ELBSecurityPolicy-{suffix}").parse().unwrap()
    }

    #[test]
    fn stricter_ones_forbid_more() {
        for (strict, lax) in [
            ("FS-2018-06", "2016-08"),
            ("2015-05", "2016-08"),
            ("TLS-1-2-2017-01", "TLS-1-1-2017-01"),
            ("FS-1-2-Res-2020-10", "FS-1-2-2019-08"),
            ("TLS13-1-2-2021-06", "2016-08"),
            ("TLS13-1-2-Res-2021-06", "TLS13-1-2-2021-06"),
            ("TLS13-1-2-2021-06", "TLS13-1-2-Ext2-2021-06"),
            ("TLS13-1-3-2021-06", "FS-1-2-Res-2020-10"),
            ("TLS13-1-2-Res-PQ-2025-09", "TLS13-1-2-2021-06"),
        ] {
            assert!(
                policy(strict).is_as_strict_as(policy(lax)),
                "{strict} {lax}"
            );
        }
    }

    #[test]
    fn weaker_and_merely_different_ones_are_not_as_strict() {
        for (one, other) in [
            ("2016-08", "FS-2018-06"),
            ("TLS-1-0-2015-04", "2016-08"),
            ("TLS-1-1-2017-01", "TLS-1-2-2017-01"),
            ("TLS13-1-0-2021-06", "TLS-1-2-2017-01"),
            ("TLS-1-2-2017-01", "FS-2018-06"),
            ("TLS13-1-2-Ext1-2021-06", "TLS13-1-2-2021-06"),
            ("TLS13-1-2-Ext2-FIPS-PQ-2025-09", "FS-1-2-2019-08"),
        ] {
            assert!(!policy(one).is_as_strict_as(policy(other)), "{one} {other}");
        }
    }
}
