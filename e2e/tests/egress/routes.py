"""For each line of input a line of output: what EC2 looks like to boto3.

Every route table that has a name, with the networks that leave by a NAT gateway and
from which address; every NAT gateway's address and zone; every Elastic IP and
whether it is in use.
"""

import json
import sys

import boto3

ec2 = boto3.client(
    "ec2",
    endpoint_url=sys.argv[1],
    region_name="eu-central-1",
    aws_access_key_id="testbed",
    aws_secret_access_key="testbed",
)


def look():
    zones = {s["SubnetId"]: s["AvailabilityZone"] for s in ec2.describe_subnets()["Subnets"]}
    working = [g for g in ec2.describe_nat_gateways()["NatGateways"] if g["State"] == "available"]
    address = {g["NatGatewayId"]: g["NatGatewayAddresses"][0]["PublicIp"] for g in working}

    def name(table):
        return {tag["Key"]: tag["Value"] for tag in table["Tags"]}.get("Name")

    def routes(table):
        # None: a black hole.
        found = [
            [route["DestinationCidrBlock"], address.get(route["NatGatewayId"])]
            for route in table["Routes"]
            if "NatGatewayId" in route
        ]
        return sorted(found)

    tables = ec2.describe_route_tables()["RouteTables"]
    return {
        "tables": {name(table): routes(table) for table in tables if name(table)},
        "gateways": sorted([zones[g["SubnetId"]], address[g["NatGatewayId"]]] for g in working),
        "addresses": {
            a["PublicIp"]: "AssociationId" in a for a in ec2.describe_addresses()["Addresses"]
        },
    }


for _ in sys.stdin:
    print(json.dumps(look()), flush=True)
