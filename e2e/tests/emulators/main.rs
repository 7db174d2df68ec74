//! What the emulators get wrong by themselves, corrected: by the launcher for
//! moto, by the gate for Route 53.

mod certificates;
mod ec2;
mod elbv2;
mod route53;

use std::fmt::Debug;

use aws_sdk_elasticloadbalancingv2::error::{ProvideErrorMetadata, SdkError};

/// The code of a refusal.
fn code<E: ProvideErrorMetadata + Debug, R: Debug>(
    result: Result<impl Sized, SdkError<E, R>>,
) -> String {
    let error = result.err().expect("refused");
    match error.code() {
        Some(code) => code.to_owned(),
        None => format!("{error:?}"),
    }
}
