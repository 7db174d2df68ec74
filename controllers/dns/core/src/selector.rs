//! Label selectors, for `--label-filter` and `--annotation-filter`.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// A selector in the notation of `kubectl --selector`
/// ([labels and selectors](https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/)):
/// `a=b, c!=d, e in (f, g), h notin (i), j, !k`. All requirements must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, BTreeSet<String>),
    NotIn(String, BTreeSet<String>),
    Exists(String),
    Absent(String),
}

/// A text that is not a selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a selector such as a=b,c!=d,e in (f,g),h notin (i),j,!k")]
pub struct SelectorError;

impl Selector {
    /// Whether these labels or annotations fulfil it.
    #[must_use]
    pub fn admits(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => labels.get(key).is_some_and(|v| values.contains(v)),
            Requirement::NotIn(key, values) => labels.get(key).is_none_or(|v| !values.contains(v)),
            Requirement::Exists(key) => labels.contains_key(key),
            Requirement::Absent(key) => !labels.contains_key(key),
        })
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = split(text).ok_or(SelectorError)?;
        let requirements = parts
            .iter()
            .map(|part| requirement(part.trim()).ok_or(SelectorError));
        Ok(Self(requirements.collect::<Result<_, _>>()?))
    }
}

/// Splits at the commas outside of parentheses.
fn split(text: &str) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut open) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        match (c, open) {
            ('(', false) => open = true,
            (')', true) => open = false,
            ('(', true) | (')', false) => return None,
            (',', false) => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if open {
        return None;
    }
    if !text.trim().is_empty() {
        parts.push(&text[start..]);
    }
    Some(parts)
}

fn requirement(text: &str) -> Option<Requirement> {
    if let Some(key) = text.strip_prefix('!') {
        return Some(Requirement::Absent(self::key(key)?));
    }
    if let Some(list) = text.strip_suffix(')') {
        let (head, list) = list.split_once('(')?;
        let values = list
            .split(',')
            .map(|value| value.trim().to_owned())
            .collect();
        let mut words = head.split_whitespace();
        let (key, operator, None) = (words.next()?, words.next()?, words.next()) else {
            return None;
        };
        return match operator {
            "in" => Some(Requirement::In(self::key(key)?, values)),
            "notin" => Some(Requirement::NotIn(self::key(key)?, values)),
            _ => None,
        };
    }
    let one = |value: &str| BTreeSet::from([value.trim().to_owned()]);
    if let Some((key, value)) = text.split_once("!=") {
        return Some(Requirement::NotIn(self::key(key)?, one(value)));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Some(Requirement::In(self::key(key)?, one(value)));
    }
    Some(Requirement::Exists(key(text)?))
}

fn key(text: &str) -> Option<String> {
    let text = text.trim();
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    (!text.is_empty() && text.chars().all(legal)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operator() {
        let labels = BTreeMap::from([
            ("a".to_owned(), "1".to_owned()),
            ("x.io/b".to_owned(), "2".to_owned()),
        ]);
        for (text, admitted) in [
            ("", true),
            ("a=1", true),
            ("a==1", true),
            ("a = 2", false),
            ("a!=2, x.io/b=2", true),
            ("c!=1", true),
            ("a in (0, 1)", true),
            ("a notin (0,1)", false),
            ("c notin (1)", true),
            ("a,!c", true),
            ("c", false),
            ("!a", false),
        ] {
            let selector: Selector = text.parse().unwrap();
            assert_eq!(selector.admits(&labels), admitted, "{text}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for text in [
            "a in 1",
            "a in (1",
            "a in (1))",
            "=1",
            "a b",
            "a,,b",
            "a of (1)",
            "a in (1) x",
            "!",
        ] {
            assert_eq!(text.parse::<Selector>(), Err(SelectorError), "{text}");
        }
    }
}
