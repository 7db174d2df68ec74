//! Asking EC2 what it would allow.

use super::convert::failed;
use super::write::Writer;
use super::{Call, SdkEc2};
use crate::error::{Ec2Error, Ec2ErrorKind};

/// The same calls as [dry runs], which check the right and change nothing.
///
/// [dry runs]: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonParameters.html
#[derive(Debug)]
pub(crate) struct Rehearsal(Writer);

impl SdkEc2 {
    /// `None` where the endpoint does not know dry runs: there, a rehearsal would
    /// be the performance. Two readings find that out, of kinds that this
    /// controller also writes.
    pub(crate) async fn rehearsal(&self) -> Option<Rehearsal> {
        let nats = self.client.describe_nat_gateways().dry_run(true).send();
        let nats = nats
            .await
            .map_err(|error| failed("DescribeNatGateways", &error));
        if !is_judged(nats) {
            return None;
        }
        let tables = self.client.describe_route_tables().dry_run(true).send();
        let tables = tables
            .await
            .map_err(|error| failed("DescribeRouteTables", &error));
        is_judged(tables).then(|| {
            Rehearsal(Writer {
                client: self.writer.once.clone(),
                once: self.writer.once.clone(),
                dry_run: true,
            })
        })
    }
}

impl Rehearsal {
    /// Whether the call is certainly forbidden. Any other refusal (of an id, of a
    /// rate) says nothing about the right.
    pub(crate) async fn is_forbidden(&self, call: &Call) -> bool {
        let judged = self.0.carry_out(call).await;
        if let Err(error) = &judged {
            tracing::debug!("rehearsed: {error}");
        }
        matches!(judged, Err(error) if error.kind == Ec2ErrorKind::Forbidden)
    }
}

/// Whether a dry run was answered as one.
fn is_judged<T>(answer: Result<T, Ec2Error>) -> bool {
    matches!(answer, Err(error) if matches!(error.kind, Ec2ErrorKind::Allowed | Ec2ErrorKind::Forbidden))
}
