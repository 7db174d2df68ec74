"""EC2 as AWS has it."""

from . import addresses, deletions, nat_gateways, pages, routes
from .addresses import reset
from .nat_gateways import settle

__all__ = ["correct", "reset", "settle"]


def correct() -> None:
    """Replaces what moto gets wrong."""
    for part in (addresses, nat_gateways, routes, deletions, pages):
        part.correct()
