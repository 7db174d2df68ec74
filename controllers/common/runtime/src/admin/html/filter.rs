//! Which rows somebody wants to see: `?q=words`.

/// Words that a row must have, all of them, in whatever case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::admin) struct Filter {
    text: String,
    words: Vec<String>,
}

impl Filter {
    /// Reads it off a query string.
    pub(in crate::admin) fn from_query(query: Option<&str>) -> Self {
        let query = query.unwrap_or_default();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let text = pairs.find_map(|(key, value)| (key == "q").then(|| value.into_owned()));
        let text = text.unwrap_or_default();
        let words = text.split_whitespace().map(str::to_lowercase).collect();
        Self { text, words }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether every word is in one of the cells.
    pub(super) fn admits(&self, row: &[String]) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let cells: Vec<String> = row.iter().map(|cell| cell.to_lowercase()).collect();
        let found = |word: &String| cells.iter().any(|cell| cell.contains(word));
        self.words.iter().all(found)
    }
}
