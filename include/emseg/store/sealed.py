"""Sealed documents: the one stored form of all JSON that emseg believes later. A `Form` seals and opens one kind.

    {"content": …, "key": "brain/runs/run-1/verdict.json", "kind": "verdict", "schema": 2, "sha256": …}

Keys are sorted, and `sha256` is that of the JSON of the other four. So one flipped bit, a cut, or a whole document of
another kind or from another place is noticed before anything of it is believed. A document of another schema number is
refused, never guessed at: its seal is whole, so it is not damaged, and another release of emseg has written it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from emseg.errors import EmsegError, IntegrityError, PermanentError
from emseg.store.objects import ObjectStore

T = TypeVar("T")

_UNSEALED = {"content", "kind", "sha256"}
_LAST_PARTLY_SEALED = 2
"""Up to this schema number the checksum of a marker was that of its content alone."""


@dataclass(frozen=True)
class Form(Generic[T]):
    """How documents of one kind are kept: `model` is a pydantic model, or a dataclass that pydantic can check.

    `damaged` is the class of the error about a damaged document: IntegrityError where a new try makes it anew.
    `remedy` is what its message advises, `remedy_other` what that of a document of another schema advises.
    """

    kind: str
    model: type[T]
    schema: int
    remedy: str
    remedy_other: str
    damaged: type[EmsegError] = IntegrityError

    def seal(self, document: T, key: str) -> bytes:
        """Stored form of `document` under `key`; equal documents give equal bytes.

        PermanentError for what JSON cannot keep.
        """
        try:
            data = self.stored_form(document, key)
            self.open(data, key, key)
        except (TypeError, ValueError, EmsegError) as error:
            raise PermanentError(
                f"writing {self.name}", key, str(error), "Give finite numbers and text in every field"
            ) from error
        return data

    def stored_form(self, document: T, key: str) -> bytes:
        """The bytes that `seal` gives; whether they open again is not tried."""
        body = _json({"content": self._plain(document), "key": key, "kind": self.kind, "schema": self.schema})
        return body[:-1] + b',"sha256":"' + sha256(body).hexdigest().encode() + b'"}'

    def open(self, data: bytes, key: str, address: str) -> T:
        """The document stored as `data` under `key`; `address` is for people.

        `damaged` is raised where it is damaged, of another kind or from another place; PermanentError where another
        release of emseg wrote it.
        """
        try:
            stored = json.loads(data)
            self._check(stored, key, address)
            return self._adapter.validate_json(_json(stored["content"]))
        except ValidationError as error:
            raise self._malformed(address, f"wrong fields: {_fields(error)}") from None
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._malformed(address, f"it is no sealed JSON document ({type(error).__name__})") from None

    def read(self, store: ObjectStore, key: str) -> T:
        """The document under `key`; ObjectMissingError where there is none, else the errors of `open`."""
        return self.read_with_version(store, key)[0]

    def read_with_version(self, store: ObjectStore, key: str) -> tuple[T, str]:
        """The same with the version that `ObjectStore.replace_if` compares."""
        data, version = store.get_with_version(key)  # `get` may refuse damaged bytes before the seal says what mends it
        return self.open(data, key, store.address(key)), version

    @property
    def name(self) -> str:
        """How messages name such a document."""
        return f"a document of kind {self.kind}"

    def _check(self, stored: Any, key: str, address: str) -> None:
        if self._is_of_before(stored):
            raise self._other_schema(address, f"schema {stored.get('schema', 1)}")
        body = {name: stored[name] for name in ("content", "key", "kind", "schema")}
        if stored["sha256"] != _digest(body):
            raise self._malformed(address, "its checksum is not as written")
        if stored["kind"] != self.kind or stored["key"] != key:
            raise self._malformed(address, f"it is the {stored['kind']} that was written as {stored['key']}")
        if stored["schema"] != self.schema:
            raise self._other_schema(address, f"schema {stored['schema']}")

    def _is_of_before(self, stored: Any) -> bool:
        """Whether a release wrote it that sealed the content alone, or (of documents that are no markers) nothing."""
        if not isinstance(stored, dict):
            return False
        if "key" not in stored and stored.keys() >= _UNSEALED:
            is_old = isinstance(stored.get("schema"), int) and stored["schema"] <= _LAST_PARTLY_SEALED
            return is_old and stored["sha256"] == _digest(stored["content"])
        return not stored.keys() & _UNSEALED and self._fits(stored)

    def _fits(self, stored: dict[str, Any]) -> bool:
        try:
            self._adapter.validate_json(_json(stored))
        except ValidationError:
            return False
        return True

    def _plain(self, document: T) -> object:
        if isinstance(document, BaseModel):
            return document.model_dump(mode="json")
        return self._adapter.dump_python(
            document, warnings=False
        )  # in mode "json", True in place of a number becomes 1

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        return TypeAdapter(self.model)

    def _malformed(self, address: str, found: str) -> EmsegError:
        return self.damaged(f"reading {self.name}", address, found, self.remedy)

    def _other_schema(self, address: str, found: str) -> PermanentError:
        return PermanentError(
            f"reading {self.name}", address, f"{found}, this release of emseg reads {self.schema}", self.remedy_other
        )


def _json(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _digest(document: object) -> str:
    return sha256(_json(document)).hexdigest()


def _fields(error: ValidationError) -> str:
    places = [".".join(map(str, each["loc"])) for each in error.errors(include_input=False, include_url=False)]
    return ", ".join(places[:5])
