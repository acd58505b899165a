"""DAG `segment_volume`: started by hand or by API call, for any dataset file.

Dataset files are named here, not read: a broken one fails its own run with the reason, and never hides this DAG.
"""

import os
from datetime import timedelta

from emseg.config import dataset_names, datasets_folder
from emseg.config.presets import preset_names
from emseg_airflow import segmentation_dag

# A setting of the deployment that becomes part of the DAG, so it has to be read when the DAG is built (tests set 1 s).
RETRY_DELAY = timedelta(seconds=float(os.environ.get("EMSEG_RETRY_DELAY_S", "60")))

segment_volume = segmentation_dag("segment_volume", dataset_names(datasets_folder()), preset_names(), RETRY_DELAY)
