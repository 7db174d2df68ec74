"""NAT gateways: they take their time, may fail, and let go of what they hold."""

from __future__ import annotations

import time

from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.nat_gateways import NatGateway, NatGatewayBackend
from moto.ec2.responses.nat_gateways import NatGateways
from moto.ec2.utils import generic_filter

from settings import SETTINGS

from .errors import refuse


def settle() -> None:
    """What NAT gateways let go of once they are gone: address and interface."""
    for regions in list(ec2_backends.values()):
        for backend in list(regions.values()):
            for gateway in list(backend.nat_gateways.values()):
                if gateway.state in ("deleted", "failed") and not gateway.settled:
                    gateway.settled = True
                    _let_go(backend, gateway)


def _let_go(backend: EC2Backend, gateway: NatGateway) -> None:
    for address in backend.addresses:
        if address.eni is gateway._eni:
            address.eni = None
            address.association_id = None
    backend.enis.pop(gateway._eni.id, None)


def _state(gateway: NatGateway) -> str:
    now = time.monotonic()
    if gateway.deleted_at is not None:
        gone = now - gateway.deleted_at >= SETTINGS.nat_deleting
        return "deleted" if gone else "deleting"
    if now - gateway.created_at < SETTINGS.nat_pending:
        return "pending"
    return "failed" if gateway.failure else "available"


def _set_state(gateway: NatGateway, state: str) -> None:
    if state == "deleted":
        if gateway.deleted_at is None:
            gateway.deleted_at = time.monotonic()
        return
    gateway.created_at = time.monotonic()
    gateway.failure = SETTINGS.nat_failure
    gateway.deleted_at = None
    gateway.settled = False


def _failure(part: int):
    def read(gateway: NatGateway) -> str | None:
        return gateway.failure[part] if gateway.state == "failed" else None

    return property(read)


def correct() -> None:
    NatGateway.state = property(_state, _set_state)
    NatGateway.failure_code = _failure(0)
    NatGateway.failure_message = _failure(1)
    NatGateway.nat_gateway_id = property(lambda gateway: gateway.id)
    moto_create = NatGateways.create_nat_gateway

    def create(self: NatGateways):
        params = self._get_params()
        public = params.get("ConnectivityType", "public") == "public"
        if public and not params.get("AllocationId"):
            raise refuse(
                "MissingParameter",
                "The request must contain the parameter AllocationId",
            )
        token = params.get("ClientToken")
        tokens = self.ec2_backend.__dict__.setdefault("nat_tokens", {})
        if token not in tokens:
            answer = moto_create(self)
            if token:
                tokens[token] = (params, answer)
            return answer
        before, answer = tokens[token]
        if before != params:
            raise refuse(
                "IdempotentParameterMismatch",
                "The client token was used with other parameters.",
            )
        return answer

    def describe(self: NatGatewayBackend, filters, nat_gateway_ids):
        for gateway_id in nat_gateway_ids or []:
            _find(self, gateway_id)
        gateways = list(self.nat_gateways.values())
        if nat_gateway_ids:
            gateways = [each for each in gateways if each.id in nat_gateway_ids]
        return generic_filter(filters or {}, gateways)

    def delete(self: NatGatewayBackend, nat_gateway_id: str) -> NatGateway:
        gateway = _find(self, nat_gateway_id)
        gateway.state = "deleted"
        return gateway

    NatGateways.create_nat_gateway = create
    NatGatewayBackend.describe_nat_gateways = describe
    NatGatewayBackend.delete_nat_gateway = delete


def _find(backend: NatGatewayBackend, gateway_id: str) -> NatGateway:
    gateway = backend.nat_gateways.get(gateway_id)
    if gateway is None:
        raise refuse("NatGatewayNotFound", f"NAT gateway {gateway_id} was not found")
    return gateway
