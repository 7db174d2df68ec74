//! What Route 53 does and MiniStack does not: limits of a batch, names outside
//! the zone, the rules for CNAME, values, one change at a time for a zone, `*`
//! written as `\052`, names in lower case, `ListTagsForResources` and
//! `GetHostedZoneLimit`.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use hyper::Response;
use hyper::body::Bytes;
use hyper::http::request;

use super::answer::AwsError;
use super::request::Asked;
use super::xml::{self, Element, escape};
use crate::http;
use crate::testbed::Body;

mod batch;

use batch::{Batch, Existing};

/// What to do with a call before it is sent.
pub(super) enum Before {
    /// Send it with this body.
    Send(Bytes),
    /// Answer this instead.
    Answer(Response<Body>),
}

/// The part of Route 53 that is played here.
pub(super) struct Route53 {
    ministack: String,
    changing: Mutex<BTreeSet<String>>,
}

const PATH: &str = "/2013-04-01";

impl Route53 {
    pub(super) fn new(ministack: &str) -> Self {
        Self {
            ministack: ministack.to_owned(),
            changing: Mutex::new(BTreeSet::new()),
        }
    }

    /// Checks and completes a call.
    ///
    /// # Errors
    /// What Route 53 answers to a call against its rules.
    pub(super) async fn before(
        &self,
        asked: &Asked,
        parts: &request::Parts,
        body: Bytes,
    ) -> Result<Before, AwsError> {
        match asked.action.as_str() {
            "ChangeResourceRecordSets" => {
                let zone = asked.params.get("Id").cloned().unwrap_or_default();
                let body = plain_names(&String::from_utf8_lossy(&body));
                self.check(&zone, &body).await?;
                let mut changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
                if !changing.insert(zone) {
                    let text = "The request was rejected because Route 53 was still processing a prior request.";
                    return Err(AwsError::new(400, "PriorRequestNotComplete", text));
                }
                Ok(Before::Send(Bytes::from(body)))
            }
            "ListTagsForResources" => {
                let kind = parts.uri.path().rsplit('/').next().unwrap_or_default();
                let body = String::from_utf8_lossy(&body);
                self.list_tags(kind, &body).await.map(Before::Answer)
            }
            "GetHostedZoneLimit" => {
                let zone = asked.params.get("Id").cloned().unwrap_or_default();
                self.limit(&zone).await.map(Before::Answer)
            }
            _ => Ok(Before::Send(body)),
        }
    }

    /// The call has been answered.
    pub(super) fn after(&self, asked: &Asked) {
        if asked.action == "ChangeResourceRecordSets"
            && let Some(zone) = asked.params.get("Id")
        {
            let mut changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
            changing.remove(zone);
        }
    }

    async fn check(&self, zone: &str, body: &str) -> Result<(), AwsError> {
        let Some(batch) = Batch::parse(body) else {
            return Ok(());
        };
        batch.check_size()?;
        batch.check_values()?;
        batch.check_primary()?;
        let answer = self.read(&format!("{PATH}/hostedzone/{zone}")).await;
        let name = answer.and_then(|root| Some(root.text_at(&["HostedZone", "Name"])?.to_owned()));
        // MiniStack refuses a zone that is not there in the right words.
        let Some(name) = name else { return Ok(()) };
        batch.check_names(&name)?;
        let existing = self.existing(zone, &batch.names()).await;
        batch.check_cname(&name, existing)
    }

    /// What there is at these names: each asked for, or the whole zone where they are many.
    async fn existing(&self, zone: &str, names: &BTreeSet<&str>) -> Existing {
        const MANY: usize = 20;
        let mut existing = Existing::new();
        let list = |start: &str, more: &str| {
            let start: String = form_urlencoded::byte_serialize(start.as_bytes()).collect();
            format!("{PATH}/hostedzone/{zone}/rrset?name={start}{more}")
        };
        if names.len() <= MANY {
            for name in names {
                if let Some(root) = self.read(&list(name, "&maxitems=100")).await {
                    batch::collect(&root, &BTreeSet::from([*name]), &mut existing);
                }
            }
            return existing;
        }
        let mut next = format!("{PATH}/hostedzone/{zone}/rrset?maxitems=300");
        while let Some(root) = self.read(&next).await {
            batch::collect(&root, names, &mut existing);
            let text = |field| root.text_at(&[field]).unwrap_or_default();
            if text("IsTruncated") != "true" {
                break;
            }
            let more = [
                ("type", text("NextRecordType")),
                ("identifier", text("NextRecordIdentifier")),
            ];
            let more = more.iter().filter(|(_, value)| !value.is_empty());
            let more: String = more.map(|(key, value)| format!("&{key}={value}")).collect();
            next = list(text("NextRecordName"), &format!("{more}&maxitems=300"));
        }
        existing
    }

