"""Elastic IPs: of networks that nobody has, and held while in use."""

from __future__ import annotations

import ipaddress
import itertools

from moto.ec2.models import elastic_ip_addresses
from moto.ec2.models.elastic_ip_addresses import ElasticAddressBackend

from .errors import refuse

#: The addresses that are given out, in order: of documentation and of benchmarks.
NETWORKS = ("192.0.2.0/24", "198.18.0.0/15")

_addresses = None


def reset() -> None:
    """The next address is the first one again."""
    global _addresses
    hosts = (ipaddress.ip_network(network).hosts() for network in NETWORKS)
    _addresses = map(str, itertools.chain.from_iterable(hosts))


def correct() -> None:
    reset()
    elastic_ip_addresses.random_ip = lambda: next(_addresses)
    moto_release = ElasticAddressBackend.release_address
    moto_disassociate = ElasticAddressBackend.disassociate_address

    def release(self, address=None, allocation_id=None):
        found = (
            self.address_by_ip([address])
            if address
            else self.address_by_allocation([allocation_id])
        )
        if found[0].association_id:
            raise refuse(
                "InvalidIPAddress.InUse", f"Address {found[0].public_ip} is in use."
            )
        moto_release(self, address=address, allocation_id=allocation_id)

    def disassociate(self, address=None, association_id=None):
        found = (
            self.address_by_ip([address])
            if address
            else self.address_by_association([association_id])
        )
        interfaces = [gateway._eni for gateway in self.nat_gateways.values()]
        if found[0].eni in interfaces:
            raise refuse(
                "OperationNotPermitted",
                "You are not allowed to manage 'ela-attach' attachments.",
            )
        moto_disassociate(self, address=address, association_id=association_id)

    ElasticAddressBackend.release_address = release
    ElasticAddressBackend.disassociate_address = disassociate
