//! Faults by plan.

use std::collections::BTreeMap;
use std::time::Duration;

/// A call's parameters.
type Params = BTreeMap<String, String>;

/// What happens to a call that a fault matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Refused in the words of the service's own throttling.
    Throttle,
    /// A 500 in the words of the service.
    InternalError,
    /// Not carried out and never answered: the client's time-out decides.
    Timeout,
    /// Not carried out; the connection is cut.
    Cut,
    /// Carried out; the answer is a page of HTML with status 200.
    Malformed,
    /// Carried out; half of the answer with a matching length, so that it looks whole.
    CutShort,
    /// Carried out; the connection is cut in the middle of the answer.
    HalfAnswer,
    /// Carried out; the first part of the answer, announced as all of it: what a
    /// proxy makes of an answer that broke off behind it.
    Truncated,
    /// Carried out; the connection is cut before the answer.
    LostAnswer,
    /// Refused for want of permission.
    Denied,
    /// Carried out after that long.
    Delay(Duration),
    /// Carried out once the faults are cleared.
    Held,
    /// Carried out; the credentials in the answer expire after that long, and AWS
    /// would not give any for less than 15 minutes.
    ExpiresIn(Duration),
    /// Refused with any other code.
    Error {
        /// The HTTP status.
        status: u16,
        /// The AWS error code.
        code: String,
        /// The text.
        message: String,
    },
    /// Refused as Route 53 refuses a change batch in its older shape: a bare
    /// `<InvalidChangeBatch>` with a list of messages.
    InvalidChangeBatch(Vec<String>),
}

/// A fault: of the calls it matches, the first (or the [`Fault::nth`], and as
/// many as [`Fault::times`] says) go wrong in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    service: Option<String>,
    action: String,
    mentioned: Option<String>,
    first: usize,
    times: usize,
    seen: usize,
    kind: FaultKind,
}

impl Fault {
    /// The next call of `action` (`*`: any) goes wrong as `kind` says.
    #[must_use]
    pub fn new(action: &str, kind: FaultKind) -> Self {
        Self {
            service: None,
            action: action.to_owned(),
            mentioned: None,
            first: 1,
            times: 1,
            seen: 0,
            kind,
        }
    }

    /// See [`FaultKind::Throttle`].
    #[must_use]
    pub fn throttle(action: &str) -> Self {
        Self::new(action, FaultKind::Throttle)
    }

    /// See [`FaultKind::InternalError`].
    #[must_use]
    pub fn internal_error(action: &str) -> Self {
        Self::new(action, FaultKind::InternalError)
    }

    /// See [`FaultKind::Timeout`].
    #[must_use]
    pub fn timeout(action: &str) -> Self {
        Self::new(action, FaultKind::Timeout)
    }

    /// See [`FaultKind::Cut`].
    #[must_use]
    pub fn cut(action: &str) -> Self {
        Self::new(action, FaultKind::Cut)
    }

    /// See [`FaultKind::Malformed`].
    #[must_use]
    pub fn malformed(action: &str) -> Self {
        Self::new(action, FaultKind::Malformed)
    }

    /// See [`FaultKind::CutShort`].
    #[must_use]
    pub fn cut_short(action: &str) -> Self {
        Self::new(action, FaultKind::CutShort)
    }

    /// See [`FaultKind::InvalidChangeBatch`].
    #[must_use]
    pub fn invalid_change_batch(messages: &[&str]) -> Self {
        let messages = messages.iter().map(|text| (*text).to_owned());
        let kind = FaultKind::InvalidChangeBatch(messages.collect());
        Self::new("ChangeResourceRecordSets", kind)
    }

    /// See [`FaultKind::HalfAnswer`].
    #[must_use]
    pub fn half_answer(action: &str) -> Self {
        Self::new(action, FaultKind::HalfAnswer)
    }

    /// See [`FaultKind::Truncated`].
    #[must_use]
    pub fn truncated(action: &str) -> Self {
        Self::new(action, FaultKind::Truncated)
    }

    /// See [`FaultKind::LostAnswer`].
    #[must_use]
    pub fn lost_answer(action: &str) -> Self {
        Self::new(action, FaultKind::LostAnswer)
    }

    /// See [`FaultKind::Denied`].
    #[must_use]
    pub fn denied(action: &str) -> Self {
        Self::new(action, FaultKind::Denied)
    }

    /// See [`FaultKind::Delay`].
    #[must_use]
    pub fn delay(action: &str, by: Duration) -> Self {
        Self::new(action, FaultKind::Delay(by))
    }

