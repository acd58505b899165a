"""Spark job: segment a run. `spark-submit spark_jobs/segment.py DATASET RUN`; services come from the environment."""

import sys

from emseg.stages import run_segment
from job import run_job

if __name__ == "__main__":
    sys.exit(run_job("segment", run_segment, sys.argv[1:]))
