"""ACM and IAM certificates as AWS lists them."""

from __future__ import annotations

from cryptography import x509
from moto.acm.exceptions import AWSError
from moto.acm.models import AWSCertificateManagerBackend
from moto.acm.responses import AWSCertificateManagerResponse
from moto.core.responses import ActionResult
from moto.elbv2.models import elbv2_backends
from moto.iam.responses import IamResponse

from settings import SETTINGS

#: What a list without a filter for key types contains.
DEFAULT_KEY_TYPES = ("RSA_1024", "RSA_2048")
PAGE = 1000
SUMMARY_NAMES = 100


def correct() -> None:
    """Replaces what moto gets wrong."""
    AWSCertificateManagerResponse.list_certificates = _list
    AWSCertificateManagerBackend.delete_certificate = _delete(
        AWSCertificateManagerBackend.delete_certificate
    )
    for name in ("upload", "list", "get"):
        action = f"{name}_server_certificate" + ("s" if name == "list" else "")
        setattr(IamResponse, action, _with_expiration(getattr(IamResponse, action)))
    IamResponse.upload_server_certificate = _with_tags(
        IamResponse.upload_server_certificate
    )
    IamResponse.list_server_certificate_tags = _list_tags
    IamResponse.list_server_certificates = _in_pages(
        IamResponse.list_server_certificates
    )


def _with_tags(moto_upload):
    """Keeps what moto drops."""

    def upload(self: IamResponse) -> ActionResult:
        result = moto_upload(self)
        name = self._get_param("ServerCertificateName")
        certificate = self.backend.get_server_certificate(name)
        certificate.kept_tags = self._get_param("Tags") or []
        return result

    return upload


def _list_tags(self: IamResponse) -> ActionResult:
    """Which moto does not have."""
    name = self._get_param("ServerCertificateName")
    certificate = self.backend.get_server_certificate(name)
    return ActionResult({"Tags": certificate.kept_tags, "IsTruncated": False})


def _list(self: AWSCertificateManagerResponse) -> ActionResult:
    statuses = self._get_param("CertificateStatuses")
    includes = dict(self._get_param("Includes") or {})
    includes.setdefault("keyTypes", list(DEFAULT_KEY_TYPES))
    found = [
        _summary(bundle)
        for bundle in self.acm_backend.list_certificates(statuses, includes)
    ]
    start = int(self._get_param("NextToken") or 0)
    end = start + int(SETTINGS.list_page_size or self._get_param("MaxItems") or PAGE)
    result = {"CertificateSummaryList": found[start:end]}
    if end < len(found):
        result["NextToken"] = str(end)
    return ActionResult(result)


def _summary(bundle) -> dict:
    summary = bundle.describe()["Certificate"]
    names = summary.pop("SubjectAlternativeNames", [])
    summary["SubjectAlternativeNameSummaries"] = names[:SUMMARY_NAMES]
    summary["HasAdditionalSubjectAlternativeNames"] = len(names) > SUMMARY_NAMES
    summary["InUse"] = bool(_users(bundle))
    summary.pop("InUseBy", None)
    summary["Exported"] = bundle.cert_options["Export"] == "ENABLED"
    return summary


def _users(bundle) -> list[str]:
    """The load balancers whose listeners have the certificate."""
    return [
        load_balancer.arn
        for regions in elbv2_backends.values()
        for backend in list(regions.values())
        for load_balancer in backend.load_balancers.values()
        if any(
            bundle.arn in listener.certificates
            for listener in load_balancer.listeners.values()
        )
    ]


def _delete(moto_delete):
    def delete(self: AWSCertificateManagerBackend, arn: str) -> None:
        bundle = self._certificates.get(arn)
        if bundle is not None and _users(bundle):
            raise AWSError(
                f"Certificate {arn} in account is in use.",
                exception_type="ResourceInUseException",
            )
        moto_delete(self, arn)

    return delete


def _with_expiration(moto_answer):
    """The certificate's own end in place of one day in 2012."""

    def answer(self: IamResponse) -> ActionResult:
        result = moto_answer(self).result
        for metadata in _metadata(result):
            name = metadata["ServerCertificateName"]
            body = self.backend.get_server_certificate(name).cert_body
            end = x509.load_pem_x509_certificate(body.encode()).not_valid_after_utc
            metadata["Expiration"] = end.strftime("%Y-%m-%dT%H:%M:%SZ")
        return ActionResult(result)

    return answer


def _in_pages(whole_list):
    def answer(self: IamResponse) -> ActionResult:
        found = _metadata(whole_list(self).result)
        start = int(self._get_param("Marker") or 0)
        size = int(SETTINGS.list_page_size or self._get_param("MaxItems") or PAGE)
        result = {"ServerCertificateMetadataList": found[start : start + size]}
        result["IsTruncated"] = start + size < len(found)
        if result["IsTruncated"]:
            result["Marker"] = str(start + size)
        return ActionResult(result)

    return answer


def _metadata(result) -> list[dict]:
    if "ServerCertificateMetadataList" in result:
        return result["ServerCertificateMetadataList"]
    holder = result.get("ServerCertificate", result)
    return [holder["ServerCertificateMetadata"]]
