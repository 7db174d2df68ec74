//! What a component shows of itself on the admin server's `/`.

/// Tables of plain text. The runtime escapes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In order.
    pub sections: Vec<Section>,
}

/// One table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// Above the table.
    pub title: String,
    /// One for each column.
    pub headings: Vec<String>,
    /// Rows of as many cells as there are headings.
    pub rows: Vec<Vec<String>>,
}

impl Section {
    /// A table with one heading for each column.
    #[must_use]
    pub fn new<const N: usize>(
        title: impl Into<String>,
        headings: [&str; N],
        rows: Vec<Vec<String>>,
    ) -> Self {
        Self {
            title: title.into(),
            headings: headings.map(str::to_owned).to_vec(),
            rows,
        }
    }
}
