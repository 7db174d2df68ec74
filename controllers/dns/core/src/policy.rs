//! What `--policy` leaves out.

use isthmus_core::Withheld;

use crate::{Change, Policy};

impl Policy {
    /// Whether records may be changed.
    #[must_use]
    pub fn changes(self) -> bool {
        self != Self::CreateOnly
    }

    /// Whether records may be deleted.
    #[must_use]
    pub fn deletes(self) -> bool {
        self == Self::Sync
    }

    /// A step that the policy leaves out.
    pub(crate) fn withholds(self, what: &str) -> Withheld {
        Withheld {
            reason: Change::WITHHELD_BY_POLICY,
            message: format!("--policy={} {what}", self.as_str()),
        }
    }
}
