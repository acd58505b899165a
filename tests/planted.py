"""Secrets that the Airflow of the tests is given, besides those of its servers, and that must be found nowhere."""

from __future__ import annotations

import json
from collections.abc import Mapping

DVID_TOKEN = "canary-dvid-0b7e51"
SPARK_PASSWORD = "canary-spark-94c2d8"
WEBHOOK_KEY = "canary-webhook-e1f603"
PLANTED = (DVID_TOKEN, SPARK_PASSWORD, WEBHOOK_KEY)


def with_secrets(connections: Mapping[str, str]) -> dict[str, str]:
    """Airflow Connections (`AIRFLOW_CONN_...`) with a token for DVID and a password for Spark."""
    secrets = {"AIRFLOW_CONN_EMSEG_DVID": DVID_TOKEN, "AIRFLOW_CONN_EMSEG_SPARK": SPARK_PASSWORD}
    documents = {name: json.loads(document) for name, document in connections.items()}
    return {
        name: json.dumps(document | ({"password": secrets[name]} if name in secrets else {}))
        for name, document in documents.items()
    }
