"""DAG `segment_volume`: started by hand or by API call, for any dataset file.

A broken dataset file fails its own run with the reason, and never hides this DAG: of the files only the deadlines are
read here, and none of a broken one.
"""

from emseg.config import dataset_names, datasets_folder
from emseg.config.presets import preset_names
from emseg_airflow import segmentation_dag

segment_volume = segmentation_dag("segment_volume", dataset_names(datasets_folder()), preset_names())
