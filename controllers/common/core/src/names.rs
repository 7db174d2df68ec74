//! Names that a restart finds again.

use sha2::{Digest, Sha256};

/// The first `len` lower-case hex digits of SHA-256 over the parts, each ended
/// by a NUL so that `["ab", "c"]` and `["a", "bc"]` differ.
#[must_use]
pub fn short_hash(parts: &[&str], len: usize) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    let mut hex = String::with_capacity(64);
    for byte in digest.finalize() {
        hex.push_str(&format!("{byte:02x}"));
    }
    hex.truncate(len);
    hex
}

/// `text` with everything but ASCII letters and digits turned into `-`, runs
/// squeezed and the ends trimmed.
#[must_use]
pub fn dns_safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            safe.push(c.to_ascii_lowercase());
        } else if !safe.ends_with('-') {
            safe.push('-');
        }
    }
    safe.trim_matches('-').to_owned()
}

/// A deterministic name of at most `max` characters: the readable text, cut, and
/// ten hex digits of the hash of the identity. The same identity gives the same
/// name after a restart, so a creation that was cut off finds its own work.
#[must_use]
pub fn short_name(readable: &str, identity: &[&str], max: usize) -> String {
    const DIGITS: usize = 10;
    let hash = short_hash(identity, DIGITS);
    let mut name = dns_safe(readable);
    name.truncate(max.saturating_sub(DIGITS + 1));
    let name = name.trim_end_matches('-');
    if name.is_empty() {
        hash
    } else {
        format!("{name}-{hash}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(short_hash(&["ab", "c"], 10), short_hash(&["a", "bc"], 10));
        assert_eq!(short_hash(&["ab", "c"], 10), short_hash(&["ab", "c"], 10));
    }

    #[test]
    fn cluster_ids_with_colons_are_fine() {
        assert_eq!(
            dns_safe("aws:123:eu-central-1:kube-1"),
            "aws-123-eu-central-1-kube-1"
        );
    }

    proptest! {
        // The same cases each time, so that a change is judged and not luck.
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(53), ..ProptestConfig::default() })]

        #[test]
        fn names_fit_and_are_legal(readable in ".{0,80}", id in ".{0,80}", max in 16_usize..64) {
            let name = short_name(&readable, &[&id], max);
            prop_assert!(name.len() <= max, "{name}");
            prop_assert!(!name.starts_with('-') && !name.ends_with('-'), "{name}");
            prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{name}");
        }
    }
}
