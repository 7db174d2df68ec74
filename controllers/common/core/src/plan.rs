//! A reconcile's intentions as a value.

use std::collections::BTreeMap;
use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::{ObjectRef, RemovalLimit};

/// What a step does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Something new: `+`.
    Add,
    /// Something owned becomes different: `~`.
    Change,
    /// Something owned goes away: `-`.
    Remove,
}

impl Effect {
    /// The sign that starts a line of a plan.
    #[must_use]
    pub fn sign(self) -> char {
        match self {
            Self::Add => '+',
            Self::Change => '~',
            Self::Remove => '-',
        }
    }

    /// The label value of `isthmus_plan_steps_total{effect}`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Change => "change",
            Self::Remove => "remove",
        }
    }
}

/// One thing that a component can do. Its `Display` is the detail that follows
/// the name, or empty; it names what will be written and never a secret.
pub trait Action: fmt::Display {
    /// What it does to the world.
    fn effect(&self) -> Effect;

    /// The kind of AWS or Kubernetes thing, of a closed set: `load-balancer`, `record-set`, `route`.
    fn kind(&self) -> &'static str;

    /// Which one.
    fn name(&self) -> String;

    /// How many managed things it takes away, as the removal limit counts them.
    /// Zero for a removal that only tidies up after another one.
    fn removes(&self) -> usize {
        usize::from(self.effect() == Effect::Remove)
    }
}

/// Why a step is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Withheld {
    /// The label value of `isthmus_plan_withheld{reason}`: one of a closed set.
    pub reason: &'static str,
    /// What an operator should know and can do.
    pub message: String,
}

impl Withheld {
    /// The reason of the removal limit.
    pub const MASS_REMOVAL: &str = "mass-removal";
}

/// An action, whom it is for and whether it may be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<A> {
    /// What to do. It says everything: no choice is left for the execution.
    pub action: A,
    /// The objects that ask for it, in order; an Event about it goes to them.
    pub objects: Vec<ObjectRef>,
    /// Set when the step is shown but not carried out.
    pub withheld: Option<Withheld>,
}

/// Steps in the order in which they are carried out.
///
/// The same text goes to the log, to `GET /plan`, to `--dry-run` and into the
/// golden files of the tests: one line a step, `+`, `~` or `-` first, `!` for a
/// step that is withheld.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan<A> {
    /// In order.
    pub steps: Vec<Step<A>>,
}

impl<A> Default for Plan<A> {
    fn default() -> Self {
        Self { steps: Vec::new() }
    }
}

impl<A: Action> Plan<A> {
    /// Adds a step that is carried out after those before it.
    pub fn push(&mut self, action: A, objects: Vec<ObjectRef>) {
        self.steps.push(Step {
            action,
            objects,
            withheld: None,
        });
    }

    /// The steps that are to be carried out.
    pub fn active(&self) -> impl Iterator<Item = &Step<A>> {
        self.steps.iter().filter(|step| step.withheld.is_none())
    }

    /// Whether there is nothing to carry out and nothing withheld.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// How many managed things the active steps take away.
    #[must_use]
    pub fn removals(&self) -> usize {
        self.active().map(|step| step.action.removes()).sum()
    }

    /// Withholds every removal of a plan that would take away more than `limit`
    /// allows of `managed` things, and says so. Additions and changes go on.
    /// Steps that remove but count as nothing ([`Action::removes`]) are withheld
    /// along with the rest: they tidy up after what now stays.
    pub fn guard_removals(&mut self, limit: &RemovalLimit, managed: usize) -> Option<Withheld> {
        let removals = self.removals();
        if limit.allows(removals, managed) {
            return None;
        }
        let withheld = Withheld {
            reason: Withheld::MASS_REMOVAL,
            message: format!(
                "this plan removes {removals} of {managed}, more than the {} that --max-removal-percent and \
                 --max-removal-count allow; start with --allow-mass-removal if that is meant",
                limit.most(managed)
            ),
        };
        for step in &mut self.steps {
            if step.action.effect() == Effect::Remove && step.withheld.is_none() {
                step.withheld = Some(withheld.clone());
            }
        }
        Some(withheld)
    }

    /// The plan without its types, for the log, the admin server and the metrics.
    #[must_use]
    pub fn report(&self) -> PlanReport {
        let mut steps: BTreeMap<(Effect, &'static str), usize> = BTreeMap::new();
        let mut withheld: BTreeMap<&'static str, usize> = BTreeMap::new();
        for step in &self.steps {
            match &step.withheld {
                Some(why) => *withheld.entry(why.reason).or_default() += 1,
                None => {
                    let key = (step.action.effect(), step.action.kind());
                    *steps.entry(key).or_default() += 1;
                }
            }
        }
        PlanReport {
            text: self.to_string(),
            json: serde_json::to_value(self).unwrap_or(serde_json::Value::Null),
            steps,
            withheld,
        }
    }
}

impl<A: Action> fmt::Display for Plan<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            return writeln!(f, "nothing to do");
        }
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        Ok(())
    }
}

