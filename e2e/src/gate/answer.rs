//! Errors in the shape of each protocol and the words of each service.

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use super::request::{Asked, Protocol};
use super::xml::escape;
use crate::testbed::Body;

/// An error as AWS names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AwsError {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
    /// Where there is a list of messages, the error is written in Route 53's older, bare shape.
    pub(super) list: Vec<String>,
}

impl AwsError {
    pub(super) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            list: Vec::new(),
        }
    }

    /// What the service says to a caller over its rate.
    pub(super) fn throttled(service: &str) -> Self {
        match service {
            "ec2" => Self::new(503, "RequestLimitExceeded", "Request limit exceeded."),
            "acm" | "wafv2" | "elasticloadbalancing" => {
                Self::new(400, "ThrottlingException", "Rate exceeded")
            }
            _ => Self::new(400, "Throttling", "Rate exceeded"),
        }
    }

    /// What EC2 says of a dry run that is allowed.
    pub(super) fn rehearsed() -> Self {
        let message = "Request would have succeeded, but DryRun flag is set.";
        Self::new(412, "DryRunOperation", message)
    }

    /// What the service says to a caller without permission.
    pub(super) fn denied(asked: &Asked) -> Self {
        let message = format!(
            "User: arn:aws:iam::{}:user/testbed is not authorized to perform: {}:{}",
            crate::ACCOUNT,
            asked.service,
            asked.action
        );
        match asked.service.as_str() {
            "ec2" => Self::new(
                403,
                "UnauthorizedOperation",
                "You are not authorized to perform this operation.",
            ),
            "acm" | "wafv2" => Self::new(400, "AccessDeniedException", message),
            _ => Self::new(403, "AccessDenied", message),
        }
    }

    /// What the service says when it is broken.
    pub(super) fn internal(service: &str) -> Self {
        let code = match service {
            "ec2" => "InternalError",
            _ => "InternalFailure",
        };
        Self::new(500, code, "An internal error has occurred.")
    }

    /// The answer on the wire.
    pub(super) fn response(&self, protocol: Protocol) -> Response<Body> {
        let (code, message) = (escape(&self.code), escape(&self.message));
        let id = "00000000-0000-0000-0000-000000000000";
        let body = match protocol {
            Protocol::Ec2 => format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{code}</Code>\
                 <Message>{message}</Message></Error></Errors><RequestID>{id}</RequestID></Response>"
            ),
            Protocol::RestXml if !self.list.is_empty() => {
                let messages = self.list.iter().map(|text| escape(text));
                let messages: String = messages
                    .map(|text| format!("<Message>{text}</Message>"))
                    .collect();
                format!(
                    "<?xml version=\"1.0\"?>\n<{code} xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
                     <Messages>{messages}</Messages></{code}>"
                )
            }
            Protocol::Query | Protocol::RestXml => {
                let side = if self.status >= 500 {
                    "Receiver"
                } else {
                    "Sender"
                };
                format!(
                    "<?xml version=\"1.0\"?>\n<ErrorResponse><Error><Type>{side}</Type><Code>{code}</Code>\
                     <Message>{message}</Message></Error><RequestId>{id}</RequestId></ErrorResponse>"
                )
            }
            Protocol::Json | Protocol::Cbor => {
                serde_json::json!({"__type": self.code, "message": self.message}).to_string()
            }
        };
        let body = match protocol {
            Protocol::Cbor => cbor(&[("__type", &self.code), ("message", &self.message)]),
            _ => body.into_bytes(),
        };
        let kind = match protocol {
            Protocol::Json => "application/x-amz-json-1.1",
            Protocol::Cbor => "application/cbor",
            _ => "text/xml",
        };
        let mut response = Response::new(Body::whole(body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if protocol == Protocol::Cbor {
            let version = HeaderValue::from_static("rpc-v2-cbor");
            response.headers_mut().insert("smithy-protocol", version);
        }
        response
    }
}

/// A map of texts in CBOR, each with a length of two bytes.
fn cbor(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = vec![0xa0 | u8::try_from(fields.len()).unwrap_or_default()];
    for text in fields.iter().flat_map(|(name, value)| [name, value]) {
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        bytes.push(0x79);
        bytes.extend(length.to_be_bytes());
        bytes.extend(&text.as_bytes()[..usize::from(length)]);
    }
    bytes
}
