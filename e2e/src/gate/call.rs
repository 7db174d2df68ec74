//! A call to AWS, as the gate remembers it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use super::request::REHEARSED;

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Let through, not yet answered.
    Pending,
    /// Carried out by the emulator and answered.
    Answered,
    /// Over the rate.
    Throttled,
    /// Against a rule of AWS that the emulator does not know.
    Refused,
    /// A planned fault struck before it was carried out.
    Faulted,
    /// Carried out, but the answer did not arrive whole.
    Lost,
}

/// One call to AWS.
#[derive(Clone, Debug)]
pub struct Call {
    /// The number of the call, from 1.
    pub n: usize,
    /// The service's name in the SigV4 scope: `ec2`, `elasticloadbalancing`, `route53`, `acm`, `sts`, ….
    pub service: String,
    /// The operation's name in the API.
    pub action: String,
    /// The parameters, flat: query parameters as they are, JSON and XML by path
    /// with list members counted from 1 (`ChangeBatch.Changes.Change.1.Action`).
    pub params: BTreeMap<String, String>,
    /// The HTTP status that was answered; 0 if there was none.
    pub status: u16,
    /// When it arrived.
    pub at: Instant,
    /// The SDK's application name (the binary, if the testbed started it), else its user agent.
    pub caller: String,
    /// What became of it.
    pub outcome: Outcome,
}

impl Call {
    /// Whether the call changes something at AWS, by the name of its action. A dry
    /// run of EC2 (`DryRunCreateSubnet`) does not.
    #[must_use]
    pub fn is_write(&self) -> bool {
        const READS: [&str; 7] = [
            "Describe",
            "List",
            "Get",
            "Test",
            "AssumeRole",
            "Decode",
            REHEARSED,
        ];
        !READS.iter().any(|read| self.action.starts_with(read))
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            n,
            service,
            action,
            status,
            outcome,
            params,
            ..
        } = self;
        write!(f, "{n} {service} {action} {status} {outcome:?} {params:?}")
    }
}
