//! `isthmus-egress` as a program of its own; [`isthmus_egress`] is all of it.

fn main() -> std::process::ExitCode {
    isthmus_egress::main(std::env::args_os().collect())
}
