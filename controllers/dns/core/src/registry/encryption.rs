//! Ownership that only those with the key can read, in external-dns's form.

use std::fmt;
use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;

/// No ownership is longer than this; what unpacks to more is none.
const LONGEST: u64 = 4096;
/// Tells the key that nonces are made with from the key that texts are sealed with.
const NONCE_KEY: &[u8] = b"isthmus-dns nonce";

/// `--txt-encrypt-aes-key` and `--txt-encrypt-enabled`.
///
/// The text is packed with gzip, sealed with AES-256-GCM and written as base64
/// with the nonce in front, as external-dns does. External-dns draws a nonce at
/// random and keeps it for as long as the record lives. Here it is made out of the
/// key, the place and the text, as a synthetic nonce is: equal plans stay equal
/// without any randomness, and no nonce is used for two texts.
#[derive(Clone, PartialEq, Eq)]
pub struct Encryption {
    key: [u8; 32],
    write: bool,
}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryption")
            .field("write", &self.write)
            .finish_non_exhaustive()
    }
}

impl Encryption {
    /// Reads what is sealed with `key`, 32 characters or the base64 of 32 bytes.
    /// With `write`, what is written is sealed too. `None` if it is no such key.
    #[must_use]
    pub fn new(key: &str, write: bool) -> Option<Self> {
        let bytes = <[u8; 32]>::try_from(key.as_bytes()).ok();
        let key = bytes.or_else(|| STANDARD.decode(key).ok()?.try_into().ok())?;
        Some(Self { key, write })
    }

    /// Whether what is written is sealed.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.write
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        Some(LessSafeKey::new(
            UnboundKey::new(&AES_256_GCM, &self.key).ok()?,
        ))
    }

    /// The text that was sealed. `None` if it was not, or with another key.
    #[must_use]
    pub fn open(&self, sealed: &str) -> Option<String> {
        let mut sealed = STANDARD.decode(sealed).ok()?;
        if sealed.len() <= NONCE_LEN {
            return None;
        }
        let mut packed = sealed.split_off(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(&sealed).ok()?;
        let packed = self
            .cipher()?
            .open_in_place(nonce, Aad::empty(), &mut packed)
            .ok()?;
        let mut text = String::new();
        let unpacked = GzDecoder::new(&*packed)
            .take(LONGEST)
            .read_to_string(&mut text);
        unpacked.is_ok().then_some(text)
    }

    /// Seals a text for `place`, the same way each time. `None` only if packing
    /// into memory fails.
    #[must_use]
    pub fn seal(&self, text: &str, place: &str) -> Option<String> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(text.as_bytes()).ok()?;
        let mut packed = packer.finish().ok()?;
        let nonce = self.nonce(text, place);
        let assumed = Nonce::assume_unique_for_key(nonce);
        self.cipher()?
            .seal_in_place_append_tag(assumed, Aad::empty(), &mut packed)
            .ok()?;
        Some(STANDARD.encode([&nonce[..], &packed].concat()))
    }

    fn nonce(&self, text: &str, place: &str) -> [u8; NONCE_LEN] {
        let base = hmac::Key::new(hmac::HMAC_SHA256, &self.key);
        let own = hmac::sign(&base, NONCE_KEY);
        let own = hmac::Key::new(hmac::HMAC_SHA256, own.as_ref());
        let tag = hmac::sign(&own, format!("{place}\0{text}").as_bytes());
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&tag.as_ref()[..NONCE_LEN]);
        nonce
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    const KEY: &str = "0123456789abcdef0123456789ABCDEF";
    const TEXT: &str =
        "heritage=external-dns,external-dns/owner=me,external-dns/resource=ingress/shop/web";
    /// `TEXT` packed and sealed by Go's compress/gzip and crypto/cipher, as external-dns does it.
    const OF_GO: &str = "dHdlbHZlLWJ5dGVzvZGUkDXbwBBJK9PxssDQ6PI/0bE/WVDEwUV4uJcP3jcgoPrJs6VqCzs1eXjswBj5J//gPm/SEG+Ntd/tokSw6mN0xc0dVk4mhIBwsLZKJ55p+pmtXn1aI5Y3aHY8BxhFuNv0MY0HIhCI";

    fn encryption(key: &str) -> Encryption {
        Encryption::new(key, true).unwrap()
    }

    #[test]
    fn what_external_dns_sealed_is_read() {
        assert_eq!(encryption(KEY).open(OF_GO).as_deref(), Some(TEXT));
        let other = encryption("0123456789abcdef0123456789ABCDEX");
        assert_eq!(other.open(OF_GO), None);
    }

    #[test]
    fn a_key_is_32_characters_or_the_base64_of_32_bytes() {
        let same = encryption(&STANDARD.encode(KEY));
        assert_eq!(same.open(OF_GO).as_deref(), Some(TEXT));
        for wrong in ["", "short", &KEY[1..], &STANDARD.encode("short")] {
            assert_eq!(Encryption::new(wrong, false), None, "{wrong}");
        }
    }

    #[test]
    fn a_nonce_is_never_used_for_two_texts_or_places() {
        let encryption = encryption(KEY);
        let seals = [("a", "x"), ("a", "y"), ("b", "x")].map(|(text, place)| {
            encryption
                .seal(text, place)
                .map(|sealed| sealed[..16].to_owned())
        });
        assert!(seals[0] != seals[1] && seals[0] != seals[2] && seals[1] != seals[2]);
        assert_eq!(encryption.seal("a", "x"), encryption.seal("a", "x"));
    }

    #[test]
    fn the_key_is_in_no_debug_text() {
        let text = format!("{:?}", encryption(KEY));
        assert!(!text.contains("0123") && !text.contains("48, 49"), "{text}");
    }

    proptest! {
        // The same cases each time, so that a change is judged and not luck.
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(53), ..ProptestConfig::default() })]

        #[test]
        fn what_is_sealed_is_opened(text in ".{0,300}", place in "[a-z.]{1,20}") {
            let encryption = encryption(KEY);
            let sealed = encryption.seal(&text, &place).unwrap();
            prop_assert_eq!(encryption.open(&sealed), Some(text));
        }

        #[test]
        fn never_panics(text in ".{0,60}", base64 in "[a-zA-Z0-9+/]{0,80}={0,2}") {
            let encryption = encryption(KEY);
            prop_assert_eq!(encryption.open(&text), None);
            prop_assert_eq!(encryption.open(&base64), None);
        }
    }
}
