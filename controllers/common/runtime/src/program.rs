//! Which of several programs in one file is meant.

use std::ffi::OsString;
use std::path::Path;

use crate::Exit;

/// What the names of all programs begin with, and what may be left out after `isthmus`.
const PREFIX: &str = "isthmus-";

/// The program that a command line asks for: its place among `names` and its own
/// command line. The file's name decides, and if that is none of them the first
/// argument does, in full or without `isthmus-`.
///
/// # Errors
/// The names, with code 0 for `--help` and `--version` and with code 2 otherwise.
pub fn chosen(
    names: &[&str],
    argv: impl IntoIterator<Item = OsString>,
) -> Result<(usize, Vec<OsString>), Exit> {
    let mut argv: Vec<OsString> = argv.into_iter().collect();
    let file = argv.first().and_then(|path| Path::new(path).file_name());
    let file = file.and_then(|name| name.to_str()).unwrap_or_default();
    if let Some(which) = names.iter().position(|name| *name == file) {
        return Ok((which, argv));
    }
    let word = argv.get(1).and_then(|word| word.to_str());
    let which = names.iter().position(|name| {
        word.is_some_and(|word| *name == word || name.strip_prefix(PREFIX) == Some(word))
    });
    match (which, word) {
        (Some(which), _) => {
            argv.remove(0);
            argv[0] = names[which].into();
            Ok((which, argv))
        }
        (None, Some("--version" | "-V")) => Err(Exit {
            code: 0,
            text: format!("isthmus {}\n", env!("CARGO_PKG_VERSION")),
        }),
        (None, Some("--help" | "-h")) => Err(Exit {
            code: 0,
            text: format!("One of the programs, and then its flags:\n{}", list(names)),
        }),
        (None, _) => Err(Exit {
            code: 2,
            text: format!(
                "{:?} is no program of this file; allowed, as its name or as the first argument:\n{}",
                word.unwrap_or(file),
                list(names)
            ),
        }),
    }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("  {name}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 2] = ["isthmus-dns", "isthmus-metadata-proxy"];

    fn choose(line: &str) -> Result<(usize, Vec<OsString>), Exit> {
        chosen(&NAMES, line.split_whitespace().map(Into::into))
    }

    #[test]
    fn the_name_of_the_file_decides_before_the_first_argument() {
        for (line, expected) in [
            ("/isthmus-dns --once", "/isthmus-dns --once"),
            ("isthmus-dns metadata-proxy", "isthmus-dns metadata-proxy"),
            ("/isthmus dns --once", "isthmus-dns --once"),
            ("isthmus isthmus-dns", "isthmus-dns"),
        ] {
            let argv: Vec<OsString> = expected.split_whitespace().map(Into::into).collect();
            assert_eq!(choose(line), Ok((0, argv)), "{line}");
        }
        let (which, argv) = choose("isthmus metadata-proxy redirect check").unwrap();
        assert_eq!((which, argv.len()), (1, 3));
    }

    #[test]
    fn an_unknown_name_gets_the_list() {
        for line in ["", "isthmus", "isthmus dsn", "isthmus --once dns"] {
            let exit = choose(line).unwrap_err();
            assert_eq!(exit.code, 2, "{line}");
            for name in NAMES {
                assert!(exit.text.contains(name), "{line}: {}", exit.text);
            }
        }
        assert_eq!(choose("isthmus --help").unwrap_err().code, 0);
        assert_eq!(choose("isthmus -V").unwrap_err().code, 0);
    }
}
