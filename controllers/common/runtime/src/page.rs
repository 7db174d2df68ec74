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
