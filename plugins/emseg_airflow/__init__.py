"""The Airflow side of emseg: DAG factory, run form, tasks, Spark operator, connections and alerts.

Airflow puts the plugins folder on the import path; DAG files import this package from there. Only this package and
`dags/` know Airflow; everything that computes is in the library `emseg`, imported inside the tasks.
"""

from emseg_airflow.pipeline import segmentation_dag

__all__ = ["segmentation_dag"]
