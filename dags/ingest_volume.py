"""DAG `ingest_volume`: started by hand or by API call, for a volume that is too large for `emseg ingest`."""

from emseg_airflow.ingestion import ingestion_dag

ingest_volume = ingestion_dag("ingest_volume")
