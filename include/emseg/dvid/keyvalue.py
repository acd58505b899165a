"""Values in DVID under names: what other programs keep beside a volume, for example skeletons as SWC."""

from __future__ import annotations

from emseg.dvid.instances import refuse_instance
from emseg.dvid.nodes import Node
from emseg.errors import IntegrityError, PermanentError


class KeyValues:
    """The keyvalue instance `instance`, as it is in `node`."""

    def __init__(self, node: Node, instance: str) -> None:
        """Nothing is sent."""
        self.node, self.instance = node, instance

    def keys(self) -> list[str]:
        """Every key, sorted. PermanentError for an instance of another type."""
        kind = self.node.server.get_json(self.node.path(self.instance, "info"))["Base"]["TypeName"]
        if kind != "keyvalue":
            found = f"it is of type {kind}"
            raise refuse_instance(self.node, self.instance, found, "Name an instance of type keyvalue")
        where = self.node.path(self.instance, "keys")
        keys = self.node.server.get_json(where)
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise IntegrityError(
                "reading keys from DVID", f"GET {where}", "the answer is no list of names", "Try again"
            )
        return sorted(keys)

    def read(self, key: str) -> bytes:
        """The value under `key`; NotFoundError if there is none. DVID drops what follows a `/`, so that is refused."""
        if "/" in key:
            on = f"{self.instance!r}, key {key!r}"
            raise PermanentError("reading a value from DVID", on, "the key has a slash", "Name a key without one")
        return self.node.server.get(self.node.path(self.instance, "key", key))
