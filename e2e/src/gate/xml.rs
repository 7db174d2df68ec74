//! As much XML as AWS SDKs and emulators write: elements, text and entities.
//! Attributes are skipped.

use std::collections::BTreeMap;

/// One element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// The first child of that name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The element at the end of a path of names.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter()
            .try_fold(self, |element, name| element.child(name))
    }

    /// The text at the end of a path of names.
    pub(super) fn text_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path).map(|element| element.text.as_str())
    }
}

/// The root element, or `None` if `text` is not well-formed.
pub(super) fn parse(text: &str) -> Option<Element> {
    let mut open: Vec<Element> = vec![Element::default()];
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        open.last_mut()?.text.push_str(&unescape(&rest[..start]));
        let end = start + rest[start..].find('>')?;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if tag.starts_with(['?', '!']) {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            let element = open.pop()?;
            if element.name != name.trim() {
                return None;
            }
            open.last_mut()?.children.push(element);
            continue;
        }
        let name = tag.trim_end_matches('/').split_whitespace().next()?;
        let element = Element {
            name: name.to_owned(),
            ..Element::default()
        };
        if tag.ends_with('/') {
            open.last_mut()?.children.push(element);
        } else {
            open.push(element);
        }
    }
    let document = open.pop()?;
    if !open.is_empty() {
        return None;
    }
    document.children.into_iter().next()
}

/// Texts of leaves by their path; members of a list are numbered from 1.
pub(super) fn flatten(path: &str, element: &Element, params: &mut BTreeMap<String, String>) {
    let path = match path {
        "" => element.name.clone(),
        path => format!("{path}.{}", element.name),
    };
    if element.children.is_empty() {
        params.insert(path, element.text.clone());
        return;
    }
    for (index, child) in element.children.iter().enumerate() {
        if matches!(
            child.name.as_str(),
            "Change" | "ResourceRecord" | "Tag" | "ResourceId" | "Key"
        ) {
            let numbered = Element {
                name: format!("{}.{}", child.name, index + 1),
                ..child.clone()
            };
            flatten(&path, &numbered, params);
        } else {
            flatten(&path, child, params);
        }
    }
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        plain.push_str(&rest[..start]);
        rest = &rest[start..];
        let Some(end) = rest.find(';') else { break };
        match entity(&rest[1..end]) {
            Some(c) => plain.push(c),
            None => plain.push_str(&rest[..=end]),
        }
        rest = &rest[end + 1..];
    }
    plain.push_str(rest);
    plain
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

/// `text` with the characters that XML reserves written as entities.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_text_and_entities_are_read() {
        let root =
            parse("<?xml version=\"1.0\"?>\n<A xmlns=\"x\"><B>1 &lt; 2 &#65;</B><C/></A>").unwrap();
        assert_eq!(root.text_at(&["B"]), Some("1 < 2 A"));
        assert!(root.child("C").is_some());
        assert_eq!(parse("<A><B></A>"), None);
        assert_eq!(parse("<A>"), None);
        assert_eq!(parse("{}"), None);
    }

    #[test]
    fn members_of_lists_are_numbered() {
        let root =
            parse("<R><Changes><Change><N>a</N></Change><Change><N>b</N></Change></Changes></R>")
                .unwrap();
        let mut params = BTreeMap::new();
        flatten("", &root.children[0], &mut params);
        assert_eq!(params["Changes.Change.1.N"], "a");
        assert_eq!(params["Changes.Change.2.N"], "b");
    }
}
