"""Spark job: stitch a run. `spark-submit spark_jobs/stitch.py DATASET RUN`; services come from the environment."""

import sys

from emseg.stages import run_stitch
from job import run_job

if __name__ == "__main__":
    sys.exit(run_job("stitch", run_stitch, sys.argv[1:]))
