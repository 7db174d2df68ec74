"""Target groups: names are unique, a target is an id and a port."""

from __future__ import annotations

import ipaddress
import json

from moto.core.responses import ActionResult
from moto.elbv2.exceptions import DuplicateTargetGroupName, ResourceInUseError
from moto.elbv2.models import (
    ELBv2Backend,
    FakeHealthStatus,
    FakeTargetGroup,
    elbv2_backends,
)
from moto.elbv2.responses import ELBV2Response

from settings import SETTINGS

from .errors import page, refuse


def correct() -> None:
    moto_create = ELBv2Backend.create_target_group
    moto_health = FakeTargetGroup.health_for

    def create(self: ELBv2Backend, name: str, **asked) -> FakeTargetGroup:
        settings = json.dumps(asked, sort_keys=True)
        for existing in self.target_groups.values():
            if existing.name == name:
                if existing.asked == settings:
                    return existing
                raise DuplicateTargetGroupName()
        made = moto_create(self, name, **asked)
        made.asked = settings
        return made

    def health(self: FakeTargetGroup, target: dict, ec2_backend) -> FakeHealthStatus:
        port = target.get("Port", self.port)
        registered = self.targets.get(_key(target["Id"], port))
        said = moto_health(self, {"Id": "", **target}, ec2_backend)
        if registered is None:
            return said
        state = ("healthy", None)
        if not self.load_balancer_arns:
            state = ("unused", "Target.NotInUse")
        elif SETTINGS.target_health:
            state = SETTINGS.target_health
        return FakeHealthStatus(target["Id"], port, self.health_check_port, *state)

    ELBv2Backend.create_target_group = create
    ELBv2Backend.delete_target_group = _delete
    ELBV2Response.describe_target_groups = _describe
    FakeTargetGroup.load_balancer_arns = property(_load_balancers, lambda self, _: None)
    FakeTargetGroup.health_for = health
    FakeTargetGroup.register = _register
    FakeTargetGroup.deregister = _deregister
    FakeTargetGroup.deregister_terminated_instances = _deregister_terminated


def _key(target_id: str, port) -> str:
    return f"{target_id}:{port}"


def _load_balancers(group: FakeTargetGroup) -> list[str]:
    backend = elbv2_backends[group.account_id][group.region_name]
    return [
        load_balancer.arn
        for load_balancer in backend.load_balancers.values()
        if any(
            group.arn in backend._get_target_group_arns_from(action_data=action.data)
            for listener in load_balancer.listeners.values()
            for rule in listener.rules.values()
            for action in rule.actions
        )
    ]


def _register(self: FakeTargetGroup, targets: list[dict]) -> None:
    for target in targets:
        _check(self, target)
    for target in targets:
        port = target.get("Port", self.port)
        key = _key(target["Id"], port)
        self.targets[key] = {"Id": target["Id"], "Port": port}
        self.deregistered_targets.pop(target["Id"], None)


def _check(group: FakeTargetGroup, target: dict) -> None:
    if group.target_type == "instance":
        instance = group.ec2_backend.get_instance_by_id(target["Id"])
        if instance is None:
            raise refuse(
                "InvalidTarget",
                f"The following targets are not valid instances: '{target['Id']}'",
            )
        if instance.state != "running":
            raise refuse(
                "InvalidTarget",
                f"The following targets are not in a running state and cannot be registered: '{target['Id']}'",
            )
    elif group.target_type == "ip":
        _check_address(group, target)


def _check_address(group: FakeTargetGroup, target: dict) -> None:
    try:
        address = ipaddress.ip_address(target["Id"])
    except ValueError:
        raise refuse(
            "ValidationError", f"The IP address '{target['Id']}' is not a valid IP address"
        ) from None
    vpc = group.ec2_backend.get_vpc(group.vpc_id)
    inside = any(
        address in ipaddress.ip_network(block["cidr_block"])
        for block in vpc.get_cidr_block_association_set(ipv6=False)
    )
    if address.version == 4 and not inside and target.get("AvailabilityZone") != "all":
        raise refuse(
            "ValidationError",
            f"The IP address '{address}' must be in the VPC, or its zone must be 'all'",
        )


def _deregister(self: FakeTargetGroup, targets: list[dict]) -> None:
    for target in targets:
        for key, registered in list(self.targets.items()):
            same_port = "Port" not in target or str(target["Port"]) == str(registered["Port"])
            if registered["Id"] == target["Id"] and same_port:
                del self.targets[key]
                self.deregistered_targets[target["Id"]] = registered


def _deregister_terminated(self: FakeTargetGroup, instance_ids: list[str]) -> None:
    for key, registered in list(self.targets.items()):
        if registered["Id"] in instance_ids:
            del self.targets[key]
            self.terminated_targets[registered["Id"]] = registered


def _delete(self: ELBv2Backend, arn: str) -> None:
    group = self.target_groups.get(arn)
    if group is None:
        return
    if self._any_listener_using(arn):
        raise ResourceInUseError(
            f"Target group '{arn}' is currently in use by a listener or a rule"
        )
    self.tagging_service.delete_all_tags_for_resource(arn)
    del self.target_groups[arn]


def _describe(self: ELBV2Response) -> ActionResult:
    backend = self.elbv2_backend
    load_balancer_arn = self._get_param("LoadBalancerArn")
    if load_balancer_arn:
        backend.describe_load_balancers([load_balancer_arn], None)
        found = [
            group
            for group in backend.target_groups.values()
            if load_balancer_arn in group.load_balancer_arns
        ]
    else:
        found = backend.describe_target_groups(
            None, self._get_param("TargetGroupArns", []), self._get_param("Names", [])
        )
    groups, marker = page(self, sorted(found, key=lambda group: group.name))
    return ActionResult({"TargetGroups": groups, "NextMarker": marker})
