"""DAG `train_model`: started by hand or by API call; the model it makes is named in a dataset file or in the form."""

from emseg.config import dataset_names, datasets_folder
from emseg.config.presets import trained_preset_names
from emseg_airflow.training import training_dag

train_model = training_dag("train_model", dataset_names(datasets_folder()), trained_preset_names())
