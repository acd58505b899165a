"""Objects in an S3 bucket: the store of production, of the tests and of the laptop's devstack.

`S3Store.open` finds out with a few requests whether the server honours conditional writes, and refuses one that does
not. Objects up to 64 MiB go up as one request and larger ones in parts (so no 5 GB limit and no lost GB per retry);
conditional writes are always one request, which is what makes them exact.
"""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from io import BytesIO
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
import botocore.session
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, FlexibleChecksumError
from botocore.response import StreamingBody
from botocore.utils import parse_timestamp

from emseg.config.base import PROBES
from emseg.config.connections import S3Connection
from emseg.errors import EmsegError, PermanentError
from emseg.outside_addresses import is_readable_on_the_way, is_this_computer
from emseg.store.ahead import READERS
from emseg.store.objects import ObjectMissingError, StoredObject, checked_folder, checked_key
from emseg.store.s3_errors import emseg_error, is_broken_body, is_conflict, is_missing, status_of, was_repeated

T = TypeVar("T")
_log = logging.getLogger(__name__)

_CONFLICT_TRIES = 6
_READ_TRIES = 3
_PART_BYTES = 64 << 20


class S3Store:
    """An `ObjectStore` on one bucket; keys are kept below the connection's prefix. Safe to share between threads."""

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = checked_folder(prefix.strip("/"))
        self._transfer = TransferConfig(
            multipart_threshold=_PART_BYTES, multipart_chunksize=_PART_BYTES, max_concurrency=4
        )

    @classmethod
    def open(cls, connection: S3Connection, probe: bool = True) -> S3Store:
        """The store of a connection. `probe=False` is for the many workers of a driver that has probed (7 requests)."""
        store = cls(s3_client(connection), connection.bucket, connection.prefix)
        if probe:
            store.probe()
        return store

    def probe(self) -> None:
        """Raise `PermanentError` unless the server honours `If-None-Match` and `If-Match` on a throwaway object."""
        key = f"{PROBES}/{uuid4().hex}"
        self.put(key, b"first")
        try:
            if self.put_if_absent(key, b"second"):
                raise self._unconditional(key, "If-None-Match: *")
            if self.replace_if(key, b"third", f'"{uuid4().hex}"'):
                raise self._unconditional(key, "If-Match")
            if not self.replace_if(key, b"fourth", self.get_with_version(key)[1]):
                raise self._unconditional(key, "If-Match with the current ETag")
        except EmsegError:
            with suppress(EmsegError):  # what is wrong with the server goes on, not what that did to the clean-up
                self.delete(key)
            raise
        self.delete(key)

    def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        """Store `data`, in parts of 64 MiB where it is larger."""
        with self._errors("writing an object", key):
            self._client.upload_fileobj(
                BytesIO(data), self._bucket, self._full(key), {"ContentType": content_type}, Config=self._transfer
            )

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Store `data` unless the key is taken; True where the key then holds exactly `data`."""
        return self._conditional_put(key, data, IfNoneMatch="*") or self._is_stored(key, data)

    def get(self, key: str) -> bytes:
        """The object; `ObjectMissingError` where there is none, IntegrityError where S3's own checksum fails."""
        with self._errors("reading an object", key):
            return self._checked(key)[0]

    def get_part(self, key: str, start: int, size: int) -> bytes:
        """Bytes `start` to `start + size`, as far as there are any: one request with a range."""
        part = f"bytes={start}-{start + size - 1}"
        with self._errors("reading an object", key):
            try:
                return _repeated(lambda: self._read(key, Range=part)[0], is_broken_body, _READ_TRIES) if size else b""
            except ClientError as error:
                if status_of(error) == 416:  # the object ends before `start`
                    return b""
                raise

    def get_with_version(self, key: str) -> tuple[bytes, str]:
        """The object as it is, damaged or not, and its ETag, which is its version."""
        with self._errors("reading an object", key):
            try:
                return self._checked(key)
            except FlexibleChecksumError:
                return self._unchecked(key)

    def replace_if(self, key: str, data: bytes, version: str) -> bool:
        """Store `data` if the object's ETag is still `version`.

        Where botocore had to repeat the request, a refusal may be the answer to the second try of one that succeeded:
        then the stored bytes decide. Callers whose rivals might write the same bytes put something of their own in.
        """
        is_done = self._conditional_put(key, data, IfMatch=version)
        return self._is_stored(key, data) if is_done is None else is_done

    def exists(self, key: str) -> bool:
        """Whether there is an object (one HEAD request)."""
        try:
            with self._errors("looking for an object", key):
                self._client.head_object(Bucket=self._bucket, Key=self._full(key))
        except ObjectMissingError:
            return False
        return True

    def keys_under(self, prefix: str) -> Iterator[str]:
        """Full keys of all objects in folder `prefix`, ascending, 1000 a request."""
        return (found.key for found in self.objects_under(prefix))

    def objects_under(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        """The same with sizes and times; a page of the listing is held at a time."""
        return (found for found, _ in self.versions_under(prefix, after))

    def versions_under(self, prefix: str, after: str = "") -> Iterator[tuple[StoredObject, str]]:
        """The same with ETags, which are the versions; no object is read."""
        for page in self._pages(prefix, **({"StartAfter": self._prefix + after} if after else {})):
            for found in page.get("Contents", ()):
                key = found["Key"].removeprefix(self._prefix)
                etag = found["ETag"]
                yield StoredObject(key, int(found["Size"]), found["LastModified"], etag.strip('"')), etag

    def folders_under(self, prefix: str) -> Iterator[str]:
        """Names of the folders directly in `prefix`, ascending."""
        for page in self._pages(prefix, Delimiter="/"):
            for found in page.get("CommonPrefixes", ()):
                yield found["Prefix"].removesuffix("/").rpartition("/")[2]

    def drop_unfinished(self, begun_before: datetime, dry_run: bool) -> int:
        """End the uploads in parts that their writers left; S3 keeps their parts for ever, and shows them nowhere."""
        pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket, Prefix=self._prefix)
        with self._errors("listing uploads that were not ended", "."):
            found = [upload for page in pages for upload in page.get("Uploads", ())]
            left = [upload for upload in found if upload["Initiated"] < begun_before]
            for upload in [] if dry_run else left:
                self._abort(upload["Key"], upload["UploadId"])
        return len(left)

    def delete(self, key: str) -> None:
        """Remove the object, if any."""
        with self._errors("deleting an object", key):
            self._client.delete_object(Bucket=self._bucket, Key=self._full(key))

    def address(self, key: str) -> str:
        """`s3://bucket/prefix/key`."""
        return f"s3://{self._bucket}/{self._prefix}{key}"

    def _pages(self, prefix: str, **options: str) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix + checked_folder(prefix), **options
        )
        with self._errors("listing objects", prefix or "."):
            yield from pages

    def _abort(self, key: str, upload: str) -> None:
        try:
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)
        except ClientError as error:
            if status_of(error) != 404:  # its writer, or another sweep, has just ended it
                raise

    def _full(self, key: str) -> str:
        return self._prefix + checked_key(key)

    def _checked(self, key: str) -> tuple[bytes, str]:
        return _repeated(lambda: self._read(key), is_broken_body, _READ_TRIES)

    def _read(self, key: str, **options: str) -> tuple[bytes, str]:
        reply = self._client.get_object(Bucket=self._bucket, Key=self._full(key), **options)
        with closing(reply["Body"]) as body:  # its own `with` gives the raw stream, which checks nothing
            return body.read(), reply["ETag"]

    def _unchecked(self, key: str) -> tuple[bytes, str]:
        reply = self._client.get_object(Bucket=self._bucket, Key=self._full(key))
        with reply["Body"] as raw:
            return StreamingBody(raw, reply["ContentLength"]).read(), reply["ETag"]

    def _is_stored(self, key: str, data: bytes) -> bool:
        try:
            return self.get(key) == data
        except ObjectMissingError:
            return False

    def _conditional_put(self, key: str, data: bytes, **condition: str) -> bool | None:
        """One conditional PUT, sent again on a 409 conflict: False where the server refuses it.

        None: it refuses it, and an earlier try may have succeeded unseen.
        """
        replies: list[ClientError] = []

        def send() -> None:
            try:
                self._client.put_object(Bucket=self._bucket, Key=self._full(key), Body=data, **condition)
            except ClientError as error:
                replies.append(error)
                raise

        with self._errors("writing an object conditionally", key):
            try:
                _repeated(send, is_conflict, _CONFLICT_TRIES)
            except ClientError as error:
                if status_of(error) != 412 and not is_missing(error):
                    raise
                return None if any(map(was_repeated, replies)) else False
        return True

    @contextmanager
    def _errors(self, doing: str, key: str) -> Iterator[None]:
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            raise emseg_error(doing, self.address(key), error) from error

    def _unconditional(self, key: str, condition: str) -> PermanentError:
        return PermanentError(
            "probing the S3 server",
            self.address(key),
            f"it does not honour a PUT with {condition}",
            "Use a server with conditional writes (AWS S3, versitygw >= 1.8.0): without them two runs would mix",
        )


