"""Where a chunked volume lies: a folder of this computer, a web server, or a bucket; and the JSON documents in it.

`Location.of("s3://atlas/brain.zarr")`, `.child("s1")`, `.document("zarr.json")`. Keys of a bucket come from the
environment only; a web address is refused where it leads into the network of the deployment.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import tensorstore

from emseg.errors import PermanentError
from emseg.ingest.chunked.guard import told_in_words
from emseg.ingest.sources import refuse_source
from emseg.outside_addresses import checked_address

REMOTE: Final = ("https://", "http://", "s3://", "gs://")

REQUESTS, DECODERS, RETRIES = 16, 4, 5
"""Of one process: open requests at a time, chunks decoded at a time, and how often a failing request is repeated."""


def context(retries: int = RETRIES) -> tensorstore.Context:
    """The limits under which TensorStore works. It caches nothing: memory is what a caller reads."""
    return tensorstore.Context(
        {
            "cache_pool": {"total_bytes_limit": 0},
            "data_copy_concurrency": {"limit": DECODERS},
            "file_io_concurrency": {"limit": REQUESTS},
            **{f"{kind}_request_concurrency": {"limit": REQUESTS} for kind in ("http", "s3", "gcs")},
            **{f"{kind}_request_retries": {"max_retries": retries} for kind in ("http", "s3", "gcs")},
        }
    )


CONTEXT = context()

_ENDPOINT, _REGION, _KEY = "EMSEG_S3_ENDPOINT", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID"


@dataclass(frozen=True)
class Location:
    """`path` (no slash at its ends) below `root`: `file://` or the first part of a web address, for example `s3://atlas`."""

    root: str
    path: str

    @classmethod
    def of(cls, address: str) -> Location:
        """Location of a folder or of a remote address; PermanentError for an address that emseg does not open."""
        if not address.startswith(REMOTE):
            return cls("file://", str(Path(address).resolve()).strip("/"))
        scheme, _, rest = address.partition("://")
        host, _, path = rest.partition("/")
        if any(sign in rest for sign in "?#\\") or not host:
            raise refuse_source(
                f"{scheme}://{host}", "it has no host, or a query", "Give scheme, host and path: s3://BUCKET/PATH"
            )
        if scheme in {"http", "https"}:
            checked_address(address, "opening a volume")
        return cls(f"{scheme}://{host}", "").child(path)

    def child(self, name: str) -> Location:
        """What lies in it under `name`; PermanentError for a name that leads out of it."""
        parts = [part for part in name.split("/") if part not in {"", "."}]
        if ".." in parts:
            raise refuse_source(str(self), f"{name!r} leads out of it", "Name something inside")
        return replace(self, path="/".join([*filter(None, [self.path]), *parts]))

    def parents(self) -> list[tuple[Location, str]]:
        """Each folder above, nearest first, four at most, with the name that this location has in it."""
        parts = self.path.split("/")
        return [
            (replace(self, path="/".join(parts[:-up])), "/".join(parts[-up:])) for up in range(1, min(5, len(parts)))
        ]

    def kvstore(self) -> dict[str, Any]:
        """The store of TensorStore that has this location as its root. It holds no secret."""
        path = f"{self.path}/" if self.path else ""
        scheme, _, host = self.root.partition("://")
        if scheme == "file":
            return {"driver": "file", "path": f"/{path}"}
        if scheme == "s3":
            return {"driver": "s3", "bucket": host, "path": path, **_s3_settings(os.environ)}
        if scheme == "gs":
            return {"driver": "gcs", "bucket": host, "path": path}
        return {"driver": "http", "base_url": self.root, "path": path}

    def document(self, name: str) -> dict[str, Any] | None:
        """The JSON object kept as `name`, None where there is none; PermanentError for anything else."""
        with told_in_words(f"{self}/{name}"):
            store = tensorstore.KvStore.open(self.kvstore(), context=CONTEXT).result()
            found = store.read(name).result()
        if found.state != "value":
            return None
        try:
            document = json.loads(found.value)
        except (ValueError, RecursionError) as error:
            raise self._damaged(name, f"it is no JSON ({str(error)[:200]})") from None
        if not isinstance(document, dict):
            raise self._damaged(name, "it is no JSON object")
        return document

    def folders(self) -> list[str]:
        """Names of the folders in it; of a remote location none, because a listing would return every chunk."""
        here = Path(f"/{self.path}")
        if self.root != "file://" or not here.is_dir():
            return []
        return sorted(entry.name for entry in here.iterdir() if entry.is_dir())

    def _damaged(self, name: str, found: str) -> PermanentError:
        return refuse_source(f"{self}/{name}", found, "Write the description of the volume again")

    def __str__(self) -> str:
        return f"{self.root.removeprefix('file://')}/{self.path}"


def _s3_settings(environment: Mapping[str, str]) -> dict[str, Any]:
    """Endpoint, region and kind of credentials: keys of the environment, or none for public data."""
    named = {"endpoint": environment.get(_ENDPOINT), "aws_region": environment.get(_REGION)}
    kind = "environment" if environment.get(_KEY) else "anonymous"
    return {**{key: value for key, value in named.items() if value}, "aws_credentials": {"type": kind}}
