"""Listener rules: in the order of their priority, which may be swapped."""

from __future__ import annotations

from moto.elbv2.exceptions import PriorityInUseError, RuleNotFoundError
from moto.elbv2.models import ELBv2Backend, FakeListener, FakeRule

from .errors import refuse


def correct() -> None:
    ELBv2Backend.delete_rule = _delete
    ELBv2Backend.set_rule_priorities = _set_priorities
    FakeListener.rules = property(_rules)


def _rules(listener: FakeListener) -> dict:
    ordered = sorted(
        listener._non_default_rules.items(), key=lambda item: int(item[1].priority)
    )
    return dict([*ordered, *listener._default_rule.items()])


def _listeners(backend: ELBv2Backend):
    for load_balancer in backend.load_balancers.values():
        yield from load_balancer.listeners.values()


def _find(backend: ELBv2Backend, arn: str) -> tuple[FakeListener, FakeRule]:
    for listener in _listeners(backend):
        for rule in listener.rules.values():
            if rule.arn == arn:
                return listener, rule
    raise RuleNotFoundError()


def _delete(self: ELBv2Backend, arn: str) -> None:
    listener, rule = _find(self, arn)
    if rule.is_default:
        raise refuse("OperationNotPermitted", "Default rule cannot be deleted")
    listener.remove_rule(arn)
    self.tagging_service.delete_all_tags_for_resource(arn)


def _set_priorities(self: ELBv2Backend, rule_priorities: list[dict]) -> list[FakeRule]:
    wanted = {each["RuleArn"]: int(each["Priority"]) for each in rule_priorities}
    if len(set(wanted.values())) < len(rule_priorities):
        raise PriorityInUseError()
    found = [_find(self, arn) for arn in wanted]
    for listener, _ in found:
        for rule in listener._non_default_rules.values():
            if rule.arn not in wanted and int(rule.priority) in wanted.values():
                raise PriorityInUseError()
    for _, rule in found:
        rule.priority = wanted[rule.arn]
    return [rule for _, rule in found]
