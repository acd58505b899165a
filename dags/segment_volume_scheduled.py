"""DAGs `segment_volume_DATASET`: the same pipeline on a schedule, one for each dataset file that has one.

This file reads the dataset files, so a broken one shows as its import error; `segment_volume` is a file of its own to
stay usable meanwhile.
"""

from emseg.config import dataset_names, datasets_folder, load_dataset
from emseg.config.presets import preset_names
from emseg_airflow import segmentation_dag

for name in dataset_names(datasets_folder()):
    schedule = load_dataset(datasets_folder(), name).schedule
    if schedule is not None:
        segmentation_dag(f"segment_volume_{name}", [name], preset_names(), schedule)
