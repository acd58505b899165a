"""What an S3 error means: retry, stop, or compute anew. Messages carry status and code, never what the server wrote."""

from __future__ import annotations

import re

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    SSLError,
)

from emseg.errors import RUN_AGAIN, EmsegError, IntegrityError, NoRoomError, PermanentError, TransientError
from emseg.store.objects import ObjectMissingError

_CONFLICTS = {"ConditionalRequestConflict", "OperationAborted"}
_SLOW = {"SlowDown", "Throttling", "ThrottlingException", "RequestTimeout", "RequestLimitExceeded"}
_FULL = {"InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"}
_REMEDIES = {
    "NoSuchBucket": "Create the bucket, or correct EMSEG_S3_BUCKET",
    "SignatureDoesNotMatch": "Correct AWS_SECRET_ACCESS_KEY (Airflow: connection emseg_s3)",
    "InvalidAccessKeyId": "Correct AWS_ACCESS_KEY_ID (Airflow: connection emseg_s3)",
    "XAdminUserNotFound": "Correct AWS_ACCESS_KEY_ID (Airflow: connection emseg_s3)",
    "RequestTimeTooSkewed": "Set the clock of this computer",
    "PermanentRedirect": "Correct AWS_DEFAULT_REGION: the bucket is in another region",
    "AuthorizationHeaderMalformed": "Correct AWS_DEFAULT_REGION: the bucket is in another region",
    "AccessDenied": "Give this user s3:GetObject, PutObject, DeleteObject and ListBucket on the bucket and prefix (and "
    "AbortMultipartUpload and ListBucketMultipartUploads, for large objects and housekeeping)",
    "EntityTooLarge": "Store less than 5 GB under a key that is written conditionally",
}


def code_of(error: ClientError) -> str:
    """The server's code, e.g. `SlowDown`; the HTTP status as text where the reply had no body."""
    code = str(error.response.get("Error", {}).get("Code", "unknown"))
    return code if re.fullmatch(r"[A-Za-z0-9.]{1,64}", code) else "unknown"


def status_of(error: ClientError) -> int:
    """HTTP status of the reply."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def was_repeated(error: ClientError) -> bool:
    """Whether botocore sent the request more than once, so that an earlier one may have done its work unseen."""
    return int(error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)) > 0


def is_conflict(error: Exception) -> bool:
    """Whether two conditional writes met and this one shall simply be sent again (HTTP 409)."""
    return isinstance(error, ClientError) and status_of(error) == 409 and code_of(error) in _CONFLICTS


def is_missing(error: ClientError) -> bool:
    """Whether the server says that there is no such object (a missing bucket is another matter)."""
    return code_of(error) in {"NoSuchKey", "NotFound", "404"}


def is_broken_body(error: Exception) -> bool:
    """Whether a reply broke off, or changed, while its body was read: another read may be whole."""
    return isinstance(error, (FlexibleChecksumError, HTTPClientError, IncompleteReadError))


def emseg_error(doing: str, address: str, error: ClientError | BotoCoreError) -> EmsegError:
    """The error of emseg for what botocore raised while `doing` something on `address`."""
    if isinstance(error, ClientError):
        return _of_reply(doing, address, error)
    name = type(error).__name__
    if isinstance(error, FlexibleChecksumError):
        return IntegrityError(doing, address, "the bytes do not match their stored checksum", "Compute the object anew")
    if isinstance(error, SSLError):
        return PermanentError(doing, address, name, "Name your CA bundle in AWS_CA_BUNDLE, or correct the endpoint")
    if isinstance(error, (ConnectionError, HTTPClientError, IncompleteReadError)):
        return TransientError(
            doing,
            address,
            f"no usable answer ({name})",
            "Try again; if it stays, check EMSEG_S3_ENDPOINT and the server",
        )
    return PermanentError(doing, address, name, "Correct AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and EMSEG_S3_*")


def _of_reply(doing: str, address: str, error: ClientError) -> EmsegError:
    code, status = code_of(error), status_of(error)
    found = f"HTTP {status} {code}"
    if is_missing(error):
        return ObjectMissingError.at(address)
    if status == 507 or code in _FULL:
        remedy = f"Make room on the S3 server, or raise the quota; then {RUN_AGAIN}"
        return NoRoomError(doing, address, found, remedy)
    if status >= 500 or status == 429 or code in _SLOW or is_conflict(error):
        return TransientError(doing, address, found, "Try again; if it stays, look at the load of the S3 server")
    default = _REMEDIES["AccessDenied"] if status == 403 else "Check bucket, prefix and server"
    return PermanentError(doing, address, found, _REMEDIES.get(code, default))
