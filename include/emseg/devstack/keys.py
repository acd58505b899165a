"""The S3 keys of a devstack: random, made once, in a file that only this user can read."""

from __future__ import annotations

import secrets
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from emseg.devstack.files import write_private


class S3Keys(BaseModel):
    """Access key and secret key of the one S3 user; neither is shown by `repr`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    access_key: str
    secret_key: str

    def __repr__(self) -> str:
        return "S3Keys(...)"

    __str__ = __repr__


def s3_keys(root: Path) -> S3Keys:
    """The keys kept in `root/s3-keys.json` (mode 0600), made now if there are none."""
    path = root / "s3-keys.json"
    if path.is_file():
        return S3Keys.model_validate_json(path.read_text(encoding="utf-8"))
    keys = S3Keys(access_key=f"EMSEG{secrets.token_hex(8).upper()}", secret_key=secrets.token_urlsafe(30))
    write_private(path, keys.model_dump_json())
    return keys
