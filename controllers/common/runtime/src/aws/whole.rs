//! Answers in XML that break off are no answers.
//!
//! The SDK reads XML as far as it goes: a list that breaks off in the middle, as
//! a proxy that gives up leaves it, passes for a shorter list that succeeded. What
//! is not in a list might then be deleted, so such an answer must be an error.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

/// A client whose XML answers are whole.
pub(super) fn whole_answers(client: SharedHttpClient) -> SharedHttpClient {
    SharedHttpClient::new(WholeAnswers(client))
}

#[derive(Debug)]
struct WholeAnswers<T>(T);

impl HttpClient for WholeAnswers<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(WholeAnswers(self.0.http_connector(settings, components)))
    }
}

impl HttpConnector for WholeAnswers<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await?;
            if is_xml(&answer) {
                whole(answer).await
            } else {
                Ok(answer)
            }
        })
    }
}

fn is_xml(answer: &HttpResponse) -> bool {
    let kind = answer.headers().get("content-type").unwrap_or_default();
    kind.split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .ends_with("xml")
}

/// The answer again, if all of it is there. An error of this kind is tried again
/// by the SDK, as a connection that broke.
async fn whole(mut answer: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let body = answer.take_body();
    let body = ByteStream::new(body).collect().await;
    let body = body
        .map_err(|error| ConnectorError::io(error.into()))?
        .into_bytes();
    if !is_closed(&String::from_utf8_lossy(&body)) {
        return Err(ConnectorError::io("the answer breaks off".into()));
    }
    *answer.body_mut() = SdkBody::from(body);
    Ok(answer)
}

/// Whether the first element is closed at the very end. What has no element at
/// all is for the SDK to refuse.
fn is_closed(xml: &str) -> bool {
    let xml = xml.trim();
    let mut rest = xml;
    let name = loop {
        let Some(start) = rest.find('<') else {
            return true;
        };
        rest = &rest[start + 1..];
        if !rest.starts_with(['?', '!']) {
            let end = rest.find(|c: char| c == '>' || c == '/' || c.is_whitespace());
            break &rest[..end.unwrap_or(rest.len())];
        }
    };
    let closed = xml
        .strip_suffix('>')
        .map(str::trim_end)
        .and_then(|xml| xml.strip_suffix(name))
        .is_some_and(|xml| xml.ends_with("</"));
    closed || (rest.ends_with("/>") && rest.find('>') == Some(rest.len() - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "<?xml version=\"1.0\"?>\n<ListResponse xmlns=\"x\">\n <List><member>a</member><member>b</member></List>\n</ListResponse>\n";

    #[test]
    fn every_beginning_of_an_answer_is_found_out() {
        assert!(is_closed(LIST));
        let body_starts = LIST.find("<ListResponse").unwrap();
        for end in body_starts + 1..LIST.trim_end().len() {
            assert!(!is_closed(&LIST[..end]), "{}", &LIST[..end]);
        }
    }

    #[test]
    fn answers_of_other_shapes() {
        for whole in [
            "",
            "<a/>",
            "<a b='c'/>",
            "<a></a >",
            "<!-- c --><a><b/></a>",
        ] {
            assert!(is_closed(whole), "{whole}");
        }
        for part in ["<a><b/>", "<a", "<a><a2></a2>", "<a><b></a"] {
            assert!(!is_closed(part), "{part}");
        }
    }
}
