"""DAG `roll_back`: started by hand or by API call, where a release turns out to be worse than an earlier one."""

from emseg.config import dataset_names, datasets_folder
from emseg_airflow.rollback import rollback_dag

roll_back = rollback_dag("roll_back", dataset_names(datasets_folder()))
