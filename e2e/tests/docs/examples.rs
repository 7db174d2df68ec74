//! What the documents show can be used as it stands.

use serde::Deserialize as _;

use super::book::{files, pages, read};
use super::root;

/// The fenced blocks of a language.
fn blocks(markdown: &str, language: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut inside = None;
    for line in markdown.lines() {
        let text = line.trim_start();
        if let Some(name) = text.strip_prefix("```") {
            inside = match inside {
                None => Some((name.trim() == language, line.len() - text.len())),
                Some(_) => None,
            };
            if inside.is_some_and(|(wanted, _)| wanted) {
                found.push(String::new());
            }
        } else if let Some((true, indent)) = inside {
            let block = found.last_mut().expect("it was begun");
            *block += line.get(indent..).unwrap_or_default();
            block.push('\n');
        }
    }
    found
}

#[test]
fn every_yaml_is_yaml() {
    let mut count = 0;
    let mut check = |what: &str, text: &str| {
        for document in serde_yaml_ng::Deserializer::from_str(text) {
            let value = serde_yaml_ng::Value::deserialize(document);
            let value = value.unwrap_or_else(|e| panic!("{what}: {e}\n{text}"));
            assert!(!value.is_null(), "{what}: an empty document\n{text}");
            count += 1;
        }
    };
    for page in pages() {
        for block in blocks(&read(&page), "yaml") {
            check(&page.display().to_string(), &block);
        }
    }
    for example in files(&root().join("docs/examples"), ".yaml") {
        check(&example.display().to_string(), &read(&example));
    }
    assert!(count >= 5, "only {count} documents were found");
}

#[test]
fn every_json_is_json() {
    let mut count = 0;
    for page in pages() {
        for block in blocks(&read(&page), "json") {
            let value = serde_json::from_str::<serde_json::Value>(&block);
            value.unwrap_or_else(|e| panic!("{}: {e}\n{block}", page.display()));
            count += 1;
        }
    }
    assert!(count >= 3, "only {count} blocks were found");
}
