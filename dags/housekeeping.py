"""DAG `housekeeping`: unpaused, it shows each week what nobody refers to any more; where told to, it removes it."""

from emseg.config import dataset_names, datasets_folder
from emseg_airflow.housekeeping import housekeeping_dag

housekeeping = housekeeping_dag("housekeeping", dataset_names(datasets_folder()))
