//! The flags that say who owns a record.

use dns_core::{Affix, Encryption, Registry, TxtRegistry};
use isthmus_runtime::Problems;

use crate::args::RegistryArgs;

pub(super) fn registry(args: &RegistryArgs, problems: &mut Problems) -> Option<Registry> {
    let owner = &args.txt_owner_id;
    check_owner("txt-owner-id", owner, problems);
    for other in &args.adopt_from_owner {
        check_owner("adopt-from-owner", other, problems);
        if other == owner {
            problems.push(
                "adopt-from-owner",
                other,
                "an owner other than --txt-owner-id",
            );
        }
    }
    check_affixes(args, problems);
    let encryption = encryption(args, problems);
    match args.registry.as_str() {
        "txt" => {
            let affix = Affix::new(
                &args.txt_prefix,
                &args.txt_suffix,
                &args.txt_wildcard_replacement,
            );
            Some(Registry::Txt(TxtRegistry {
                encryption,
                adopt_from: args.adopt_from_owner.iter().cloned().collect(),
                ..TxtRegistry::new(owner, affix)
            }))
        }
        "noop" => {
            let txt_only = [
                ("txt-encrypt-enabled", args.txt_encrypt_enabled),
                ("adopt-from-owner", !args.adopt_from_owner.is_empty()),
            ];
            for (flag, _) in txt_only.into_iter().filter(|(_, given)| *given) {
                problems.say(flag, "needs --registry=txt");
            }
            Some(Registry::Noop)
        }
        other => {
            problems.say(
                "registry",
                format_args!("{other:?} is not supported; allowed: txt, noop"),
            );
            None
        }
    }
}

fn check_owner(flag: &str, owner: &str, problems: &mut Problems) {
    let legal = |c: char| c.is_ascii_graphic() && !matches!(c, ',' | '"' | '\\' | '=');
    if owner.is_empty() || !owner.chars().all(legal) {
        problems.push(flag, owner, "printable characters other than , \" \\ and =");
    }
}

fn check_affixes(args: &RegistryArgs, problems: &mut Problems) {
    let (prefix, suffix) = (&args.txt_prefix, &args.txt_suffix);
    if !prefix.is_empty() && !suffix.is_empty() {
        problems.push("txt-suffix", suffix, "a suffix or --txt-prefix, not both");
    }
    for (flag, text) in [
        ("txt-prefix", prefix),
        ("txt-suffix", suffix),
        ("txt-wildcard-replacement", &args.txt_wildcard_replacement),
    ] {
        let plain = text.replace("%{record_type}", "");
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !plain.chars().all(legal) {
            let allowed = "letters, digits, '-', '_', '.' and %{record_type}";
            problems.push(flag, text, allowed);
        }
    }
}

/// The key, which must be right even if nothing is written with it: what is
/// sealed would count as nobody's.
fn encryption(args: &RegistryArgs, problems: &mut Problems) -> Option<Encryption> {
    let key = &args.txt_encrypt_aes_key.0;
    if key.is_empty() {
        if args.txt_encrypt_enabled {
            problems.say(
                "txt-encrypt-aes-key",
                "is required by --txt-encrypt-enabled",
            );
        }
        return None;
    }
    let encryption = Encryption::new(key, args.txt_encrypt_enabled);
    if encryption.is_none() {
        problems.say(
            "txt-encrypt-aes-key",
            "is no key; allowed: 32 characters, or the base64 of 32 bytes",
        );
    }
    encryption
}