    /// `MAX_RRSETS_BY_ZONE` as it is unless AWS has raised it.
    async fn limit(&self, zone: &str) -> Result<Response<Body>, AwsError> {
        let answer = self.read(&format!("{PATH}/hostedzone/{zone}")).await;
        let count = answer.and_then(|root| {
            let count = root.text_at(&["HostedZone", "ResourceRecordSetCount"])?;
            Some(count.to_owned())
        });
        let Some(count) = count else {
            let text = format!("No hosted zone found with ID: {zone}");
            return Err(AwsError::new(404, "NoSuchHostedZone", text));
        };
        let body = format!(
            "<?xml version=\"1.0\"?>\n<GetHostedZoneLimitResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
             <Limit><Type>MAX_RRSETS_BY_ZONE</Type><Value>10000</Value></Limit><Count>{count}</Count></GetHostedZoneLimitResponse>"
        );
        Ok(Response::new(Body::whole(body)))
    }

    async fn list_tags(&self, kind: &str, body: &str) -> Result<Response<Body>, AwsError> {
        let root = xml::parse(body).unwrap_or_default();
        let ids: Vec<&str> = root
            .child("ResourceIds")
            .map(|ids| ids.children.iter().map(|id| id.text.as_str()).collect())
            .unwrap_or_default();
        if ids.len() > 10 {
            let text = "1 validation error detected: Value at 'resourceIds' failed to satisfy constraint: Member must have length less than or equal to 10";
            return Err(AwsError::new(400, "InvalidInput", text));
        }
        let mut sets = String::new();
        for id in ids {
            let answer = self.read(&format!("{PATH}/tags/{kind}/{id}")).await;
            let Some(set) = answer
                .as_ref()
                .and_then(|root| root.child("ResourceTagSet"))
            else {
                let text = format!("No hosted zone found with ID: {id}");
                return Err(AwsError::new(404, "NoSuchHostedZone", text));
            };
            sets.push_str(&write(set));
        }
        let body = format!(
            "<?xml version=\"1.0\"?>\n<ListTagsForResourcesResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
             <ResourceTagSets>{sets}</ResourceTagSets></ListTagsForResourcesResponse>"
        );
        Ok(Response::new(Body::whole(body)))
    }

    /// A read of MiniStack on our own account.
    async fn read(&self, path: &str) -> Option<Element> {
        let url = format!("{}{path}", self.ministack);
        let authorization = "AWS4-HMAC-SHA256 Credential=testbed/20260101/us-east-1/route53/aws4_request, SignedHeaders=host, Signature=0";
        let headers = [("authorization", authorization)];
        let answer = http::send(hyper::Method::GET, &url, &headers, String::new()).await;
        let (status, body) = answer.ok()?;
        if status.is_success() {
            xml::parse(&body)
        } else {
            None
        }
    }
}

fn write(element: &Element) -> String {
    let inside: String = if element.children.is_empty() {
        escape(&element.text)
    } else {
        element.children.iter().map(write).collect()
    };
    format!("<{0}>{inside}</{0}>", element.name)
}

/// The names in a batch in lower case and with `*` for `\052`, as Route 53 reads them.
fn plain_names(body: &str) -> String {
    let mut plain = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(start) = rest.find("<Name>") {
        let start = start + "<Name>".len();
        let end = rest[start..]
            .find('<')
            .map_or(rest.len(), |end| start + end);
        plain.push_str(&rest[..start]);
        plain.push_str(&rest[start..end].to_ascii_lowercase().replace("\\052", "*"));
        rest = &rest[end..];
    }
    plain.push_str(rest);
    plain
}

/// The path and query of a listing that may start at an escaped name.
pub(super) fn plain_query(path: &str) -> String {
    path.replace("%5C052", "%2A").replace("%5c052", "%2A")
}

/// The names of a listing as Route 53 writes them.
pub(super) fn escaped_names(body: &Bytes) -> Bytes {
    match std::str::from_utf8(body) {
        Ok(text) if text.contains("<Name>*.") || text.contains("<NextRecordName>*.") => {
            let text = text
                .replace("<Name>*.", "<Name>\\052.")
                .replace("<NextRecordName>*.", "<NextRecordName>\\052.");
            Bytes::from(text)
        }
        _ => body.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_goes_in_plain_and_comes_out_escaped() {
        let body = "<Change><Name>\\052.Shop.example.org.</Name><Value>\\052</Value></Change>";
        assert_eq!(
            plain_names(body),
            "<Change><Name>*.shop.example.org.</Name><Value>\\052</Value></Change>"
        );
        assert_eq!(plain_query("/x?name=%5C052.a"), "/x?name=%2A.a");
        assert_eq!(
            escaped_names(&Bytes::from_static(b"<Name>*.a.</Name>")),
            Bytes::from_static(b"<Name>\\052.a.</Name>")
        );
    }
}
