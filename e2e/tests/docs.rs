//! What the documents say of the programs is what the programs say of
//! themselves, and the book holds together. `UPDATE_DOCS=1 cargo test --workspace --test docs --bins --lib`
//! writes what is generated anew.

#[path = "docs/book.rs"]
mod book;
#[path = "docs/examples.rs"]
mod examples;
#[path = "docs/migrating.rs"]
mod migrating;
#[path = "docs/reference.rs"]
mod reference;

use std::path::{Path, PathBuf};
use std::process::Command;

use isthmus_e2e::binaries;

/// The repository's root.
fn root() -> PathBuf {
    let e2e = Path::new(env!("CARGO_MANIFEST_DIR"));
    e2e.parent().expect("e2e lies in it").to_owned()
}

fn flags_page(binary: &str) -> PathBuf {
    root().join(format!("docs/flags/{binary}.md"))
}

/// The page as it should be: what `--help` prints.
fn expected(binary: &str) -> String {
    let program = binaries::path(binary).expect("it builds");
    let output = Command::new(program)
        .arg("--help")
        .output()
        .expect("it runs");
    assert!(
        output.status.success(),
        "{binary} --help: {}",
        output.status
    );
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    let help: Vec<_> = help.lines().map(str::trim_end).collect();
    format!(
        "# Flags of {binary}\n\nWhat `{binary} --help` prints. Every flag is also an environment variable: \
         `ISTHMUS_` and the flag in\nupper snake case, with commas between the values of a repeatable one.\n\n\
         ```text\n{}\n```\n",
        help.join("\n")
    )
}

#[test]
fn the_flags_are_those_of_the_programs() {
    for binary in binaries::ALL {
        let (page, expected) = (flags_page(binary), expected(binary));
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::create_dir_all(page.parent().expect("a folder")).expect("a folder");
            std::fs::write(&page, &expected).expect("written");
        }
        let written = std::fs::read_to_string(&page).unwrap_or_default();
        assert!(
            written == expected,
            "docs/flags/{binary}.md is not what --help prints: UPDATE_DOCS=1 cargo test --workspace --test docs"
        );
    }
}
