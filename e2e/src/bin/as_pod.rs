//! Who AWS says a process with this environment is, by the AWS SDK for Rust as
//! it comes: its default chain of credentials and no other. Prints an ARN.

use anyhow::{Context as _, Result};
use aws_config::BehaviorVersion;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    isthmus_runtime::install_crypto();
    let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(isthmus_runtime::http_client())
        .load()
        .await;
    let identity = aws_sdk_sts::Client::new(&config).get_caller_identity();
    println!("{}", identity.send().await?.arn.context("an ARN")?);
    Ok(())
}
