"""moto, corrected where AWS behaves differently, on one loopback port.

    python moto_launcher.py PORT

Beside moto's own paths:

* ``GET  /_isthmus/health``    200 once it is warm
* ``POST /_isthmus/settings``  JSON with fields of :class:`settings.Settings`
* ``POST /_isthmus/reset``     forgets everything, settings included
"""

from __future__ import annotations

import json
import sys
import threading
import urllib.request
from http import HTTPStatus

from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

import certificates
import cloudwatch
import ec2
import elbv2
import waf
from settings import SETTINGS

REGION = "eu-central-1"


class Launcher:
    """The WSGI application: our control pages, then moto."""

    def __init__(self) -> None:
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.warm = False

    def __call__(self, environ, start_response):
        path = environ.get("PATH_INFO", "")
        if path.startswith("/_isthmus/"):
            return self.control(Request(environ))(environ, start_response)
        if path.startswith(cloudwatch.PATH):
            return cloudwatch.call(self.moto, environ, start_response)
        # What takes time at AWS has happened by the time somebody looks.
        ec2.settle()
        return self.moto(environ, start_response)

    def control(self, request: Request) -> Response:
        match (request.method, request.path):
            case ("GET", "/_isthmus/health"):
                status = HTTPStatus.OK if self.warm else HTTPStatus.SERVICE_UNAVAILABLE
                return Response(status.phrase, status)
            case ("POST", "/_isthmus/settings"):
                try:
                    SETTINGS.update(json.loads(request.get_data()))
                except ValueError as error:
                    return Response(str(error), HTTPStatus.BAD_REQUEST)
                return Response("ok")
            case ("POST", "/_isthmus/reset"):
                SETTINGS.reset()
                moto_api_backend.reset()
                ec2.reset()
                return Response("ok")
        return Response("no such page", HTTPStatus.NOT_FOUND)


#: The first call of each service is slow, EC2's by seconds: these make it.
WARM_UP = {
    "ec2": ("Action=DescribeVpcs&Version=2016-11-15", {}),
    "elasticloadbalancing": ("Action=DescribeLoadBalancers&Version=2015-12-01", {}),
    "iam": ("Action=ListServerCertificates&Version=2010-05-08", {}),
    "sts": ("Action=GetCallerIdentity&Version=2011-06-15", {}),
    "acm": (
        "{}",
        {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": "CertificateManager.ListCertificates",
        },
    ),
}


def warm_up(port: int) -> None:
    """Calls every service once."""
    for service, (body, headers) in WARM_UP.items():
        scope = f"testbed/20260101/{REGION}/{service}/aws4_request"
        authorization = (
            f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
        )
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/",
            data=body.encode(),
            headers={"Authorization": authorization, **headers},
        )
        urllib.request.urlopen(request).read()


def main() -> None:
    port = int(sys.argv[1])
    for service in (ec2, elbv2, certificates, waf):
        service.correct()
    launcher = Launcher()
    server = make_server(
        "127.0.0.1", port, launcher, threaded=True, request_handler=MotoRequestHandler
    )
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    warm_up(port)
    launcher.warm = True
    serving.join()


if __name__ == "__main__":
    main()
