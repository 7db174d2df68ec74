"""Tags of load balancers and their parts."""

from __future__ import annotations

from moto.elbv2.exceptions import TooManyTagsError
from moto.elbv2.models import ELBv2Backend

from .errors import refuse

#: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html
RESOURCES = 20
#: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
TAGS = 50


def correct() -> None:
    ELBv2Backend.add_tags = _add
    ELBv2Backend.describe_tags = _describe


def _add(self: ELBv2Backend, resource_arns: list[str], tags: list[dict]) -> None:
    for arn in resource_arns:
        self._get_resource_by_arn(arn)
        keys = set(self.tagging_service.get_tag_dict_for_resource(arn))
        if len(keys | {tag["Key"] for tag in tags}) > TAGS:
            raise TooManyTagsError()
        self.tagging_service.tag_resource(arn, tags)


def _describe(self: ELBv2Backend, resource_arns: list[str]) -> dict:
    if len(resource_arns) > RESOURCES:
        raise refuse(
            "ValidationError",
            f"The number of resources cannot exceed {RESOURCES}",
        )
    for arn in resource_arns:
        self._get_resource_by_arn(arn)
    return {
        arn: self.tagging_service.get_tag_dict_for_resource(arn) for arn in resource_arns
    }
