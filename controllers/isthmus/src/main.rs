//! `isthmus`: the four programs in one file, which the image holds once.
//!
//! Which of them it is, its own name says (`/isthmus-dns`, a link to it), or else
//! the first argument (`isthmus dns --help`). Separate files would carry the
//! Kubernetes client and the AWS SDK four times.

use std::ffi::OsString;
use std::process::ExitCode;

/// The whole of a program, from its command line on.
type Main = fn(Vec<OsString>) -> ExitCode;

const PROGRAMS: [(&str, Main); 4] = [
    ("isthmus-ingress", isthmus_ingress::main),
    ("isthmus-dns", isthmus_dns::main),
    ("isthmus-egress", isthmus_egress::main),
    ("isthmus-metadata-proxy", isthmus_metadata_proxy::main),
];

fn main() -> ExitCode {
    let names = PROGRAMS.map(|(name, _)| name);
    match isthmus_runtime::chosen(&names, std::env::args_os()) {
        Ok((which, argv)) => PROGRAMS[which].1(argv),
        Err(exit) => exit.print(),
    }
}