def s3_client(connection: S3Connection) -> Any:
    """A boto3 client of the connection alone.

    Endpoint, options and, where it has keys, profiles that the caller's environment or files hold for other programs
    of AWS change nothing. A server on this computer is never reached through a proxy.
    """
    logging.getLogger("botocore").setLevel(logging.WARNING)  # at level DEBUG it logs the session token
    endpoint, keys = connection.endpoint_url, (connection.access_key, connection.secret_key, connection.session_token)
    if endpoint is not None and (not endpoint.startswith(("http://", "https://")) or "@" in endpoint):
        raise _bad_endpoint("it is not http(s)://host, or it carries a user name")
    config = Config(
        **_not_of_the_environment(endpoint),
        signature_version="s3v4",
        s3={"addressing_style": "path" if endpoint else "auto"},
        connect_timeout=5,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": 5},
        max_pool_connections=2 * READERS,
    )
    if endpoint is not None and is_readable_on_the_way(endpoint):
        _log.warning("the S3 server is addressed by plain http: what is stored can be read on the way")
    try:
        return _session(connection).client(
            "s3",
            region_name=connection.region,
            endpoint_url=endpoint,
            aws_access_key_id=keys[0].get_secret_value() if keys[0] else None,
            aws_secret_access_key=keys[1].get_secret_value() if keys[1] else None,
            aws_session_token=keys[2].get_secret_value() if keys[2] else None,
            config=config,
        )
    except (BotoCoreError, ValueError) as error:
        raise _bad_endpoint(f"boto3 refuses it ({type(error).__name__})") from None


