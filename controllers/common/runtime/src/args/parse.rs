//! Reading flags so that every mistake is told at once.

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Command};

use super::Problems;
use super::tokens::{self, Asked, Given};
use crate::Exit;

/// Reads the flags of `A` from a command line (the program's name first, as
/// [`std::env::args_os`] gives it) and an environment.
///
/// * `--flag value` and `--flag=value`; booleans as `--x`, `--x=false`, `--no-x`.
/// * What the command line does not say is looked for in the environment:
///   `ISTHMUS_` and the flag in upper snake case, then the variable named by
///   `#[arg(env)]`. Repeatable flags take commas there. Empty counts as not set.
/// * A value parser's error should say what is allowed, on its own or after
///   `allowed: `. The value of a flag with `hide_env_values` is a secret and is
///   not shown.
///
/// # Errors
///
/// The text and exit code to end with: 0 for `--help` and `--version`, 2 with
/// one line for each wrong, missing, unknown or repeated flag.
pub fn parse_args<A: clap::Args>(
    name: &'static str,
    about: &'static str,
    argv: impl IntoIterator<Item = OsString>,
    env: &BTreeMap<String, String>,
) -> Result<A, Exit> {
    let (args, problems) = read_args(name, about, argv, env)?;
    match args {
        Some(args) if problems.is_empty() => Ok(args),
        _ => Err(problems.into_exit()),
    }
}

/// As [`parse_args`], but gives what can be made of the flags that are right
/// along with the problems of the others, so that more problems can be found.
///
/// # Errors
///
/// The text and exit code to end with, for `--help` and `--version`.
pub fn read_args<A: clap::Args>(
    name: &'static str,
    about: &'static str,
    argv: impl IntoIterator<Item = OsString>,
    env: &BTreeMap<String, String>,
) -> Result<(Option<A>, Problems), Exit> {
    let original = A::augment_args(Command::new(name));
    let mut problems = Problems::default();
    let read = tokens::from_argv(&original, argv, &mut problems);
    let command = original
        .clone()
        .version(env!("CARGO_PKG_VERSION"))
        .about(about)
        .after_help("Every flag can be set in the environment: ISTHMUS_ and the flag in upper snake case; repeatable flags take commas there.")
        .mut_args(tokens::adapt);
    let mut given = read.map_err(|asked| answer(command.clone(), asked))?;
    tokens::add_environment(&original, env, &mut given);

    refuse_repeated(&original, &mut given, &mut problems);
    if let Ok(args) = all::<A>(&command, &given) {
        return Ok((Some(args), problems));
    }
    given.retain(|one| match alone(&command, one) {
        Ok(()) => true,
        Err(error) => {
            explain(&original, one, &error, &mut problems);
            false
        }
    });
    match all::<A>(&command, &given) {
        Ok(args) => Ok((Some(args), problems)),
        Err(error) => {
            explain_rest(&error, &mut problems);
            Ok((None, problems))
        }
    }
}

fn answer(mut command: Command, asked: Asked) -> Exit {
    let text = match asked {
        Asked::Help => command.render_long_help().to_string(),
        Asked::Version => command.render_version(),
    };
    Exit { code: 0, text }
}

fn all<A: clap::Args>(command: &Command, given: &[Given]) -> Result<A, clap::Error> {
    let arguments =
        std::iter::once(command.get_name().to_owned()).chain(given.iter().map(Given::argument));
    let matches = command.clone().try_get_matches_from(arguments)?;
    A::from_arg_matches(&matches)
}

/// Checks the value of one flag, apart from all others.
fn alone(command: &Command, given: &Given) -> Result<(), clap::Error> {
    let command = command.clone().mut_args(|arg| arg.required(false));
    let arguments = [command.get_name().to_owned(), given.argument()];
    match command.try_get_matches_from(arguments) {
        Err(error) if is_about_value(error.kind()) => Err(error),
        _ => Ok(()),
    }
}

fn is_about_value(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::InvalidUtf8
    )
}

/// A flag that holds one value and is given twice is a mistake: which was meant?
fn refuse_repeated(command: &Command, given: &mut Vec<Given>, problems: &mut Problems) {
    let mut seen = BTreeSet::new();
    let mut told = BTreeSet::new();
    given.retain(|one| {
        let repeatable = tokens::find(command, &one.flag).is_some_and(|(arg, _)| {
            matches!(arg.get_action(), ArgAction::Append | ArgAction::Count)
        });
        if repeatable || seen.insert(one.flag.clone()) {
            return true;
        }
        if told.insert(one.flag.clone()) {
            problems.say(&one.flag, "is given more than once");
        }
        false
    });
}

/// Says what is wrong with one value in the words of [`Problems`].
fn explain(command: &Command, given: &Given, error: &clap::Error, problems: &mut Problems) {
    let arg = tokens::find(command, &given.flag).map(|(arg, _)| arg);
    let mut allowed = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) if !values.is_empty() => values.join(", "),
        _ if arg.is_some_and(tokens::is_boolean) => "true, false".to_owned(),
        _ if given.value.is_empty() => "a value that is not empty".to_owned(),
        _ => {
            let said = error.source().map(ToString::to_string).unwrap_or_default();
            let parser = arg.map(|arg| arg.get_value_parser().type_id());
            if parser.is_some_and(|id| WHOLE_NUMBERS.iter().any(|number| id == number())) {
                format!("a whole number ({said})")
            } else {
                match said.split_once("allowed: ") {
                    Some((_, allowed)) => allowed.to_owned(),
                    None => said,
                }
            }
        }
    };
    if let Some(variable) = &given.variable {
        allowed.push_str(&format!(" (from {variable})"));
    }
    if arg.is_some_and(clap::Arg::is_hide_env_values_set) {
        problems.say(
            &given.flag,
            format_args!("the value is not allowed; allowed: {allowed}"),
        );
    } else {
        problems.push(&given.flag, &given.value, allowed);
    }
}

const WHOLE_NUMBERS: [fn() -> TypeId; 10] = [
    TypeId::of::<u8>,
    TypeId::of::<u16>,
    TypeId::of::<u32>,
    TypeId::of::<u64>,
    TypeId::of::<usize>,
    TypeId::of::<i8>,
    TypeId::of::<i16>,
    TypeId::of::<i32>,
    TypeId::of::<i64>,
    TypeId::of::<isize>,
];

/// Says what is wrong with the whole: required flags that are missing, flags that exclude each other.
fn explain_rest(error: &clap::Error, problems: &mut Problems) {
    let names = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(names)) => names.clone(),
        Some(ContextValue::String(name)) => vec![name.clone()],
        _ => Vec::new(),
    };
    let before = problems.lines().len();
    for name in names {
        let flag = name.split([' ', '=', '[']).next().unwrap_or_default();
        if problems.mentions(flag) {
            continue;
        }
        match (error.kind(), error.get(ContextKind::PriorArg)) {
            (ErrorKind::MissingRequiredArgument, _) => problems.say(flag, "is required"),
            (ErrorKind::ArgumentConflict, Some(prior)) => {
                problems.say(flag, format_args!("cannot be used with {prior}"));
            }
            (kind, _) => problems.say(flag, kind),
        }
    }
    if problems.is_empty() && problems.lines().len() == before {
        problems.line(error.to_string());
    }
}

#[cfg(test)]
mod tests;
