"""The environment that Airflow's processes get on this computer: settings, connections, secrets. No process is started.

Every setting is a variable, so that no secret is in a file but `airflow/keys.json` and Airflow's own password file
(both mode 0600).
"""

from __future__ import annotations

import base64
import json
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from emseg.child_environment import for_devstack
from emseg.devstack.files import write_private
from emseg.devstack.stack import DevStack

USERNAME = "admin"


class AirflowKeys(BaseModel):
    """Password of the user `admin`, and the keys with which Airflow encrypts and signs; none is shown by `repr`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    password: str
    fernet_key: str
    api_key: str
    jwt_key: str

    def __repr__(self) -> str:
        return "AirflowKeys(...)"

    __str__ = __repr__


def airflow_keys(home: Path) -> AirflowKeys:
    """The keys kept in `home/keys.json`, made now if there are none; Airflow's password file follows them."""
    path = home / "keys.json"
    if path.is_file():
        keys = AirflowKeys.model_validate_json(path.read_text(encoding="utf-8"))
    else:
        keys = AirflowKeys(
            password=secrets.token_urlsafe(12),
            fernet_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            api_key=secrets.token_urlsafe(32),
            jwt_key=secrets.token_urlsafe(48),
        )
        write_private(path, keys.model_dump_json())
    write_private(_password_file(home), json.dumps({USERNAME: keys.password}))
    return keys


def airflow_settings(project: Path, home: Path, port: int, keys: AirflowKeys) -> dict[str, str]:
    """Airflow's own settings (`AIRFLOW__...`) for a laptop: one user, SQLite, four tasks at once."""
    url = f"http://127.0.0.1:{port}"
    settings: dict[str, dict[str, object]] = {
        "core": {
            "dags_folder": project / "dags",
            "plugins_folder": project / "plugins",
            "load_examples": False,
            "executor": "LocalExecutor",
            "parallelism": 4,
            "execution_api_server_url": f"{url}/execution/",
            "simple_auth_manager_users": f"{USERNAME}:admin",
            "simple_auth_manager_passwords_file": _password_file(home),
            "fernet_key": keys.fernet_key,
            "dagbag_import_timeout": 120,
            "min_serialized_dag_update_interval": 5,
        },
        "database": {"sql_alchemy_conn": f"sqlite:///{home / 'airflow.db'}"},
        "api": {"host": "127.0.0.1", "port": port, "base_url": url, "workers": 1, "secret_key": keys.api_key},
        "api_auth": {"jwt_secret": keys.jwt_key},
        "scheduler": {
            "scheduler_heartbeat_sec": 2,
            "task_instance_heartbeat_timeout": 90,  # a task whose worker was killed is tried again after this
            "orphaned_tasks_check_interval": 30,
        },
        "dag_processor": {"refresh_interval": 10, "dag_file_processor_timeout": 180},
        "logging": {"base_log_folder": home / "logs", "colored_console_log": False},
    }
    return {
        f"AIRFLOW__{section.upper()}__{option.upper()}": str(value)
        for section, options in settings.items()
        for option, value in options.items()
    }


def airflow_connections(stack: DevStack, spark_master: str) -> dict[str, str]:
    """Connections `emseg_dvid`, `emseg_s3`, `emseg_spark` as `AIRFLOW_CONN_...` variables."""
    dvid = urlsplit(stack.dvid_url)
    s3_extra = {
        "endpoint_url": stack.s3_url,
        "bucket": stack.bucket,
        "prefix": stack.s3.prefix,
        "region_name": stack.s3.region,
    }
    connections = {
        "dvid": {"conn_type": "http", "schema": dvid.scheme, "host": dvid.hostname, "port": dvid.port},
        "s3": {
            "conn_type": "aws",
            "login": stack.s3_access_key,
            "password": stack.s3_secret_key,
            "extra": s3_extra,
        },
        "spark": {"conn_type": "spark", "host": spark_master},
    }
    return {f"AIRFLOW_CONN_EMSEG_{name.upper()}": json.dumps(value) for name, value in connections.items()}


def airflow_environment(caller: Mapping[str, str], home: Path, ours: Mapping[str, str]) -> dict[str, str]:
    """Variables of Airflow's processes: the caller's, without those for other programs, then `ours`.

    SPT_NOENV keeps `setproctitle` from writing over the variables that mark a process as part of this devstack.
    """
    return {
        **for_devstack(caller),
        "PATH": f"{Path(sys.executable).parent}:{caller.get('PATH', '')}",
        "AIRFLOW_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "GX_ANALYTICS_ENABLED": "false",
        "SPT_NOENV": "1",
        "PYTHONUNBUFFERED": "1",
        **ours,
    }


def _password_file(home: Path) -> Path:
    return home / "simple_auth_manager_passwords.json"