def _timestamp(text: str) -> datetime:
    """A time of a reply. botocore's parser guesses the form, which takes most of the time of reading a listing."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return parse_timestamp(text)


def _not_of_the_environment(endpoint: str | None) -> dict[str, Any]:
    """Options that botocore would take from variables or files where they are not given."""
    given: dict[str, Any] = {
        "ignore_configured_endpoint_urls": True,
        "request_checksum_calculation": "when_supported",
        "response_checksum_validation": "when_supported",
    }
    if endpoint is not None:
        given |= {"use_fips_endpoint": False, "use_dualstack_endpoint": False}
        if is_this_computer(urlsplit(endpoint).hostname or ""):
            given["proxies"] = {}
    return given


def _session(connection: S3Connection) -> boto3.session.Session:
    session = botocore.session.get_session()  # the role or profile of the machine
    if connection.access_key is not None:
        nothing: dict[str, tuple[Any, Any, Any, Any]] = {"profile": (None, None, None, None)}
        nothing |= dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
        session = botocore.session.Session(session_vars=nothing)
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_timestamp)
    return boto3.session.Session(botocore_session=session)


def _bad_endpoint(found: str) -> PermanentError:
    return PermanentError(
        "opening the S3 store", "S3Connection", found, "Correct EMSEG_S3_ENDPOINT and the AWS_* variables"
    )


def _repeated(call: Callable[[], T], again: Callable[[Exception], bool], tries: int) -> T:
    """`call()`, up to `tries` times where its error is one of `again`, after a random wait that doubles."""
    for number in range(tries - 1):
        try:
            return call()
        except (ClientError, BotoCoreError) as error:
            if not again(error):
                raise
            time.sleep(random.SystemRandom().uniform(0.02, 0.1) * 2**number)
    return call()
