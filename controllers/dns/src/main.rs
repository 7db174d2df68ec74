//! `isthmus-dns` as a program of its own; [`isthmus_dns`] is all of it.

fn main() -> std::process::ExitCode {
    isthmus_dns::main(std::env::args_os().collect())
}
