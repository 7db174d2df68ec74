//! Session tokens of IMDSv2 that need no table.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

/// The key that tokens are made and checked with. It is drawn anew in every
/// process: a token does not outlive it, and an SDK that gets a 401 asks for another.
#[derive(Clone)]
pub struct TokenKey(Hmac<Sha256>);

/// How long a token is good for, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenTtl(u32);

impl TokenTtl {
    /// Reads `X-aws-ec2-metadata-token-ttl-seconds`:
    /// [1 to 21600](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html).
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let digits = (1..=5).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
        let seconds = text
            .iter()
            .filter(|_| digits)
            .fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
        (1..=21_600).contains(&seconds).then_some(Self(seconds))
    }

    /// Seconds.
    #[must_use]
    pub fn seconds(self) -> u32 {
        self.0
    }
}

/// Bytes of the expiry in front of the MAC.
const EXPIRY: usize = 8;
const MAC: usize = 32;

impl TokenKey {
    /// A key of 32 random bytes.
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        // HMAC takes keys of any length, so this cannot fail.
        #[allow(clippy::expect_used)]
        Self(Hmac::new_from_slice(&random).expect("HMAC takes a key of any length"))
    }

    /// A token for the pod, good until `now` and `ttl` seconds: hex digits of
    /// the expiry and of HMAC-SHA256 over the pod's UID and that expiry.
    #[must_use]
    pub fn issue(&self, pod_uid: &str, ttl: TokenTtl, now: Timestamp) -> String {
        let expiry = now
            .as_second()
            .saturating_add(i64::from(ttl.0))
            .to_be_bytes();
        let mac = self.mac(pod_uid, expiry).finalize().into_bytes();
        let mut token = String::with_capacity(2 * (EXPIRY + MAC));
        for byte in expiry.iter().chain(mac.iter()) {
            token.push(char::from(HEX[usize::from(byte >> 4)]));
            token.push(char::from(HEX[usize::from(byte & 15)]));
        }
        token
    }

    /// Whether `token` was issued with this key to this pod and has not expired.
    /// The MAC is compared in constant time.
    #[must_use]
    pub fn accepts(&self, token: &[u8], pod_uid: &str, now: Timestamp) -> bool {
        let Some(bytes) = unhex(token) else {
            return false;
        };
        let (expiry, mac) = bytes.split_at(EXPIRY);
        let Ok(expiry) = <[u8; EXPIRY]>::try_from(expiry) else {
            return false;
        };
        let genuine = self.mac(pod_uid, expiry).verify_slice(mac).is_ok();
        genuine && now.as_second() < i64::from_be_bytes(expiry)
    }

    fn mac(&self, pod_uid: &str, expiry: [u8; EXPIRY]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(b"imds-v2\0");
        mac.update(&expiry);
        mac.update(pod_uid.as_bytes());
        mac
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey([redacted])")
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn unhex(text: &[u8]) -> Option<[u8; EXPIRY + MAC]> {
    if text.len() != 2 * (EXPIRY + MAC) {
        return None;
    }
    let digit = |byte: u8| {
        HEX.iter()
            .position(|hex| *hex == byte)
            .and_then(|at| u8::try_from(at).ok())
    };
    let mut bytes = [0; EXPIRY + MAC];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::at;
    use proptest::prelude::*;

    fn key() -> TokenKey {
        TokenKey::new([7; 32])
    }

    fn ttl(seconds: u32) -> TokenTtl {
        TokenTtl::parse(seconds.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn ttls() {
        assert_eq!(TokenTtl::parse(b"1").unwrap().seconds(), 1);
        assert_eq!(TokenTtl::parse(b"21600").unwrap().seconds(), 21_600);
        for text in [
            "",
            "0",
            "21601",
            "99999",
            "100000",
            "abc",
            "-1",
            "+1",
            "1.5",
            " 1",
            "1 ",
            "0x1",
            "4294967297",
        ] {
            assert_eq!(TokenTtl::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn a_token_is_of_one_pod_one_key_and_some_seconds() {
        let token = key().issue("uid-a", ttl(60), at(0));
        assert!(token.bytes().all(|b| b.is_ascii_hexdigit()));
        assert!(key().accepts(token.as_bytes(), "uid-a", at(0)));
        assert!(key().accepts(token.as_bytes(), "uid-a", at(59)));
        assert!(!key().accepts(token.as_bytes(), "uid-a", at(60)));
        assert!(!key().accepts(token.as_bytes(), "uid-b", at(0)));
        assert!(!key().accepts(token.as_bytes(), "", at(0)));
        assert!(!TokenKey::new([8; 32]).accepts(token.as_bytes(), "uid-a", at(0)));
        assert!(!key().accepts(token.to_uppercase().as_bytes(), "uid-a", at(0)));
        assert_eq!(format!("{:?}", key()), "TokenKey([redacted])");
    }

    proptest! {
        #[test]
        fn a_changed_token_is_refused(position in 0_usize..80, byte in any::<u8>()) {
            let token = key().issue("uid-a", ttl(60), at(0));
            let mut changed = token.clone().into_bytes();
            changed[position] = byte;
            prop_assert_eq!(key().accepts(&changed, "uid-a", at(0)), changed == token.as_bytes());
        }

        #[test]
        fn never_panics(token in prop::collection::vec(any::<u8>(), 0..100), uid in ".{0,10}") {
            prop_assert!(!key().accepts(&token, &uid, at(0)));
        }
    }
}
