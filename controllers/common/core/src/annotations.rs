//! Strict parsing of annotations: a value that is not allowed is an error, never a default.

use std::collections::BTreeMap;

pub use reference::{AnnotationReference, AnnotationRow, Values};

mod reference;

/// A wrong annotation: its key, its value and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("annotation {key}: {value:?} is not allowed; allowed: {allowed}")]
pub struct AnnotationError {
    /// The full key, prefix included.
    pub key: String,
    /// The value as written.
    pub value: String,
    /// What would have been right, in words or as a list.
    pub allowed: String,
}

/// A reader of one object's annotations that remembers every mistake.
///
/// Each getter gives `None` both for an annotation that is not there and for a
/// wrong one; [`Annotations::finish`] tells them apart, so that the author of an
/// object hears of all mistakes at once and no mistake passes as a default.
///
/// ```
/// # use std::collections::BTreeMap;
/// # use isthmus_core::Annotations;
/// let map = BTreeMap::from([("scheme".to_owned(), "Internal".to_owned())]);
/// let mut annotations = Annotations::new(Some(&map));
/// let scheme = annotations.one_of("scheme", &[("internal", 1), ("internet-facing", 2)]);
/// assert_eq!(scheme, None);
/// let errors = annotations.finish().unwrap_err();
/// assert_eq!(
///     errors[0].to_string(),
///     r#"annotation scheme: "Internal" is not allowed; allowed: internal, internet-facing"#
/// );
/// ```
#[derive(Debug)]
pub struct Annotations<'a> {
    map: Option<&'a BTreeMap<String, String>>,
    errors: Vec<AnnotationError>,
}

impl<'a> Annotations<'a> {
    /// A reader of `metadata.annotations`.
    #[must_use]
    pub fn new(map: Option<&'a BTreeMap<String, String>>) -> Self {
        Self {
            map,
            errors: Vec::new(),
        }
    }

    /// The value as written, if the annotation is there.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'a str> {
        self.map?.get(key).map(String::as_str)
    }

    /// One of a closed set of spellings, case-sensitive.
    pub fn one_of<T: Clone>(&mut self, key: &str, allowed: &[(&str, T)]) -> Option<T> {
        let value = self.get(key)?;
        let found = allowed.iter().find(|(name, _)| *name == value);
        if found.is_none() {
            let names: Vec<_> = allowed.iter().map(|(name, _)| *name).collect();
            self.reject(key, value, &names.join(", "));
        }
        found.map(|(_, meaning)| meaning.clone())
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, key: &str) -> Option<bool> {
        self.one_of(key, &[("true", true), ("false", false)])
    }

    /// A value that `parse` understands; `allowed` says in words what it accepts.
    pub fn parse<T>(
        &mut self,
        key: &str,
        allowed: &str,
        parse: impl FnOnce(&'a str) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(key)?;
        let parsed = parse(value);
        if parsed.is_none() {
            self.reject(key, value, allowed);
        }
        parsed
    }

    /// Records a mistake that the caller found.
    pub fn reject(&mut self, key: &str, value: &str, allowed: &str) {
        self.errors.push(AnnotationError {
            key: key.to_owned(),
            value: value.to_owned(),
            allowed: allowed.to_owned(),
        });
    }

    /// Ends the reading.
    ///
    /// # Errors
    ///
    /// Every mistake that a getter met, in the order of the getters.
    pub fn finish(self) -> Result<(), Vec<AnnotationError>> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(self.errors)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn every_mistake_is_reported() {
        let map = map(&[("a", "TRUE"), ("b", "x"), ("c", "true")]);
        let mut annotations = Annotations::new(Some(&map));
        assert_eq!(annotations.boolean("a"), None);
        assert_eq!(
            annotations.parse("b", "a number", |v| v.parse::<u8>().ok()),
            None
        );
        assert_eq!(annotations.boolean("c"), Some(true));
        assert_eq!(annotations.boolean("absent"), None);
        let errors = annotations.finish().unwrap_err();
        let said: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                r#"annotation a: "TRUE" is not allowed; allowed: true, false"#,
                r#"annotation b: "x" is not allowed; allowed: a number"#,
            ]
        );
    }

    #[test]
    fn no_annotations_is_no_mistake() {
        let mut annotations = Annotations::new(None);
        assert_eq!(annotations.boolean("a"), None);
        assert_eq!(annotations.finish(), Ok(()));
    }
}
