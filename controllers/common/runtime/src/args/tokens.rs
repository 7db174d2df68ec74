//! From a command line and an environment to flags that were given.

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};

use super::Problems;

/// One flag as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    /// The long name, whatever alias was used.
    pub(super) flag: String,
    /// The value; for a boolean `true` where there was none.
    pub(super) value: String,
    /// The variable it came from, if it was not on the command line.
    pub(super) variable: Option<String>,
}

impl Given {
    /// As one argument for clap.
    pub(super) fn argument(&self) -> String {
        format!("--{}={}", self.flag, self.value)
    }
}

/// What the command line asks for apart from work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Help,
    Version,
}

/// Reads the command line. Unknown flags and missing values are problems.
pub(super) fn from_argv(
    command: &Command,
    argv: impl IntoIterator<Item = OsString>,
    problems: &mut Problems,
) -> Result<Vec<Given>, Asked> {
    let mut given = Vec::new();
    let mut argv = argv
        .into_iter()
        .map(|argument| argument.to_string_lossy().into_owned())
        .skip(1)
        .peekable();
    while let Some(argument) = argv.next() {
        match argument.as_str() {
            "--help" | "-h" => return Err(Asked::Help),
            "--version" | "-V" => return Err(Asked::Version),
            _ => {}
        }
        let Some(body) = argument.strip_prefix("--").filter(|body| !body.is_empty()) else {
            problems.line(format!(
                "{argument:?} is not allowed; allowed: flags, see --help"
            ));
            continue;
        };
        let (name, inline) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (body, None),
        };
        let Some((arg, negated)) = find(command, name) else {
            let close = closest(command, name);
            let hint = close.map(|c| format!("; did you mean --{c}?"));
            problems.say(
                name,
                format_args!("no such flag{}", hint.unwrap_or_default()),
            );
            continue;
        };
        let value = match (is_boolean(arg), inline) {
            (true, Some(_)) if negated => {
                problems.say(name, "takes no value");
                continue;
            }
            (true, inline) => boolean(inline.as_deref(), negated),
            (false, Some(value)) => value,
            (false, None) => match argv.next_if(|next| !next.starts_with("--")) {
                Some(value) => value,
                None => {
                    problems.say(name, "needs a value");
                    continue;
                }
            },
        };
        given.push(Given {
            flag: long(arg).to_owned(),
            value,
            variable: None,
        });
    }
    Ok(given)
}

/// Adds from the environment what the command line does not say: `ISTHMUS_` and
/// the flag in upper snake case, then the variable that the flag itself names.
/// An empty variable counts as not set. A repeatable flag takes commas.
pub(super) fn add_environment(
    command: &Command,
    env: &BTreeMap<String, String>,
    given: &mut Vec<Given>,
) {
    let on_command_line: BTreeSet<String> = given.iter().map(|g| g.flag.clone()).collect();
    for arg in command.get_arguments() {
        let flag = long(arg);
        if flag.is_empty() || on_command_line.contains(flag) {
            continue;
        }
        let own = format!("ISTHMUS_{}", flag.to_uppercase().replace('-', "_"));
        let named = arg.get_env().and_then(|name| name.to_str());
        let found = [Some(own.as_str()), named]
            .into_iter()
            .flatten()
            .find_map(|name| Some((name, env.get(name).filter(|value| !value.is_empty())?)));
        let Some((variable, value)) = found else {
            continue;
        };
        let values: Vec<&str> = match arg.get_action() {
            ArgAction::Append => value.split(',').map(str::trim).collect(),
            _ => vec![value],
        };
        for value in values {
            let value = match is_boolean(arg) {
                true => boolean(Some(value), false),
                false => value.to_owned(),
            };
            given.push(Given {
                flag: flag.to_owned(),
                value,
                variable: Some(variable.to_owned()),
            });
        }
    }
}

/// Turns boolean flags into ones that take `--x`, `--x=true` and `--x=false`,
/// and takes the reading of the environment away from clap.
pub(super) fn adapt(arg: Arg) -> Arg {
    let arg = arg.env(None::<&str>);
    if !is_boolean(&arg) {
        return arg.allow_hyphen_values(true);
    }
    let was_switch = matches!(arg.get_action(), ArgAction::SetTrue);
    let arg = arg
        .action(ArgAction::Set)
        .value_parser(clap::value_parser!(bool))
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .value_name("true|false")
        .hide_possible_values(true);
    if was_switch {
        arg.default_value("false").hide_default_value(true)
    } else {
        arg
    }
}

/// The argument of a long name, and whether the name is `no-` before a boolean's.
pub(super) fn find<'c>(command: &'c Command, name: &str) -> Option<(&'c Arg, bool)> {
    let named = |name: &str| {
        command.get_arguments().find(|arg| {
            long(arg) == name || arg.get_all_aliases().is_some_and(|a| a.contains(&name))
        })
    };
    if let Some(arg) = named(name) {
        return Some((arg, false));
    }
    let arg = named(name.strip_prefix("no-")?)?;
    is_boolean(arg).then_some((arg, true))
}

pub(super) fn is_boolean(arg: &Arg) -> bool {
    match arg.get_action() {
        ArgAction::SetTrue | ArgAction::SetFalse => true,
        ArgAction::Set => arg.get_value_parser().type_id() == TypeId::of::<bool>(),
        _ => false,
    }
}

fn long(arg: &Arg) -> &str {
    arg.get_long().unwrap_or_default()
}

/// The spellings of Go's `strconv.ParseBool`; anything else is left for clap to refuse.
fn boolean(value: Option<&str>, negated: bool) -> String {
    match value {
        None => (!negated).to_string(),
        Some("1" | "t" | "T" | "TRUE" | "True") => "true".to_owned(),
        Some("0" | "f" | "F" | "FALSE" | "False") => "false".to_owned(),
        Some(other) => other.to_owned(),
    }
}

/// The flag that differs in the fewest places, if few enough.
fn closest<'c>(command: &'c Command, name: &str) -> Option<&'c str> {
    command
        .get_arguments()
        .map(long)
        .filter(|flag| !flag.is_empty())
        .map(|flag| (distance(flag, name), flag))
        .min()
        .filter(|(distance, _)| *distance <= 2)
        .map(|(_, flag)| flag)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let cost = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
