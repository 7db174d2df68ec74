//! The book as a whole: every page has its place, and every link leads somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::root;

/// Every file with this ending below a folder.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The pages of the book.
pub(crate) fn pages() -> Vec<PathBuf> {
    let mut pages = files(&root().join("docs"), ".md");
    pages.retain(|page| !page.ends_with("docs/SUMMARY.md"));
    pages
}

/// What a reader of the repository comes upon.
fn documents() -> Vec<PathBuf> {
    let mut documents = files(&root().join("docs"), ".md");
    documents.extend(files(&root().join("manifests"), ".md"));
    let at_the_top = std::fs::read_dir(root()).expect("a folder");
    let at_the_top = at_the_top.map(|entry| entry.expect("readable").path());
    documents.extend(at_the_top.filter(|path| path.extension().is_some_and(|e| e == "md")));
    documents
}

/// The text without what is code: fenced blocks and what stands in backticks.
fn prose(markdown: &str) -> String {
    let mut fenced = false;
    let mut text = String::new();
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let outside = line.split('`').step_by(2);
            text.extend(outside.chain(["\n"]));
        }
    }
    text
}

/// The targets of a document's links.
fn links(markdown: &str) -> Vec<String> {
    let prose = prose(markdown);
    let targets = prose.split("](").skip(1);
    targets
        .filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .collect()
}

/// The anchors of a page's headings, as mdBook and GitHub make them.
fn anchors(markdown: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = BTreeSet::new();
    for line in markdown.lines() {
        fenced ^= line.trim_start().starts_with("```");
        let heading = line.trim_start_matches('#');
        if fenced || heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        let slug: String = heading.trim().chars().filter(kept).collect();
        let slug = slug.to_lowercase().replace(' ', "-");
        let seen = count.entry(slug.clone()).or_default();
        anchors.insert(match *seen {
            0 => slug,
            n => format!("{slug}-{n}"),
        });
        *seen += 1;
    }
    anchors
}

#[test]
fn every_page_has_one_place_in_the_book() {
    let docs = root().join("docs");
    let listed: Vec<_> = links(&read(&docs.join("SUMMARY.md")))
        .into_iter()
        .map(|link| docs.join(link))
        .collect();
    let once: BTreeSet<_> = listed.iter().cloned().collect();
    assert_eq!(
        once.len(),
        listed.len(),
        "a page is in docs/SUMMARY.md twice"
    );
    let pages: BTreeSet<_> = pages().into_iter().collect();
    let missing: Vec<_> = pages.difference(&once).collect();
    assert!(missing.is_empty(), "not in docs/SUMMARY.md: {missing:?}");
    let gone: Vec<_> = once.difference(&pages).collect();
    assert!(
        gone.is_empty(),
        "in docs/SUMMARY.md and not there: {gone:?}"
    );
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for document in documents() {
        let folder = document.parent().expect("a folder");
        for link in links(&read(&document)) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => document.clone(),
                file => folder.join(file),
            };
            let leads =
                target.exists() && (anchor.is_empty() || anchors(&read(&target)).contains(anchor));
            if !leads {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn a_link_and_an_anchor_are_found() {
    let text = "# A page\n[a](docs/a.md#part) `[b](no)` [c](https://example.org)\n```sh\n# no\n```\n## What's `new`?\n# A page\n";
    assert_eq!(links(text), ["docs/a.md#part"]);
    let expected = ["a-page", "a-page-1", "whats-new"].map(str::to_owned);
    assert_eq!(anchors(text), BTreeSet::from(expected));
}
