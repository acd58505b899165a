"""Values in DVID under names: what programs keep beside a volume, for example skeletons as SWC, or figures as JSON."""

from __future__ import annotations

from emseg.dvid.errors import NoInstanceError
from emseg.dvid.http import path
from emseg.dvid.instances import create_instance, refuse_instance
from emseg.dvid.nodes import Node
from emseg.errors import IntegrityError, PermanentError


class KeyValues:
    """The keyvalue instance `instance`, as it is in `node`."""

    def __init__(self, node: Node, instance: str) -> None:
        """Nothing is sent."""
        self.node, self.instance = node, instance

    def keys(self) -> list[str]:
        """Every key, sorted. PermanentError for an instance of another type."""
        kind = self._kind()
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
        return self.node.server.get(self._path_of(key, "reading a value from DVID"))

    def write(self, key: str, value: bytes) -> None:
        """Keep `value` under `key` in this (open) node, and make the instance if there is none.

        Other nodes keep what they have under the same key. NodeLockedError in a committed node; PermanentError for an
        instance of another type.
        """
        where = self._path_of(key, "writing a value to DVID")
        try:
            kind = self._kind()
        except NoInstanceError:
            create_instance(self.node, self.instance, "keyvalue", {})
            kind = self._kind()
        if kind != "keyvalue":
            remedy = f"Delete it if nobody needs it: DELETE {self._deleting()}"
            raise refuse_instance(self.node, self.instance, f"it is of type {kind}, not keyvalue", remedy)
        self.node.server.post(where, value, repeatable=True)

    def _kind(self) -> str:
        return str(self.node.server.get_json(self.node.path(self.instance, "info"))["Base"]["TypeName"])

    def _path_of(self, key: str, doing: str) -> str:
        if "/" in key:
            on = f"{self.instance!r}, key {key!r}"
            raise PermanentError(doing, on, "the key has a slash", "Name a key without one")
        return self.node.path(self.instance, "key", key)

    def _deleting(self) -> str:
        return f"{self.node.server.url}{path('repo', self.node.uuid, self.instance)}?imsure=true"
