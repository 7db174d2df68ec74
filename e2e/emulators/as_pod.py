"""Fetches credentials with boto3 as a pod would: from the pod's own address.

Usage: as_pod.py POD_IP. The endpoints come from the environment
(AWS_EC2_METADATA_SERVICE_ENDPOINT, AWS_ENDPOINT_URL, AWS_REGION). Nothing of
boto3 is replaced but the address that its sockets are bound to. Prints one JSON
object without the secret parts.
"""

import json
import sys

import urllib3.util.connection as connection

POD_IP = sys.argv[1]
_create_connection = connection.create_connection


def create_connection(address, timeout=None, source_address=None, socket_options=None):
    return _create_connection(address, timeout, (POD_IP, 0), socket_options)


connection.create_connection = create_connection

import boto3  # noqa: E402  (after the patch)

session = boto3.Session()
credentials = session.get_credentials()
if credentials is None:
    sys.exit(f"no credentials for a pod with the address {POD_IP}")
identity = session.client("sts").get_caller_identity()
json.dump(
    {
        "method": credentials.method,
        "access_key_id": credentials.get_frozen_credentials().access_key,
        "arn": identity["Arn"],
    },
    sys.stdout,
)
print()