impl<A: Action> fmt::Display for Step<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.withheld.is_some() {
            f.write_str("! ")?;
        }
        let action = &self.action;
        write!(
            f,
            "{} {} {}",
            action.effect().sign(),
            action.kind(),
            action.name()
        )?;
        let detail = action.to_string();
        if !detail.is_empty() {
            write!(f, ": {detail}")?;
        }
        if let Some(why) = &self.withheld {
            write!(f, " (withheld: {})", why.message)?;
        }
        Ok(())
    }
}

impl<A: Action> Serialize for Step<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Step", 6)?;
        out.serialize_field("effect", &self.action.effect())?;
        out.serialize_field("kind", self.action.kind())?;
        out.serialize_field("name", &self.action.name())?;
        out.serialize_field("detail", &self.action.to_string())?;
        out.serialize_field("objects", &self.objects)?;
        out.serialize_field("withheld", &self.withheld)?;
        out.end()
    }
}

impl<A: Action> Serialize for Plan<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Plan", 1)?;
        out.serialize_field("steps", &self.steps)?;
        out.end()
    }
}

/// A plan as text, as JSON and as counts.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanReport {
    /// One line a step; `nothing to do` for an empty plan.
    pub text: String,
    /// `{"steps": [{"effect", "kind", "name", "detail", "objects", "withheld"}]}`.
    pub json: serde_json::Value,
    /// Active steps by effect and kind.
    pub steps: BTreeMap<(Effect, &'static str), usize>,
    /// Withheld steps by reason.
    pub withheld: BTreeMap<&'static str, usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Route(Effect, &'static str, &'static str);

    impl fmt::Display for Route {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.2)
        }
    }

    impl Action for Route {
        fn effect(&self) -> Effect {
            self.0
        }
        fn kind(&self) -> &'static str {
            "route"
        }
        fn name(&self) -> String {
            self.1.to_owned()
        }
    }

    fn plan(removals: usize) -> Plan<Route> {
        let mut plan = Plan::default();
        let by = ObjectRef::new("v1", "ConfigMap", "a", "b");
        plan.push(
            Route(Effect::Add, "10.0.0.0/8", "via nat-1"),
            vec![by.clone()],
        );
        plan.push(Route(Effect::Change, "10.1.0.0/16", "via nat-2"), vec![by]);
        for _ in 0..removals {
            plan.push(Route(Effect::Remove, "10.2.0.0/16", ""), vec![]);
        }
        plan
    }

    #[test]
    fn one_line_a_step() {
        assert_eq!(
            plan(1).to_string(),
            "+ route 10.0.0.0/8: via nat-1\n~ route 10.1.0.0/16: via nat-2\n- route 10.2.0.0/16\n"
        );
        assert_eq!(Plan::<Route>::default().to_string(), "nothing to do\n");
    }

    #[test]
    fn json_has_the_same_steps() {
        assert_eq!(
            serde_json::to_value(plan(0)).unwrap()["steps"][0],
            serde_json::json!({
                "effect": "add", "kind": "route", "name": "10.0.0.0/8", "detail": "via nat-1",
                "objects": [{"api_version": "v1", "kind": "ConfigMap", "namespace": "a", "name": "b"}],
                "withheld": null,
            })
        );
    }

    #[test]
    fn a_mass_removal_is_withheld_and_the_rest_goes_on() {
        let mut plan = plan(11);
        let withheld = plan.guard_removals(&RemovalLimit::default(), 12).unwrap();
        assert_eq!(withheld.reason, Withheld::MASS_REMOVAL);
        assert_eq!(plan.active().count(), 2);
        assert_eq!(plan.removals(), 0);
        let text = plan.to_string();
        assert!(
            text.contains(
                "! - route 10.2.0.0/16 (withheld: this plan removes 11 of 12, more than the 10"
            ),
            "{text}"
        );
        let report = plan.report();
        assert_eq!(
            report.withheld,
            BTreeMap::from([(Withheld::MASS_REMOVAL, 11)])
        );
        assert_eq!(report.steps.values().sum::<usize>(), 2);
    }

    #[test]
    fn a_small_removal_is_not() {
        let mut plan = plan(10);
        assert_eq!(plan.guard_removals(&RemovalLimit::default(), 12), None);
        assert_eq!(plan.active().count(), 12);
    }
}
