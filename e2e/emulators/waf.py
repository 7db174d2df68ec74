"""WAF v2: a resource has one web ACL, and a web ACL knows its resources."""

from __future__ import annotations

import json

from moto.elbv2.models import elbv2_backends
from moto.wafv2.exceptions import WAFNonexistentItemException
from moto.wafv2.models import WAFV2Backend
from moto.wafv2.responses import WAFV2Response

KINDS = {"APPLICATION_LOAD_BALANCER": ":loadbalancer/app/"}


def correct() -> None:
    moto_associate = WAFV2Backend.associate_web_acl

    def associate(self: WAFV2Backend, web_acl_arn: str, resource_arn: str) -> None:
        if web_acl_arn not in self.wacls:
            raise WAFNonexistentItemException
        if ":loadbalancer/" in resource_arn:
            balancers = elbv2_backends[self.account_id][self.region_name].load_balancers
            if resource_arn not in balancers or ":loadbalancer/app/" not in resource_arn:
                raise WAFNonexistentItemException
        self.disassociate_web_acl(resource_arn)
        moto_associate(self, web_acl_arn, resource_arn)

    WAFV2Backend.associate_web_acl = associate
    WAFV2Response.list_resources_for_web_acl = _list_resources


def _list_resources(self: WAFV2Response):
    body = json.loads(self.body)
    acl = self.wafv2_backend.wacls.get(body["WebACLArn"])
    if acl is None:
        raise WAFNonexistentItemException
    # A load balancer that was deleted has no web ACL any more.
    balancers = elbv2_backends[self.current_account][self.region].load_balancers
    kind = KINDS[body.get("ResourceType") or "APPLICATION_LOAD_BALANCER"]
    arns = [arn for arn in acl.associated_resources if kind in arn and arn in balancers]
    return 200, {"Content-Type": "application/json"}, json.dumps({"ResourceArns": arns})
