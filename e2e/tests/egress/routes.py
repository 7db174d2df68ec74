"""Every route table by its name: where traffic goes, and from which address it comes."""

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

public_ip = {
    gateway["NatGatewayId"]: gateway["NatGatewayAddresses"][0]["PublicIp"]
    for gateway in ec2.describe_nat_gateways()["NatGateways"]
    if gateway["State"] == "available"
}


def name(table):
    tags = {tag["Key"]: tag["Value"] for tag in table["Tags"]}
    return tags.get("Name", table["RouteTableId"])


def routes(table):
    found = [
        [route["DestinationCidrBlock"], public_ip.get(route["NatGatewayId"])]
        for route in table["Routes"]
        if "NatGatewayId" in route
    ]
    return sorted(found)


tables = ec2.describe_route_tables()["RouteTables"]
print(json.dumps({name(table): routes(table) for table in tables}))
