"""What is in use is not deleted."""

from __future__ import annotations

from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.ec2.models.subnets import SubnetBackend

from .errors import refuse


def _load_balancers(backend):
    from moto.elbv2.models import elbv2_backends

    return elbv2_backends[backend.account_id][backend.region_name].load_balancers.values()


def correct() -> None:
    moto_delete_subnet = SubnetBackend.delete_subnet
    moto_delete_group = SecurityGroupBackend.delete_security_group

    def delete_subnet(self, subnet_id: str):
        held = any(eni.subnet.id == subnet_id for eni in self.enis.values())
        held = held or any(
            subnet.id == subnet_id
            for load_balancer in _load_balancers(self)
            for subnet in load_balancer.subnets
        )
        if held:
            raise refuse(
                "DependencyViolation",
                f"The subnet '{subnet_id}' has dependencies and cannot be deleted.",
            )
        deleted = moto_delete_subnet(self, subnet_id)
        for table in self.route_tables.values():
            for association, target in list(table._associations.items()):
                if target == subnet_id:
                    del table._associations[association]
        return deleted

    def delete_group(self, name=None, group_id=None):
        if any(group_id in each.security_groups for each in _load_balancers(self)):
            raise refuse(
                "DependencyViolation", f"resource {group_id} has a dependent object"
            )
        return moto_delete_group(self, name=name, group_id=group_id)

    SubnetBackend.delete_subnet = delete_subnet
    SecurityGroupBackend.delete_security_group = delete_group
