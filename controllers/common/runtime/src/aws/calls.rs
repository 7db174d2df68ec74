//! Every request to AWS, counted.

use std::time::Instant;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use isthmus_core::ErrorClass;

use super::rights::DRY_RUN;
use crate::Metrics;
use crate::traces::CALL;

/// Counts each attempt of each call, as AWS does for its rates: outcome,
/// throttling, time. An attempt that never left, for lack of credentials say,
/// is not counted.
#[derive(Clone)]
pub struct CallMetrics {
    metrics: Metrics,
}

impl std::fmt::Debug for CallMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CallMetrics")
    }
}

impl CallMetrics {
    /// Counts into these metrics.
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        Self { metrics }
    }

    /// The class of a failed attempt, from what AWS answered if it did; none for
    /// a dry run that went well, which has the form of an error.
    fn failure(
        &self,
        response: Option<&HttpResponse>,
        service: &str,
        operation: &str,
    ) -> Option<ErrorClass> {
        let Some(response) = response else {
            return Some(ErrorClass::Transient);
        };
        let code = code(response);
        let status = response.status().as_u16();
        if code.is_some() {
            let rights = self.metrics.rights();
            rights.judged(service, operation, code.as_deref());
        }
        let class = ErrorClass::from_aws(code.as_deref(), Some(status));
        Some(class).filter(|_| code.as_deref() != Some(DRY_RUN))
    }
}

/// When the attempt under way was sent.
#[derive(Debug)]
struct Sent(Option<Instant>);

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

impl Intercept for CallMetrics {
    fn name(&self) -> &'static str {
        "CallMetrics"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        cfg.interceptor_state()
            .store_put(Sent(Some(Instant::now())));
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(sent) = cfg.load::<Sent>().and_then(|sent| sent.0) else {
            return Ok(());
        };
        cfg.interceptor_state().store_put(Sent(None));
        let Some(call) = cfg.load::<Metadata>() else {
            return Ok(());
        };
        let service = call.service().replace(' ', "").to_lowercase();
        let failure = match context.output_or_error() {
            Some(Ok(_)) => {
                self.metrics.rights().judged(&service, call.name(), None);
                None
            }
            _ => self.failure(context.response(), &service, call.name()),
        };
        let took = sent.elapsed();
        self.metrics
            .aws_request(&service, call.name(), failure, took);
        let outcome = failure.map_or("ok", ErrorClass::as_str);
        let request_id = context.response().and_then(request_id);
        tracing::debug!(
            target: CALL,
            service,
            operation = call.name(),
            outcome,
            request_id,
            took_ms = took.as_secs_f64() * 1000.0,
            "AWS call"
        );
        Ok(())
    }

    /// A call that failed in the end is worth a line: AWS's support asks for the
    /// id of the request.
    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (Some(Err(_)), Some(response)) = (context.output_or_error(), context.response()) else {
            return Ok(());
        };
        let code = code(response).unwrap_or_default();
        let class = ErrorClass::from_aws(Some(&code), Some(response.status().as_u16()));
        if let (Some(call), Some(request_id)) = (cfg.load::<Metadata>(), request_id(response))
            && code != DRY_RUN
        {
            tracing::info!(
                service = call.service().replace(' ', "").to_lowercase(),
                operation = call.name(),
                class = class.as_str(),
                code,
                request_id,
                "AWS refused a call"
            );
        }
        Ok(())
    }
}

/// AWS's id of the request, which its
/// [support](https://docs.aws.amazon.com/sdk-for-rust/latest/dg/error-handling.html) asks for.
/// The header is the same in all protocols that are used here.
fn request_id(response: &HttpResponse) -> Option<&str> {
    let headers = response.headers();
    let names = ["x-amzn-requestid", "x-amz-request-id"];
    names.into_iter().find_map(|name| headers.get(name))
}

/// The error code of an answer, if it has one.
fn code(response: &HttpResponse) -> Option<String> {
    let header = response.headers().get("x-amzn-errortype");
    let body = response.body().bytes().unwrap_or_default();
    let code = header
        .map(str::to_owned)
        .or_else(|| code_in(&String::from_utf8_lossy(body)))?;
    Some(bare(&code).to_owned())
}

/// The error code in a body: `<Code>` in the XML protocols, `__type` in JSON.
/// The SDK's own parsers are behind types that an interceptor for all services
/// does not know.
fn code_in(body: &str) -> Option<String> {
    if let Some((_, rest)) = body.split_once("<Code>") {
        return rest
            .split_once("</Code>")
            .map(|(code, _)| code.trim().to_owned());
    }
    let json: serde_json::Value = serde_json::from_str(body).ok()?;
    let code = json.get("__type").or_else(|| json.get("code"))?;
    code.as_str().map(str::to_owned)
}

/// `com.amazonaws.acm#ThrottlingException:http://…` is `ThrottlingException`.
fn bare(code: &str) -> &str {
    let code = code.rsplit('#').next().unwrap_or(code);
    code.split(':').next().unwrap_or(code)
}

#[cfg(test)]
mod tests;
