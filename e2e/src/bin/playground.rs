//! `cargo playground`: see [`isthmus_e2e::playground`].

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    isthmus_e2e::playground::main().await
}
