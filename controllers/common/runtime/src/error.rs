//! How a run, a start and a process end.

use std::error::Error;
use std::fmt::Display;
use std::process::ExitCode;
use std::time::Duration;

use isthmus_core::ErrorClass;

/// What a reconcile that came to its end has to say.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Something is pending at AWS (a load balancer that is being provisioned): look again then.
    pub requeue: Option<Duration>,
    /// Steps that failed while others went on.
    pub failures: Vec<Failure>,
}

/// One step that failed while others went on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The label value of `isthmus_reconcile_errors_total{step}`: one of a closed set.
    pub step: &'static str,
    /// What it means for the retry.
    pub class: ErrorClass,
    /// For the log: what failed and why, without secrets.
    pub message: String,
}

/// Why a reconcile ended before its end: nothing more could be done in it.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {source}")]
pub struct RunError {
    /// The label value of `isthmus_reconcile_errors_total{step}`: one of a closed set.
    pub step: &'static str,
    /// What it means for the retry.
    pub class: ErrorClass,
    /// The error itself.
    pub source: Box<dyn Error + Send + Sync>,
}

impl RunError {
    /// An error of one step.
    pub fn new(
        step: &'static str,
        class: ErrorClass,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self {
            step,
            class,
            source: source.into(),
        }
    }
}

/// What is missing at the start: one line on stderr, exit code 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StartError(String);

impl StartError {
    /// A start that failed, in one line that says what was looked for.
    pub fn new(message: impl Display) -> Self {
        Self(message.to_string())
    }
}

impl From<String> for StartError {
    fn from(message: String) -> Self {
        Self(message)
    }
}

impl From<&str> for StartError {
    fn from(message: &str) -> Self {
        Self(message.to_owned())
    }
}

/// The end of the process before it has begun: help, version or wrong flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// 0 for `--help` and `--version`, 2 for wrong flags.
    pub code: u8,
    /// What to print, ended by a newline.
    pub text: String,
}

impl Exit {
    /// Prints the text, on stdout if the code is 0 and on stderr otherwise.
    #[must_use]
    pub fn print(&self) -> ExitCode {
        if self.code == 0 {
            print!("{}", self.text);
        } else {
            eprint!("{}", self.text);
        }
        ExitCode::from(self.code)
    }
}
