//! `isthmus-metadata-proxy` as a program of its own; [`isthmus_metadata_proxy`] is all of it.

fn main() -> std::process::ExitCode {
    isthmus_metadata_proxy::main(std::env::args_os().collect())
}
