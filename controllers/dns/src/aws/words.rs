//! What Route 53 says when it refuses.

use aws_sdk_route53::operation::change_resource_record_sets::ChangeResourceRecordSetsError;

/// The words of an error that has more of them than its message.
pub(super) trait Words {
    fn words(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Words for ChangeResourceRecordSetsError {
    /// A refused batch has a list of messages, or one message.
    fn words(&self) -> Vec<String> {
        match self {
            Self::InvalidChangeBatch(batch) if !batch.messages().is_empty() => {
                batch.messages().to_vec()
            }
            Self::InvalidChangeBatch(batch) => {
                batch.message().map(str::to_owned).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }
}

macro_rules! no_more_words {
    ($($error:ty),*) => { $(impl Words for $error {})* };
}
no_more_words!(
    aws_sdk_route53::operation::list_hosted_zones::ListHostedZonesError,
    aws_sdk_route53::operation::list_resource_record_sets::ListResourceRecordSetsError,
    aws_sdk_route53::operation::list_tags_for_resources::ListTagsForResourcesError
);
