"""Refusals, and lists in pages."""

from __future__ import annotations

from moto.elbv2.exceptions import ELBClientError

from settings import SETTINGS

#: What a page holds where nothing else is asked for.
PAGE = 400


def refuse(code: str, message: str) -> ELBClientError:
    return ELBClientError(code, message)


def page(response, items: list) -> tuple[list, str | None]:
    """The page that a request asks for, and the marker of the next one."""
    start = int(response._get_param("Marker") or 0)
    end = start + int(SETTINGS.list_page_size or response._get_param("PageSize") or PAGE)
    return items[start:end], str(end) if end < len(items) else None
