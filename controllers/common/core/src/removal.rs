//! How much one plan may remove.

/// The brake on mass removal: a plan that would remove more than **both**
/// `percent` of what is managed and `count` things is withheld until an operator
/// says otherwise.
///
/// An informer that lost its objects, a filter with a typo or a source that went
/// away all look like "the user deleted everything"; this is what stands between
/// them and an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemovalLimit {
    /// Share of what is managed, in percent: `--max-removal-percent`.
    pub percent: u32,
    /// A number of things that may always go: `--max-removal-count`.
    pub count: usize,
    /// `--allow-mass-removal`: an operator has said yes.
    pub allow_mass: bool,
}

impl Default for RemovalLimit {
    fn default() -> Self {
        Self {
            percent: 30,
            count: 10,
            allow_mass: false,
        }
    }
}

impl RemovalLimit {
    /// The most that may be removed of `managed` things, the larger of the two limits.
    #[must_use]
    pub fn most(&self, managed: usize) -> usize {
        let share = managed.saturating_mul(self.percent as usize) / 100;
        share.max(self.count)
    }

    /// Whether `removals` of `managed` things may be removed in one plan.
    #[must_use]
    pub fn allows(&self, removals: usize, managed: usize) -> bool {
        self.allow_mass || removals <= self.most(managed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_limit_wins() {
        let limit = RemovalLimit::default();
        assert!(limit.allows(10, 10), "few things: the count decides");
        assert!(!limit.allows(11, 20));
        assert!(limit.allows(300, 1000), "many things: the share decides");
        assert!(!limit.allows(301, 1000));
        assert!(limit.allows(0, 0));
    }

    #[test]
    fn an_operator_may_lift_it() {
        let limit = RemovalLimit {
            allow_mass: true,
            ..RemovalLimit::default()
        };
        assert!(limit.allows(1000, 1000));
    }
}
