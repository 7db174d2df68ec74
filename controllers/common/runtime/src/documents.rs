//! Holding the documents to what the programs have: for tests alone.

use std::path::PathBuf;

/// Asserts that the section `## heading` of `docs/<page>` is `text`. With `UPDATE_DOCS` in the environment
/// it is written instead.
///
/// # Panics
///
/// If it is another text, or the page has no such section.
pub fn hold(page: &str, heading: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../../../docs/{page}"));
    let written = std::fs::read_to_string(&path).expect("the page is there");
    let start = format!("\n## {heading}\n");
    let (before, rest) = written
        .split_once(&start)
        .unwrap_or_else(|| panic!("docs/{page} has no section ## {heading}"));
    let (section, after) = match rest.find("\n## ") {
        Some(end) => rest.split_at(end),
        None => (rest, ""),
    };
    let wanted = format!("\n{}\n", text.trim());
    if section != wanted && std::env::var_os("UPDATE_DOCS").is_some() {
        let page = format!("{before}{start}{wanted}{after}");
        return std::fs::write(&path, page).expect("written");
    }
    assert!(
        section == wanted,
        "docs/{page}, section {heading}, is not what the code has. UPDATE_DOCS=1 writes it:\n{wanted}"
    );
}
