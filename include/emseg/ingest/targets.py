"""Where an ingestion writes: an open node of DVID, and a name that an instance of emseg can have."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from emseg.config.base import InstanceName
from emseg.dvid import DvidServer, Node, resolve_node
from emseg.errors import PermanentError

_NAME: TypeAdapter[str] = TypeAdapter(InstanceName)


def open_node(server: DvidServer, reference: str) -> Node:
    """The node to write to; PermanentError where it is committed."""
    node = resolve_node(server, reference)
    if node.locked:
        raise PermanentError(
            "opening a node to ingest to",
            f"node {node.uuid}",
            "it is committed, so nothing can be written to it",
            "Name an open node: `emseg ingest repo` makes a repository with one",
        )
    return Node(server, node.uuid)


def require_name(instance: str) -> None:
    """PermanentError for a name that no dataset file could give."""
    try:
        _NAME.validate_python(instance)
    except ValidationError:
        raise PermanentError(
            "naming an instance",
            repr(instance)[:100],
            "it is no name of an instance",
            "Give 1 to 63 letters, digits, _ and -, beginning with a letter or digit",
        ) from None