    /// See [`FaultKind::Held`].
    #[must_use]
    pub fn held(action: &str) -> Self {
        Self::new(action, FaultKind::Held)
    }

    /// See [`FaultKind::ExpiresIn`].
    #[must_use]
    pub fn expires_in(action: &str, life: Duration) -> Self {
        Self::new(action, FaultKind::ExpiresIn(life))
    }

    /// See [`FaultKind::Error`].
    #[must_use]
    pub fn error(action: &str, status: u16, code: &str, message: &str) -> Self {
        let (code, message) = (code.to_owned(), message.to_owned());
        Self::new(
            action,
            FaultKind::Error {
                status,
                code,
                message,
            },
        )
    }

    /// Only for this service (the name in the SigV4 scope: `ec2`, `elasticloadbalancing`, …).
    #[must_use]
    pub fn service(mut self, service: &str) -> Self {
        self.service = Some(service.to_owned());
        self
    }

    /// Only calls with a parameter that has this text in it.
    #[must_use]
    pub fn mentioning(mut self, text: &str) -> Self {
        self.mentioned = Some(text.to_owned());
        self
    }

    /// Beginning with the `n`th matching call from now, counted from 1.
    #[must_use]
    pub fn nth(mut self, n: usize) -> Self {
        self.first = n;
        self
    }

    /// That many calls in a row.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Until the faults are cleared.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// Counts a call; the kind if it is one of those that go wrong.
    fn strike(&mut self, service: &str, action: &str, params: &Params) -> Option<FaultKind> {
        let of_service = self.service.as_deref().is_none_or(|of| of == service);
        if !of_service || (self.action != "*" && self.action != action) {
            return None;
        }
        let mentioned = |text: &String| params.values().any(|value| value.contains(text));
        if !self.mentioned.as_ref().is_none_or(mentioned) {
            return None;
        }
        self.seen += 1;
        let struck = self.seen >= self.first && self.seen - self.first < self.times;
        struck.then(|| self.kind.clone())
    }
}

/// The planned faults.
#[derive(Clone, Debug, Default)]
pub(super) struct FaultPlan(Vec<Fault>);

impl FaultPlan {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Every fault counts the call; the first that strikes decides.
    pub(super) fn strike(
        &mut self,
        service: &str,
        action: &str,
        params: &Params,
    ) -> Option<FaultKind> {
        let mut struck = None;
        for fault in &mut self.0 {
            let kind = fault.strike(service, action, params);
            struck = struck.or(kind);
        }
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strikes(fault: Fault, calls: &[(&str, &str)]) -> Vec<bool> {
        let mut plan = FaultPlan::default();
        plan.add(fault);
        calls
            .iter()
            .map(|(service, action)| plan.strike(service, action, &Params::new()).is_some())
            .collect()
    }

    #[test]
    fn the_nth_call_of_an_action_is_struck_and_no_other() {
        let calls = [("ec2", "A"), ("ec2", "B"), ("ec2", "A"), ("ec2", "A")];
        assert_eq!(
            strikes(Fault::throttle("A").nth(2), &calls),
            [false, false, true, false]
        );
        assert_eq!(
            strikes(Fault::throttle("*").nth(2).times(2), &calls),
            [false, true, true, false]
        );
        assert_eq!(
            strikes(Fault::throttle("A").always(), &calls),
            [true, false, true, true]
        );
        assert_eq!(
            strikes(Fault::throttle("*").service("acm").always(), &calls),
            [false; 4]
        );
    }

    #[test]
    fn only_a_call_that_mentions_the_text_is_struck() {
        let mut plan = FaultPlan::default();
        plan.add(Fault::cut_short("A").mentioning("bad").always());
        let params = |value: &str| Params::from([("Name".to_owned(), value.to_owned())]);
        assert_eq!(plan.strike("x", "A", &params("good.example.org")), None);
        let struck = plan.strike("x", "A", &params("bad.example.org"));
        assert_eq!(struck, Some(FaultKind::CutShort));
    }

    #[test]
    fn the_first_fault_that_strikes_decides() {
        let mut plan = FaultPlan::default();
        plan.add(Fault::throttle("A").nth(2));
        plan.add(Fault::denied("A").always());
        assert_eq!(
            plan.strike("ec2", "A", &Params::new()),
            Some(FaultKind::Denied)
        );
        assert_eq!(
            plan.strike("ec2", "A", &Params::new()),
            Some(FaultKind::Throttle)
        );
        assert_eq!(
            plan.strike("ec2", "A", &Params::new()),
            Some(FaultKind::Denied)
        );
    }
}
