"""Addresses that people name and emseg opens, webhooks and sources: checked before the first request.

Whoever can name an address could make a worker ask its own network: a database on this computer, the metadata of the
cloud with the keys of the machine. So a host must be outside: none of its addresses may be of this computer or of a
private network. A deployment lists the hosts of its own network that may be named in the variable EMSEG_INSIDE_HOSTS.
Addresses of DVID and S3 are not checked here: they come from Connections and variables of the deployment only.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from emseg.errors import PermanentError

INSIDE_HOSTS = "EMSEG_INSIDE_HOSTS"
"""Names the hosts of the deployment's own network that may be addressed, also by plain http; separated by commas."""

_INSIDE_TOO = tuple(
    ip_network(network)
    for network in ("168.63.129.16/32", "192.0.0.0/24", "2002::/16")  # Azure's host, Oracle's metadata, 6to4
)


def checked_address(
    url: str, doing: str, http_hosts: Collection[str] = (), environment: Mapping[str, str] = os.environ
) -> str:
    """Host of `url`; PermanentError unless it is https, or http to one of `http_hosts`, and the host is outside.

    No password may be in it. A host that cannot be resolved passes: no connection can be made to it here, and a proxy
    may know it. Messages name the host and nothing else of the address.
    """
    scheme, host, has_user = _parts(url)
    listed = inside_hosts(environment)
    if not host or has_user or not (scheme == "https" or (scheme == "http" and host in {*http_hosts, *listed})):
        raise PermanentError(
            doing,
            f"host {host or 'missing'}",
            "it carries a user name" if host and has_user else f"scheme {scheme or 'missing'!r} is not accepted for it",
            f"Use https without user and password. Plain http needs the host listed by the deployment ({INSIDE_HOSTS})",
        )
    for found in () if host in listed else _addresses(host):
        refuse_inside(found, doing, host)
    return host


def refuse_inside(address: str, doing: str, host: str) -> None:
    """PermanentError where the IP address is of this computer, of a private network, or no single public computer."""
    if _is_inside(address):
        raise PermanentError(
            doing,
            f"host {host}",
            f"its address {address} is inside this computer or a private network",
            f"Use a public host, or let whoever runs the deployment list the host in {INSIDE_HOSTS}",
        )


def is_readable_on_the_way(url: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether `url` is plain http to another computer that the deployment has not listed in EMSEG_INSIDE_HOSTS."""
    scheme, host, _ = _parts(url)
    return scheme == "http" and not is_this_computer(host) and host not in inside_hosts(environment)


def is_this_computer(host: str) -> bool:
    """Whether a host name or address, without port, leads to this computer itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def inside_hosts(environment: Mapping[str, str] = os.environ) -> frozenset[str]:
    """The hosts of EMSEG_INSIDE_HOSTS, in lower case."""
    return frozenset(host.strip().lower() for host in environment.get(INSIDE_HOSTS, "").split(",") if host.strip())


def _parts(url: str) -> tuple[str, str, bool]:
    try:
        parts = urlsplit(url)
        _ = parts.port  # ValueError for one that is no number
        return parts.scheme, (parts.hostname or "").lower(), "@" in parts.netloc
    except ValueError:
        return "", "", False


def _addresses(host: str) -> set[str]:
    """Every address that the name has now; `127.1`, `0x7f000001` and `2130706433` have one, too."""
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return set()


def _is_inside(address: str) -> bool:
    ip = ip_address(address.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return not ip.is_global or ip.is_multicast or ip.is_reserved or any(ip in network for network in _INSIDE_TOO)
