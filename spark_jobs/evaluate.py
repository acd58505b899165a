"""Spark job: evaluate a run. `spark-submit spark_jobs/evaluate.py DATASET RUN`; services come from the environment."""

import sys

from emseg.stages import run_evaluate
from job import run_job

if __name__ == "__main__":
    sys.exit(run_job("evaluate", run_evaluate, sys.argv[1:]))
