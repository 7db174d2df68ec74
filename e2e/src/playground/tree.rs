//! A picture: a tree of what is there and what is missing.

use std::fmt;

/// A line with what hangs below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tree {
    text: String,
    missing: bool,
    below: Vec<Tree>,
}

impl Tree {
    /// A thing that is there.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// A thing that should be there.
    pub(super) fn lacking(text: impl Into<String>) -> Self {
        Self {
            missing: true,
            ..Self::new(text)
        }
    }

    /// What was read, or what is missing.
    pub(super) fn from(read: Result<Self, String>) -> Self {
        read.unwrap_or_else(Self::lacking)
    }

    /// Hangs something below.
    pub(super) fn add(&mut self, child: Tree) {
        self.below.push(child);
    }

    /// Everything that is missing, in the order of the picture.
    pub(super) fn missing(&self) -> Vec<&str> {
        let own = self.missing.then_some(self.text.as_str());
        let below = self.below.iter().flat_map(Self::missing);
        own.into_iter().chain(below).collect()
    }

    fn draw(&self, f: &mut fmt::Formatter<'_>, indent: &str) -> fmt::Result {
        let mark = if self.missing { "(missing) " } else { "" };
        writeln!(f, "{mark}{}", self.text)?;
        for (at, child) in self.below.iter().enumerate() {
            let last = at + 1 == self.below.len();
            f.write_str(indent)?;
            f.write_str(if last { "└─ " } else { "├─ " })?;
            child.draw(f, &format!("{indent}{}", if last { "   " } else { "│  " }))?;
        }
        Ok(())
    }
}

impl fmt::Display for Tree {
    /// The root has no line of its own: its children stand side by side.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for child in &self.below {
            f.write_str("\n  ")?;
            child.draw(f, "  ")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_marked_and_found() {
        let mut ingress = Tree::new("Ingress shop/web");
        ingress.add(Tree::new("load balancer a"));
        ingress.add(Tree::lacking("a name"));
        let mut root = Tree::default();
        root.add(ingress);
        assert_eq!(root.missing(), ["a name"]);
        assert_eq!(
            root.to_string(),
            "\n  Ingress shop/web\n  ├─ load balancer a\n  └─ (missing) a name\n"
        );
    }
}
