"""Addresses of what a run made in DVID: nodes and instances. Never with a password or token in them."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import quote, urlsplit

from emseg.errors import PermanentError


def checked_server(url: str) -> str:
    """`url` without a slash at its end; PermanentError unless it is plain http(s)://host[:port][/path]."""
    host, found = None, "not an http or https address"
    with suppress(ValueError):  # brackets or characters that no address has
        parts = urlsplit(url)
        host = parts.hostname
        if parts.scheme in {"http", "https"} and host:
            if "@" not in parts.netloc and not parts.query and not parts.fragment:
                return url.rstrip("/")
            found = "it carries a user, a password or a query, which a link would show to everybody"
    raise PermanentError("making a link", host or "server address", found, "Give the address as https://host:port")


def node_address(dvid_url: str, uuid: str) -> str:
    """JSON of the repository that holds the node: its versions, branches, notes and logs."""
    return f"{checked_server(dvid_url)}/api/repo/{quote(uuid, safe='')}/info"


def instance_address(dvid_url: str, uuid: str, instance: str) -> str:
    """JSON about one data instance in a node: type, voxel size, extents."""
    return f"{checked_server(dvid_url)}/api/node/{quote(uuid, safe='')}/{quote(instance, safe='')}/info"
