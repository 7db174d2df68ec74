"""Long answers come in pages: moto gives everything at once."""

from __future__ import annotations

from moto.core.responses import ActionResult
from moto.ec2.responses.internet_gateways import InternetGateways
from moto.ec2.responses.nat_gateways import NatGateways
from moto.ec2.responses.route_tables import RouteTables
from moto.ec2.responses.subnets import Subnets
from moto.ec2.responses.vpcs import VPCs

from settings import SETTINGS

#: What is listed in pages: the class, its method and the key of the answer.
LISTS = (
    (InternetGateways, "describe_internet_gateways", "InternetGateways"),
    (NatGateways, "describe_nat_gateways", "NatGateways"),
    (RouteTables, "describe_route_tables", "RouteTables"),
    (Subnets, "describe_subnets", "Subnets"),
    (VPCs, "describe_vpcs", "Vpcs"),
)


def correct() -> None:
    for responses, method, key in LISTS:
        _page(responses, method, key)


def _page(responses: type, method: str, key: str) -> None:
    whole = getattr(responses, method)

    def describe(self):
        answer = whole(self)
        size = int(SETTINGS.ec2_page_size)
        if not size:
            return answer
        start = int(self._get_param("NextToken") or 0)
        items = list(answer.result[key])
        page = {key: items[start : start + size]}
        if start + size < len(items):
            page["NextToken"] = str(start + size)
        return ActionResult(page)

    setattr(responses, method, describe)
