"""Small named values in DVID, versioned with the data they belong to."""

from __future__ import annotations

from emseg.dvid.instances import create_instance, refuse_instance
from emseg.dvid.nodes import Node
from emseg.errors import PermanentError

MAX_KEY_BYTES = 1000


class KeyValue:
    """The keyvalue instance `instance`, as it is in `node`."""

    def __init__(self, node: Node, instance: str) -> None:
        """Nothing is sent."""
        self.node, self.instance = node, instance

    def create(self) -> None:
        """Make the instance, or adopt one that exists."""
        if not create_instance(self.node, self.instance, "keyvalue", {}):
            kind = self.node.repo().instances[self.instance].type
            if kind != "keyvalue":
                raise refuse_instance(self.node, self.instance, f"it is of type {kind}", "Use another name")

    def get(self, key: str) -> bytes:
        """The value of `key`; `NotFoundError` where there is none."""
        return self.node.server.get(self._key(key))

    def put(self, key: str, value: bytes) -> None:
        """Set `key`. DVID reads an empty value back as missing, so there must be at least one byte."""
        if not value:
            raise self._refused(key, "the value is empty", "Give at least one byte")
        self.node.server.post(self._key(key), value, repeatable=True)

    def keys(self) -> tuple[str, ...]:
        """All keys, ascending."""
        return tuple(sorted(self.node.server.get_json(self.node.path(self.instance, "keys")) or ()))

    def _key(self, key: str) -> str:
        # DVID drops what follows a slash, quoted or not (`a/b` would overwrite `a`); listing keys, it garbles `%`.
        if "/" in key or "%" in key or "\0" in key or key in {"", ".", ".."} or len(key.encode()) > MAX_KEY_BYTES:
            raise self._refused(
                key[:80], "the key is empty, too long, `.`, `..`, or holds a slash or %", "Use another key"
            )
        return self.node.path(self.instance, "key", key)

    def _refused(self, key: str, found: str, remedy: str) -> PermanentError:
        return PermanentError("using a DVID key", f"{key!r} of {self.instance!r}", found, remedy)
