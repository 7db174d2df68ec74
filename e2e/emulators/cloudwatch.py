"""CloudWatch for SDKs that speak RPC v2 with CBOR: moto knows its JSON only.

https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
"""

from __future__ import annotations

import io
import json
import struct

PATH = "/service/GraniteServiceVersion20100801/operation/"
TARGET = "GraniteServiceVersion20100801."


def call(moto, environ, start_response):
    """Hands a call on to moto as JSON, and its answer back as CBOR."""
    operation = environ["PATH_INFO"].removeprefix(PATH)
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length)
    asked = json.dumps(Reader(body).value() if body else {}).encode()
    environ |= {
        "PATH_INFO": "/",
        "CONTENT_TYPE": "application/x-amz-json-1.0",
        "CONTENT_LENGTH": str(len(asked)),
        "HTTP_X_AMZ_TARGET": TARGET + operation,
        "wsgi.input": io.BytesIO(asked),
    }
    environ.pop("HTTP_SMITHY_PROTOCOL", None)
    answered = {}

    def started(status, headers, exc_info=None):
        answered["status"] = status

    text = b"".join(moto(environ, started))
    answer = encode(json.loads(text or b"{}"))
    headers = [
        ("Content-Type", "application/cbor"),
        ("Content-Length", str(len(answer))),
        ("smithy-protocol", "rpc-v2-cbor"),
    ]
    start_response(answered["status"], headers)
    return [answer]


class Reader:
    """Reads CBOR (RFC 8949), indefinite lengths too."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]

    def value(self):
        first = self.take(1)[0]
        major, info = first >> 5, first & 31
        if major == 7:
            return self.simple(info)
        size = self.size(info)
        match major:
            case 0:
                return size
            case 1:
                return -1 - size
            case 2 | 3:
                return self.text(size)
            case 4:
                return list(self.items(size, self.value))
            case 5:
                return dict(self.items(size, lambda: (self.value(), self.value())))
        return self.value()  # a tag, whose value will do

    def size(self, info: int) -> int | None:
        if info < 24:
            return info
        return None if info == 31 else int.from_bytes(self.take(1 << (info - 24)), "big")

    def simple(self, info: int):
        formats = {25: ">e", 26: ">f", 27: ">d"}
        if info in formats:
            kind = formats[info]
            return struct.unpack(kind, self.take(struct.calcsize(kind)))[0]
        return {20: False, 21: True}.get(info)

    def text(self, size: int | None) -> str:
        if size is None:
            return "".join(self.items(None, self.value))
        return self.take(size).decode()

    def items(self, size: int | None, read):
        if size is not None:
            for _ in range(size):
                yield read()
            return
        while self.data[self.at] != 0xFF:
            yield read()
        self.at += 1


def _head(major: int, size: int) -> bytes:
    if size < 24:
        return bytes([major << 5 | size])
    return bytes([major << 5 | 27]) + size.to_bytes(8, "big")


def encode(value, name: str = "") -> bytes:
    """CBOR; what is a time or a double in CloudWatch's model is one here."""
    if name.endswith("Timestamp") and isinstance(value, int | float):
        return _head(6, 1) + b"\xfb" + struct.pack(">d", value)
    match value:
        case None:
            return b"\xf6"
        case bool():
            return b"\xf5" if value else b"\xf4"
        case int() if name != "Threshold":
            return _head(0, value) if value >= 0 else _head(1, -1 - value)
        case int() | float():
            return b"\xfb" + struct.pack(">d", value)
        case str():
            text = value.encode()
            return _head(3, len(text)) + text
        case list():
            return _head(4, len(value)) + b"".join(encode(each) for each in value)
    pairs = (encode(key) + encode(each, key) for key, each in value.items())
    return _head(5, len(value)) + b"".join(pairs)
