"""Where the services are and with what right: read from the environment, never from a dataset file or an argument.

Airflow Connections `emseg_dvid` and `emseg_s3` are turned into these variables for the jobs (plugins/emseg_airflow);
on a cluster the executors' own environment or role supplies them.
"""

from __future__ import annotations

import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from emseg.errors import PermanentError

VARIABLES_OF_DVID = {"url": "EMSEG_DVID_URL", "token": "EMSEG_DVID_TOKEN", "max_requests": "EMSEG_DVID_MAX_REQUESTS"}
SERVICES_FILE = "EMSEG_SERVICES_FILE"
"""A file with lines NAME=VALUE of the variables below, for processes whose environment cannot hold a secret."""

VARIABLES_OF_S3 = {
    "endpoint_url": "EMSEG_S3_ENDPOINT",
    "bucket": "EMSEG_S3_BUCKET",
    "prefix": "EMSEG_S3_PREFIX",
    "region": "AWS_DEFAULT_REGION",
    "access_key": "AWS_ACCESS_KEY_ID",
    "secret_key": "AWS_SECRET_ACCESS_KEY",
    "session_token": "AWS_SESSION_TOKEN",
}


MOST_REQUESTS = 1000
"""Slots that one page of a listing of S3 shows."""

_OF_SERVICES = ("EMSEG_DVID_", "EMSEG_S3_", "EMSEG_SERVICES_", "AWS_", "AIRFLOW", "_AIRFLOW")
"""How the variables begin that bring a process to the services, or let it in there."""


class _Connection(BaseModel):
    """A process that holds a connection leaves no core file, and neither do its children: secrets would be in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def model_post_init(self, _context: Any, /) -> None:
        """Forbid core files."""
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


C = TypeVar("C", bound="_Connection")


class DvidConnection(_Connection):
    """A DVID server; `token` is a user's bearer token (never an admin token).

    `max_requests` is how many requests all processes of emseg together may have under way there; None: each process
    limits itself alone.
    """

    url: str
    token: SecretStr | None = None
    max_requests: int | None = Field(default=None, ge=1, le=MOST_REQUESTS)


class S3Connection(_Connection):
    """A bucket on an S3 server; without keys, boto3's own chain (role, profile) is used.

    `session_token` comes with temporary keys.
    """

    endpoint_url: str | None = None
    bucket: str
    prefix: str = "emseg"
    region: str = "us-east-1"
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None
    session_token: SecretStr | None = None


def dvid_connection(environment: Mapping[str, str]) -> DvidConnection:
    """Connection named by EMSEG_DVID_URL, and EMSEG_DVID_TOKEN and EMSEG_DVID_MAX_REQUESTS, or EMSEG_SERVICES_FILE."""
    return _read(DvidConnection, VARIABLES_OF_DVID, environment)


def s3_connection(environment: Mapping[str, str]) -> S3Connection:
    """Connection named by EMSEG_S3_* and the usual AWS_* variables, or by EMSEG_SERVICES_FILE."""
    return _read(S3Connection, VARIABLES_OF_S3, environment)


def environment_of(connection: DvidConnection | S3Connection) -> dict[str, str]:
    """The variables that `dvid_connection` and `s3_connection` read back: for the environment of a job, never a log."""
    names = VARIABLES_OF_DVID if isinstance(connection, DvidConnection) else VARIABLES_OF_S3
    variables = {}
    for field, variable in names.items():
        value = getattr(connection, field)
        if value is not None:
            variables[variable] = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    return variables


def without_services(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that has no business with the services, such as the code of a step."""
    return {name: value for name, value in environment.items() if not name.startswith(_OF_SERVICES)}


def _read(kind: type[C], names: Mapping[str, str], environment: Mapping[str, str]) -> C:
    variables = _service_variables(environment)
    given = {field: variables[variable] for field, variable in names.items() if variables.get(variable)}
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        faults = error.errors(include_input=False)  # a value may be a secret
        said = [f"{names[str(e['loc'][0])]}: {'not set' if e['type'] == 'missing' else e['msg']}" for e in faults]
        raise PermanentError(
            f"reading the {kind.__name__}",
            "environment of this process",
            "; ".join(said),
            "Set it right, or run through Airflow (connections emseg_dvid, emseg_s3); on a laptop: emseg devstack up",
        ) from None


def _service_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of the services: those of the file that EMSEG_SERVICES_FILE names, and over them the environment's.

    PermanentError for a file that cannot be read, that everybody may read, or that holds another line.
    """
    names = {*VARIABLES_OF_DVID.values(), *VARIABLES_OF_S3.values()}
    path = environment.get(SERVICES_FILE)
    given = _lines_of(Path(path), names) if path else {}
    return given | {name: environment[name] for name in names if environment.get(name)}


def _lines_of(path: Path, names: set[str]) -> dict[str, str]:
    doing, remedy = "reading the services", f"Give {SERVICES_FILE} a file of mode 0400 with lines NAME=VALUE"
    try:
        text, mode = path.read_text(encoding="utf-8"), path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        raise PermanentError(doing, str(path), type(error).__name__, remedy) from None
    if mode & 0o007:
        raise PermanentError(doing, str(path), f"everybody may use it (mode {mode & 0o777:o})", remedy)
    lines = [line.partition("=") for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if unknown := [name for name, equals, _ in lines if not equals or name not in names]:
        found = f"{len(unknown)} lines are no variable of a service"  # not what they hold: it may be a secret
        raise PermanentError(doing, str(path), found, f"{remedy}; known names: {', '.join(sorted(names))}")
    return {name: value for name, _, value in lines}
