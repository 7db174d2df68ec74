"""Routes: to gateways that exist, and black holes once they do not."""

from __future__ import annotations

import ipaddress

from moto.ec2.models.route_tables import Route, RouteBackend

from .errors import refuse


def _canonical(cidr: str | None) -> str | None:
    try:
        return str(ipaddress.ip_network(cidr, strict=False)) if cidr else cidr
    except ValueError:
        return cidr


def correct() -> None:
    moto_create = RouteBackend.create_route
    moto_replace = RouteBackend.replace_route
    moto_delete = RouteBackend.delete_route

    def state(route: Route) -> str:
        gateway = route.nat_gateway
        dead = ("deleting", "deleted", "failed")
        return "blackhole" if gateway and gateway.state in dead else "active"

    def check(backend, gateway_id: str | None) -> None:
        gateway = backend.nat_gateways.get(gateway_id) if gateway_id else None
        if gateway_id and (gateway is None or gateway.state in ("deleting", "deleted")):
            raise refuse(
                "InvalidNatGatewayID.NotFound",
                f"The natGateway ID '{gateway_id}' does not exist",
            )

    def create(self, route_table_id, destination_cidr_block=None, *args, **kwargs):
        check(self, kwargs.get("nat_gateway_id"))
        cidr = _canonical(destination_cidr_block)
        return moto_create(self, route_table_id, cidr, *args, **kwargs)

    def replace(self, route_table_id, destination_cidr_block=None, *args, **kwargs):
        check(self, kwargs.get("nat_gateway_id"))
        cidr = _canonical(destination_cidr_block)
        return moto_replace(self, route_table_id, cidr, *args, **kwargs)

    def delete(self, route_table_id, destination_cidr_block=None, *args, **kwargs):
        cidr = _canonical(destination_cidr_block)
        for route in self.get_route_table(route_table_id).routes:
            if route.local and route.destination_cidr_block == cidr:
                raise refuse(
                    "InvalidParameterValue",
                    f"cannot remove local route {cidr} in route table {route_table_id}",
                )
        return moto_delete(self, route_table_id, cidr, *args, **kwargs)

    Route.state = property(state)
    RouteBackend.create_route = create
    RouteBackend.replace_route = replace
    RouteBackend.delete_route = delete
