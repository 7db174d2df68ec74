//! What Route 53 says when it refuses.

use aws_sdk_route53::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_route53::operation::change_resource_record_sets::ChangeResourceRecordSetsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

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
    aws_sdk_route53::operation::get_change::GetChangeError,
    aws_sdk_route53::operation::get_hosted_zone::GetHostedZoneError,
    aws_sdk_route53::operation::get_hosted_zone_limit::GetHostedZoneLimitError,
    aws_sdk_route53::operation::list_hosted_zones::ListHostedZonesError,
    aws_sdk_route53::operation::list_resource_record_sets::ListResourceRecordSetsError,
    aws_sdk_route53::operation::list_tags_for_resources::ListTagsForResourcesError
);

/// The code and the words of a refusal.
///
/// Route 53 has two shapes for it: the usual `<ErrorResponse>`, which the SDK
/// reads, and, for a refused batch, the bare
/// `<InvalidChangeBatch><Messages><Message>…`, in which the SDK finds no code.
pub(super) fn refusal<E>(error: &SdkError<E, HttpResponse>) -> (Option<String>, Vec<String>)
where
    E: ProvideErrorMetadata + Words,
{
    let Some(service) = error.as_service_error() else {
        return (None, Vec::new());
    };
    if let Some(code) = service.code() {
        return (Some(code.to_owned()), service.words());
    }
    let body = error.raw_response().and_then(|raw| raw.body().bytes());
    let text = String::from_utf8_lossy(body.unwrap_or_default());
    (bare_code(&text), messages(&text))
}

/// The name of the document, if it is not an `<ErrorResponse>`.
fn bare_code(text: &str) -> Option<String> {
    let starts = text.match_indices('<').map(|(at, _)| &text[at + 1..]);
    let root = starts
        .into_iter()
        .find(|rest| !rest.starts_with(['?', '!']))?;
    let end = root.find(|c: char| !c.is_ascii_alphanumeric())?;
    let name = &root[..end];
    (!name.is_empty() && name != "html" && name != "ErrorResponse").then(|| name.to_owned())
}

fn messages(text: &str) -> Vec<String> {
    let parts = text.split("<Message>").skip(1);
    let inner = parts.filter_map(|part| part.split_once("</Message>").map(|(inner, _)| inner));
    let plain = inner.map(|inner| {
        let plain = inner.replace("&lt;", "<").replace("&gt;", ">");
        let plain = plain.replace("&quot;", "\"").replace("&apos;", "'");
        plain.replace("&amp;", "&").trim().to_owned()
    });
    plain.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bare_shape_is_read() {
        let body = "<?xml version=\"1.0\"?>\n<InvalidChangeBatch xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
            <Messages><Message>Tried to create &quot;a&quot; &amp; failed</Message><Message>two</Message></Messages></InvalidChangeBatch>";
        assert_eq!(bare_code(body).as_deref(), Some("InvalidChangeBatch"));
        assert_eq!(messages(body), ["Tried to create \"a\" & failed", "two"]);
    }

    #[test]
    fn other_documents_have_no_code() {
        for text in [
            "",
            "<",
            "<html></html>",
            "<ErrorResponse/>",
            "Not found",
            "<>",
        ] {
            assert_eq!(bare_code(text), None, "{text}");
        }
    }
}
