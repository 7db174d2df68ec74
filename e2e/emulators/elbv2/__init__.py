"""Elastic Load Balancing v2 as AWS has it."""

from . import listeners, load_balancers, rules, tags, target_groups


def correct() -> None:
    """Replaces what moto gets wrong."""
    for part in (load_balancers, listeners, rules, target_groups, tags):
        part.correct()
