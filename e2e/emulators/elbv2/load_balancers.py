"""Load balancers: names are unique, creation takes its time, protection holds."""

from __future__ import annotations

import re
import time
from threading import local

from moto.elbv2 import models
from moto.elbv2.exceptions import LoadBalancerNotFoundError
from moto.elbv2.models import ELBv2Backend, FakeLoadBalancer
from moto.elbv2.responses import ELBV2Response
from moto.utilities.utils import get_partition

from settings import SETTINGS

from .errors import refuse

#: https://docs.aws.amazon.com/general/latest/gr/elb.html
HOSTED_ZONES = {"application": "Z215JYRZR1TBD5", "network": "Z3F0SRJ5LGBH90"}

_asked = local()


def correct() -> None:
    moto_create = ELBv2Backend.create_load_balancer

    def create(self: ELBv2Backend, **asked) -> FakeLoadBalancer:
        asked["loadbalancer_type"] = asked.get("loadbalancer_type") or "application"
        asked["scheme"] = asked.get("scheme") or "internet-facing"
        _check_name(asked["name"])
        existing = _same_name(self, asked)
        if existing:
            return existing
        settings = _settings(asked)
        _check_network(self, asked)
        _asked.type = asked["loadbalancer_type"]
        made = moto_create(self, **asked)
        made.asked = settings
        made.canonical_hosted_zone_id = HOSTED_ZONES.get(made.type, "Z2P70J7EXAMPLE")
        made.dns_name = _dns_name(made, self.region_name)
        return made

    moto_int_param = ELBV2Response._get_int_param

    def int_param(self: ELBV2Response, name: str, *otherwise):
        if name == "PageSize" and SETTINGS.list_page_size:
            return SETTINGS.list_page_size
        return moto_int_param(self, name, *otherwise)

    ELBV2Response._get_int_param = int_param
    ELBv2Backend.create_load_balancer = create
    ELBv2Backend.describe_load_balancers = _describe
    ELBv2Backend.delete_load_balancer = _delete
    FakeLoadBalancer.state = property(_state, _set_state)
    FakeLoadBalancer.activate = lambda self: None
    models.make_arn_for_load_balancer = _arn


def _arn(account_id: str, lb_id: str, name: str, region_name: str) -> str:
    kind = {"network": "net", "gateway": "gwy"}.get(_asked.type, "app")
    prefix = f"arn:{get_partition(region_name)}:elasticloadbalancing:{region_name}"
    return f"{prefix}:{account_id}:loadbalancer/{kind}/{name}/{lb_id}"


def _dns_name(made: FakeLoadBalancer, region: str) -> str:
    number = made.arn.rsplit("/", 1)[1]
    if made.type == "network":
        return f"{made.name}-{number}.elb.{region}.amazonaws.com"
    internal = "internal-" if made.scheme == "internal" else ""
    digits = int(number, 16) % 10**10
    return f"{internal}{made.name}-{digits}.{region}.elb.amazonaws.com"


def _check_name(name: str) -> None:
    legal = re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?", name or "")
    if not legal or name.startswith("internal-"):
        raise refuse("ValidationError", f"The load balancer name '{name}' is not valid")


def _settings(asked: dict) -> dict:
    """What makes two requests the same, in an order of its own."""
    subnets = asked.get("subnet_ids") or []
    mappings = asked.get("subnet_mappings") or []
    return {
        "scheme": asked["scheme"],
        "type": asked["loadbalancer_type"],
        "address type": asked.get("ip_address_type") or "ipv4",
        "subnets": sorted([*subnets, *(each["SubnetId"] for each in mappings)]),
        "security groups": sorted(asked.get("security_groups") or []),
        "tags": sorted((tag["Key"], tag.get("Value")) for tag in asked.get("tags") or []),
    }


def _same_name(backend: ELBv2Backend, asked: dict) -> FakeLoadBalancer | None:
    for existing in backend.load_balancers.values():
        if existing.name == asked["name"]:
            if existing.asked == _settings(asked):
                return existing
            raise refuse(
                "DuplicateLoadBalancerName",
                f"A load balancer with the same name '{asked['name']}' exists, but with different settings",
            )
    return None


def _check_network(backend: ELBv2Backend, asked: dict) -> None:
    from moto.ec2.exceptions import InvalidSubnetIdError

    ids = _settings(asked)["subnets"]
    try:
        subnets = [backend.ec2_backend.get_subnet(subnet_id) for subnet_id in ids]
    except InvalidSubnetIdError as error:
        raise refuse("SubnetNotFound", error.message) from None
    zones = {subnet.availability_zone for subnet in subnets}
    is_application = asked["loadbalancer_type"] == "application"
    if not subnets or (is_application and len(zones) < 2):
        raise refuse(
            "ValidationError",
            "At least two subnets in two different Availability Zones must be specified",
        )
    if len(zones) < len(subnets):
        raise refuse(
            "InvalidConfigurationRequest",
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
        )
    _check_gateway(backend, asked, subnets[0].vpc_id)
    groups = asked.get("security_groups") or []
    if not groups and is_application:
        default = backend.ec2_backend.get_security_group_by_name_or_id(
            "default", subnets[0].vpc_id
        )
        asked["security_groups"] = [default.id] if default else []
    for group_id in groups:
        group = backend.ec2_backend.get_security_group_from_id(group_id)
        if group is None or group.vpc_id != subnets[0].vpc_id:
            raise refuse(
                "InvalidSecurityGroup", f"Security group '{group_id}' does not exist"
            )


def _check_gateway(backend: ELBv2Backend, asked: dict, vpc_id: str) -> None:
    gateways = backend.ec2_backend.internet_gateways.values()
    attached = any(gateway.vpc and gateway.vpc.id == vpc_id for gateway in gateways)
    if asked["scheme"] == "internet-facing" and not attached:
        raise refuse("InvalidSubnet", f"VPC {vpc_id} has no internet gateway")


def _describe(self: ELBv2Backend, arns=None, names=None) -> list[FakeLoadBalancer]:
    found = list(self.load_balancers.values())
    if not arns and not names:
        return found
    arns, names = set(arns or []), set(names or [])
    found = [each for each in found if each.arn in arns or each.name in names]
    if len(found) < max(len(arns), len(names)):
        raise LoadBalancerNotFoundError()
    return found


def _delete(self: ELBv2Backend, arn: str) -> None:
    doomed = self.load_balancers.get(arn)
    if doomed is None:
        return
    if doomed.attrs.get("deletion_protection.enabled") == "true":
        raise refuse(
            "OperationNotPermitted",
            f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled",
        )
    for listener in doomed.listeners.values():
        for rule_arn in listener.rules:
            self.tagging_service.delete_all_tags_for_resource(str(rule_arn))
        self.tagging_service.delete_all_tags_for_resource(listener.arn)
    self.tagging_service.delete_all_tags_for_resource(arn)
    del self.load_balancers[arn]


def _state(made: FakeLoadBalancer) -> str:
    age = time.monotonic() - made.made_at
    return "provisioning" if age < made.provisioning else "active"


def _set_state(made: FakeLoadBalancer, state: str) -> None:
    made.made_at = time.monotonic()
    made.provisioning = SETTINGS.load_balancer_provisioning
