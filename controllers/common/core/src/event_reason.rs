//! The reasons of Events, with what they mean: the reference is written from these.

/// One reason that Events of a component have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventReason {
    /// As `kubectl get events` shows it.
    pub name: &'static str,
    /// Whether it is a `Warning`; otherwise `Normal`.
    pub warning: bool,
    /// When it is sent.
    pub when: &'static str,
    /// What its reader does about it.
    pub remedy: &'static str,
}

impl EventReason {
    /// Something is wrong.
    #[must_use]
    pub const fn warning(name: &'static str, when: &'static str, remedy: &'static str) -> Self {
        Self {
            name,
            warning: true,
            when,
            remedy,
        }
    }

    /// All is well.
    #[must_use]
    pub const fn normal(name: &'static str, when: &'static str) -> Self {
        Self {
            name,
            warning: false,
            when,
            remedy: "Nothing.",
        }
    }
}
