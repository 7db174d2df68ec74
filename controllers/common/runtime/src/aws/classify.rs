//! What a failed call means, by codes and kinds and never by text.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use isthmus_core::ErrorClass;

use crate::connect::chain;

/// The class of a failed call of any service.
///
/// * AWS answered with an error: its code decides ([`ErrorClass::from_aws`]).
/// * No credentials, or none that are of use: `Denied`. That is so too if STS
///   does not give the process its own, by a web identity token or a profile.
/// * A time-out, a cut connection, an answer that cannot be read: `Transient`.
/// * A request that could not be built: `Invalid`.
#[must_use]
pub fn error_class<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> ErrorClass {
    match error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            ErrorClass::from_aws(answer.err().code(), Some(status))
        }
        SdkError::ConstructionFailure(_) => ErrorClass::Invalid,
        SdkError::DispatchFailure(failure) => failure
            .as_connector_error()
            .and_then(|error| own_credentials(error))
            .unwrap_or(ErrorClass::Transient),
        _ => ErrorClass::Transient,
    }
}

/// A failed call in one line, `Code: message` where AWS answered. The SDK keeps
/// requests and credentials out of its errors.
#[must_use]
pub fn aws_message<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> String {
    let text = match error {
        SdkError::ServiceError(answer) => match (answer.err().code(), answer.err().message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            (None, Some(message)) => message.to_owned(),
            (None, None) => format!("status {}", answer.raw().status().as_u16()),
        },
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(error) => format!("AWS was not reached: {}", chain(error)),
            None => "AWS was not reached".to_owned(),
        },
        SdkError::TimeoutError(_) => "AWS did not answer in time".to_owned(),
        SdkError::ResponseError(answer) => format!(
            "AWS gave an answer that cannot be read, with status {}",
            answer.raw().status().as_u16()
        ),
        _ => "the request could not be built".to_owned(),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What kept the process from having credentials of its own, if that is what failed.
fn own_credentials(error: &(dyn Error + 'static)) -> Option<ErrorClass> {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(
            CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_),
        ) = current.downcast_ref()
        {
            return Some(ErrorClass::Denied);
        }
        let by_sts = of_call::<AssumeRoleWithWebIdentityError>(current)
            .or_else(|| of_call::<AssumeRoleError>(current));
        match by_sts {
            // A role or a token that is wrong is as good as none.
            Some(ErrorClass::Invalid) => return Some(ErrorClass::Denied),
            Some(class) => return Some(class),
            None => cause = current.source(),
        }
    }
    None
}

fn of_call<E>(error: &(dyn Error + 'static)) -> Option<ErrorClass>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let call = error.downcast_ref::<SdkError<E, HttpResponse>>();
    call.map(error_class)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    fn answer(status: u16) -> HttpResponse {
        HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty())
    }

    fn refused(code: &str, status: u16) -> SdkError<ErrorMetadata, HttpResponse> {
        let meta = ErrorMetadata::builder()
            .code(code)
            .message("Rate\n exceeded")
            .build();
        SdkError::service_error(meta, answer(status))
    }

    fn unreached(error: CredentialsError) -> SdkError<ErrorMetadata, HttpResponse> {
        SdkError::dispatch_failure(ConnectorError::other(error.into(), None))
    }

    #[test]
    fn an_answer_is_classified_by_its_code() {
        assert_eq!(
            error_class(&refused("Throttling", 400)),
            ErrorClass::Throttled
        );
        assert_eq!(error_class(&refused("Unheard", 503)), ErrorClass::Transient);
        assert_eq!(error_class(&refused("Unheard", 400)), ErrorClass::Invalid);
        assert_eq!(
            aws_message(&refused("Throttling", 400)),
            "Throttling: Rate exceeded"
        );
    }

    #[test]
    fn no_answer_is_transient_unless_credentials_are_missing() {
        let timeout: SdkError<ErrorMetadata, _> = SdkError::timeout_error("slow");
        assert_eq!(error_class(&timeout), ErrorClass::Transient);
        let garbled: SdkError<ErrorMetadata, _> = SdkError::response_error("xml", answer(200));
        assert_eq!(error_class(&garbled), ErrorClass::Transient);
        let none = unreached(CredentialsError::not_loaded_no_source());
        assert_eq!(error_class(&none), ErrorClass::Denied);
        let denied = |code: &str, status| {
            let meta = ErrorMetadata::builder().code(code).build();
            let error = AssumeRoleWithWebIdentityError::generic(meta);
            unreached(CredentialsError::provider_error(SdkError::service_error(
                error,
                answer(status),
            )))
        };
        for (code, status, class) in [
            ("AccessDenied", 403, ErrorClass::Denied),
            ("InvalidIdentityToken", 400, ErrorClass::Denied),
            ("ExpiredTokenException", 400, ErrorClass::Denied),
            ("IDPRejectedClaim", 403, ErrorClass::Denied),
            ("ValidationError", 400, ErrorClass::Denied),
            ("IDPCommunicationError", 400, ErrorClass::Transient),
            ("Throttling", 400, ErrorClass::Throttled),
        ] {
            assert_eq!(error_class(&denied(code, status)), class, "{code}");
        }
        let slow = unreached(CredentialsError::provider_timed_out(
            std::time::Duration::ZERO,
        ));
        assert_eq!(error_class(&slow), ErrorClass::Transient);
    }
}
