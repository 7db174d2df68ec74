"""Listeners: one to a port, and certificates that stay where they are."""

from __future__ import annotations

from moto.core.responses import ActionResult
from moto.elbv2.exceptions import DuplicateListenerError, TooManyCertificatesError
from moto.elbv2.models import ELBv2Backend, FakeListener
from moto.elbv2.responses import ELBV2Response
from moto.elbv2.ssl_policies import SSL_POLICIES

from .errors import page, refuse

SECURE = ("HTTPS", "TLS")
#: Certificates of a load balancer beside the default ones.
CERTIFICATES = 25


def correct() -> None:
    moto_create = ELBv2Backend.create_listener
    moto_modify = ELBv2Backend.modify_listener

    def create(self: ELBv2Backend, load_balancer_arn, **asked) -> FakeListener:
        balancer = self.load_balancers.get(load_balancer_arn)
        for listener in balancer.listeners.values() if balancer else ():
            if str(listener.port) == str(asked.get("port")):
                # With the same settings the call succeeds, as its reference says.
                if listener.asked == asked:
                    return listener
                raise DuplicateListenerError()
        _check_secure(self, asked.get("protocol"), asked.get("certificate"), asked)
        before = {key: value for key, value in asked.items()}
        _check_targets(self, load_balancer_arn, asked.get("actions"))
        made = moto_create(self, load_balancer_arn, **asked)
        made.asked = before
        return made

    def modify(self: ELBv2Backend, arn, port=None, protocol=None, ssl_policy=None,
               certificates=None, actions=None) -> FakeListener:  # fmt: skip
        listener = self.describe_listeners(None, [arn])[0]
        balancer = self.load_balancers[listener.load_balancer_arn]
        for other in balancer.listeners.values():
            if port and other is not listener and str(other.port) == str(port):
                raise DuplicateListenerError()
        _check_targets(self, listener.load_balancer_arn, actions)
        # moto replaces the whole list; AWS only its first, the default one.
        extra = listener.certificates[1:]
        becomes = protocol or listener.protocol
        if becomes in SECURE and not certificates and not listener.certificates:
            _check_secure(self, becomes, None, {})
        changed = moto_modify(
            self, arn, port, protocol, ssl_policy, certificates or [], actions or []
        )
        if becomes in SECURE:
            default = changed.certificates[:1]
            changed.certificates = default + [each for each in extra if each not in default]
            changed.certificate = default[0]
        else:
            changed.certificates, changed.certificate = [], None
        return changed

    ELBv2Backend.create_listener = create
    ELBv2Backend.modify_listener = modify
    ELBv2Backend.add_listener_certificates = _add
    ELBv2Backend.remove_listener_certificates = _remove
    ELBv2Backend.delete_listener = _delete(ELBv2Backend.delete_listener)
    ELBV2Response.describe_listeners = _describe
    ELBV2Response.describe_listener_certificates = _describe_certificates
    only_default = lambda certificates: [  # noqa: E731
        {"CertificateArn": arn} for arn in certificates[:1]
    ] or None
    for key in list(ELBV2Response.RESPONSE_KEY_PATH_TO_TRANSFORMER):
        if key.endswith("Listener.Certificates"):
            ELBV2Response.RESPONSE_KEY_PATH_TO_TRANSFORMER[key] = only_default


def _check_secure(backend: ELBv2Backend, protocol, certificate, asked: dict) -> None:
    if protocol not in SECURE:
        return
    if not certificate:
        raise refuse(
            "ValidationError", f"A certificate must be specified for {protocol} listeners"
        )
    _check_certificate(backend, certificate)
    policy = asked.get("ssl_policy")
    if policy and policy not in SSL_POLICIES:
        raise refuse("SSLPolicyNotFound", f"SSL policy '{policy}' not found")


def _check_certificate(backend: ELBv2Backend, arn: str) -> None:
    if not backend._certificate_exists(certificate_arn=arn):
        raise refuse("CertificateNotFound", f"Certificate '{arn}' not found")


def _check_targets(backend: ELBv2Backend, load_balancer_arn: str, actions) -> None:
    """A target group serves one load balancer, and of the right kind."""
    balancer = backend.load_balancers.get(load_balancer_arn)
    for action in actions or []:
        for arn in backend._get_target_group_arns_from(action_data=action):
            group = backend.target_groups.get(arn)
            if group is None or balancer is None:
                continue
            others = [each for each in group.load_balancer_arns if each != load_balancer_arn]
            if others:
                raise refuse(
                    "TargetGroupAssociationLimit",
                    f"The following target groups cannot be associated with more than one load balancer: {arn}",
                )
            is_http = group.protocol in ("HTTP", "HTTPS", None)
            if is_http != (balancer.type == "application"):
                raise refuse(
                    "InvalidConfigurationRequest",
                    f"Target group protocol '{group.protocol}' is not supported by the load balancer's type",
                )


def _add(self: ELBv2Backend, arn: str, certificates: list[dict]) -> list[str]:
    listener = self.describe_listeners(None, [arn])[0]
    arns = [certificate["CertificateArn"] for certificate in certificates]
    for each in arns:
        _check_certificate(self, each)
    new = [each for each in arns if each not in listener.certificates]
    balancer = self.load_balancers[listener.load_balancer_arn]
    extra = sum(len(each.certificates[1:]) for each in balancer.listeners.values())
    if extra + len(new) > CERTIFICATES:
        raise TooManyCertificatesError()
    listener.certificates.extend(new)
    return arns


def _remove(self: ELBv2Backend, arn: str, certificates: list[dict]) -> None:
    listener = self.describe_listeners(None, [arn])[0]
    arns = [certificate["CertificateArn"] for certificate in certificates]
    if listener.certificates[:1] and listener.certificates[0] in arns:
        raise refuse(
            "OperationNotPermitted", "Default certificate cannot be removed from a listener"
        )
    listener.certificates = [each for each in listener.certificates if each not in arns]


def _delete(moto_delete):
    def delete(self: ELBv2Backend, arn: str) -> FakeListener:
        listener = moto_delete(self, arn)
        for rule_arn in listener.rules:
            self.tagging_service.delete_all_tags_for_resource(str(rule_arn))
        self.tagging_service.delete_all_tags_for_resource(arn)
        return listener

    return delete


def _describe(self: ELBV2Response) -> ActionResult:
    load_balancer_arn = self._get_param("LoadBalancerArn")
    arns = self._get_param("ListenerArns", [])
    if not load_balancer_arn and not arns:
        raise refuse(
            "ValidationError",
            "You must specify either listener ARNs or a load balancer ARN",
        )
    found = self.elbv2_backend.describe_listeners(load_balancer_arn, arns)
    listeners, marker = page(self, found)
    return ActionResult({"Listeners": listeners, "NextMarker": marker})


def _describe_certificates(self: ELBV2Response) -> ActionResult:
    listener_arn = self._get_param("ListenerArn")
    arns = self.elbv2_backend.describe_listener_certificates(listener_arn)
    certificates, marker = page(
        self,
        [
            {"CertificateArn": arn, "IsDefault": index == 0}
            for index, arn in enumerate(arns)
        ],
    )
    return ActionResult({"Certificates": certificates, "NextMarker": marker})
