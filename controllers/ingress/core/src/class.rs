use std::collections::BTreeSet;

/// The Ingress classes that this controller serves: `--ingress-class-filter`.
///
/// A comma-separated list. The empty list serves every Ingress; an empty member
/// (`skipper,`) is the class of Ingresses that name none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassFilter(BTreeSet<String>);

impl ClassFilter {
    /// Reads the flag.
    #[must_use]
    pub fn new(flag: &str) -> Self {
        if flag.is_empty() {
            return Self::default();
        }
        Self(
            flag.split(',')
                .map(|class| class.trim().to_owned())
                .collect(),
        )
    }

    /// Whether Ingresses of this class are served; the empty class is none.
    #[must_use]
    pub fn serves(&self, class: &str) -> bool {
        self.0.is_empty() || self.0.contains(class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_serves_all_and_an_empty_member_those_without() {
        let all = ClassFilter::new("");
        assert!(all.serves("") && all.serves("nginx"));
        let named = ClassFilter::new("skipper, skipper-test");
        assert!(named.serves("skipper-test") && !named.serves("") && !named.serves("nginx"));
        let also_none = ClassFilter::new("skipper,");
        assert!(also_none.serves("") && also_none.serves("skipper") && !also_none.serves("nginx"));
    }
}
