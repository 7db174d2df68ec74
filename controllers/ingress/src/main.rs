//! `isthmus-ingress` as a program of its own; [`isthmus_ingress`] is all of it.

fn main() -> std::process::ExitCode {
    isthmus_ingress::main(std::env::args_os().collect())
}
