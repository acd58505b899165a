"""What every object store of emseg can do, how its keys look, and the error for an object that is not there.

A key is a path of plain names, `a/b/c`. No key may be the folder of another (`a` beside `a/b`): S3 servers that keep
objects as files refuse it. `S3Store` is for production and tests, `FolderStore` for one computer without services.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from emseg.errors import PermanentError

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,126}")


class ObjectMissingError(PermanentError):
    """There is no object under the key."""

    @classmethod
    def at(cls, address: str) -> ObjectMissingError:
        """The error for the object that should be at `address`."""
        return cls(
            "reading an object",
            address,
            "there is none",
            "Run the phase that writes it, or correct the dataset or phase named in the key",
        )


@dataclass(frozen=True)
class StoredObject:
    """An object of a listing: its key, its size in bytes, and when it was last written by the clock of the store.

    `md5` is that of its bytes, as hexadecimal digits, where a listing tells it, else something else or nothing.
    """

    key: str
    size: int
    modified: datetime
    md5: str = ""


class ObjectStore(Protocol):
    """Objects under keys; every method raises `TransientError` or `PermanentError` where the store cannot answer.

    Safe to share between threads. A reader sees an object whole or not at all, old or new, never a mixture.
    """

    def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        """Store `data`, over whatever was there."""

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Store `data` unless the key is taken. True: the key holds exactly `data`; False: it holds something else.

        So a repeated call, or one whose first reply was lost, answers True again; writers that must know which of them
        was first put something of their own (their attempt) into `data`.
        """

    def get(self, key: str) -> bytes:
        """The object; `ObjectMissingError` where there is none, IntegrityError where the store knows it is damaged."""

    def get_part(self, key: str, start: int, size: int) -> bytes:
        """`size` bytes from byte `start` on, fewer where the object ends before; `ObjectMissingError` for no object."""

    def get_with_version(self, key: str) -> tuple[bytes, str]:
        """The object and the version that `replace_if` compares; `ObjectMissingError` where there is none.

        It gives damaged bytes as they are, so that they can be replaced: for readers that check what they read, as a
        `Form` does.
        """

    def replace_if(self, key: str, data: bytes, version: str) -> bool:
        """Store `data` if the object is still the one of `version`. False: it was changed or deleted meanwhile."""

    def exists(self, key: str) -> bool:
        """Whether there is an object."""

    def keys_under(self, prefix: str) -> Iterator[str]:
        """Full keys of all objects in folder `prefix` (`""`: all), at any depth, in ascending order."""

    def objects_under(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        """The same listing with sizes and times, of the keys that come after `after`, a full key."""

    def versions_under(self, prefix: str) -> Iterator[tuple[StoredObject, str]]:
        """The same listing with the version of each object that `replace_if` compares, for folders of small objects."""

    def folders_under(self, prefix: str) -> Iterator[str]:
        """Names of the folders directly in `prefix`, ascending; what is in them is not listed."""

    def drop_unfinished(self, begun_before: datetime, dry_run: bool) -> int:
        """Remove what writers left that were killed before they had ended a write; returns how many such writes.

        They are no objects and in no listing, but take room. A dry run only counts them.
        """

    def delete(self, key: str) -> None:
        """Remove the object; nothing happens where there is none."""

    def address(self, key: str) -> str:
        """Where the object is, for people: `s3://bucket/key` or a file path, without secrets."""


def join_key(*parts: str) -> str:
    """`a/b/c` from plain names: ASCII letters, digits, `.`, `_`, `-`; no `..`, at most 127 characters each."""
    for part in parts:
        if not _PART.fullmatch(part) or ".." in part:
            raise PermanentError(
                "building a key of the object store",
                f"{len(parts)} parts",
                f"the part {part[:140]!a} is not a plain name",
                "Use ASCII letters, digits, '.', '_' and '-', beginning with a letter or digit, 127 characters at most",
            )
    if not parts:
        raise PermanentError("building a key of the object store", "no parts", "nothing to join", "Give a name")
    return "/".join(parts)


def checked_key(key: str) -> str:
    """`key` itself where all its parts are plain names; stores call it before they use a key."""
    return join_key(*key.split("/"))


def checked_folder(prefix: str) -> str:
    """`prefix` as a folder of keys: `""` for the whole store, else with one `/` at its end."""
    return f"{checked_key(prefix.removesuffix('/'))}/" if prefix else ""
