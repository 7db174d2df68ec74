//! What the reference says of annotations, in the words of the parsers themselves.

use std::collections::BTreeMap;

use super::AnnotationError;

/// One annotation, for its readers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnotationReference {
    /// The key, prefix included.
    pub key: String,
    /// The kinds of objects that it is read on.
    pub on: &'static str,
    /// Which values are allowed.
    pub allowed: String,
    /// What holds where it is absent.
    pub default: &'static str,
    /// What it is for.
    pub meaning: &'static str,
}

/// An annotation in a component's table: its key, how its values are found out, what holds without it, and
/// what it is for.
pub type AnnotationRow = (&'static str, Values, &'static str, &'static str);

/// How the allowed values of an annotation are found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// By what the parser says of this wrong value.
    Wrong(&'static str),
    /// No value is wrong: in these words.
    Any(&'static str),
}

impl Values {
    /// The allowed values of `key`, by a parser that gives its complaints.
    ///
    /// # Panics
    ///
    /// If the parser takes what is said to be a wrong value: then the table is wrong.
    pub fn allowed(
        self,
        key: &str,
        parse: impl FnOnce(&BTreeMap<String, String>) -> Vec<AnnotationError>,
    ) -> String {
        let wrong = match self {
            Self::Any(words) => return words.to_owned(),
            Self::Wrong(value) => value,
        };
        let map = BTreeMap::from([(key.to_owned(), wrong.to_owned())]);
        let complaint = parse(&map).into_iter().find(|error| error.key == key);
        complaint
            .unwrap_or_else(|| panic!("{key}: {wrong:?} is allowed"))
            .allowed
    }
}
