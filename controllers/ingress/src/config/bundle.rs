//! Files with certificate authorities.

use super::check::Check;
use crate::chain::certificates;

impl Check<'_> {
    /// The DER of every authority in the files of `--cert-ca-bundle`.
    pub(super) fn authorities(&mut self, files: &[String]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        for file in files.iter().filter(|file| !file.is_empty()) {
            let allowed = "a file with certificates in PEM";
            match std::fs::read(file) {
                Ok(pem) => match certificates(&pem) {
                    none if none.is_empty() => self.0.push("cert-ca-bundle", file, allowed),
                    some => found.extend(some),
                },
                Err(error) => {
                    let allowed = format_args!("{allowed} ({error})");
                    self.0.push("cert-ca-bundle", file, allowed);
                }
            }
        }
        found
    }
}
