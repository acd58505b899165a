"""DAGs `watch_quality_DATASET`, one for each dataset file with `watch`: measure again what is served.

This file reads the dataset files, so a broken one shows as its import error, as in `segment_volume_scheduled.py`.
"""

from emseg.config import dataset_names, datasets_folder, load_dataset
from emseg_airflow.watch import watch_dag

for name in dataset_names(datasets_folder()):
    watch = load_dataset(datasets_folder(), name).watch
    if watch is not None:
        watch_dag(f"watch_quality_{name}", name, watch.schedule)
