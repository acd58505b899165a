"""DAG `evaluate_segmentation`: started by hand or by API call, for any two labelmaps in DVID."""

from emseg_airflow.evaluation import evaluation_dag

evaluate_segmentation = evaluation_dag("evaluate_segmentation")
