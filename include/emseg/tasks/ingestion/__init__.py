"""Ingestion of large volumes: bricks as items of the engine, with markers in the store, on Spark or in one process.

`pin_ingestion` makes an `IngestSpec` of what a person chose, `run_ingestion` writes the bricks that have no marker. In
the store:

    ingestions/runs/RUN/ingestion.json         the spec of a run, with its report or failure beside it
    ingestions/phases/ingest/KEY/...           markers, and for labels the voxels of each label in each block
    ingestions/targets/NODE-INSTANCE.json      which key was ingested to an instance last
"""

from emseg.tasks.ingestion.job import run_ingestion
from emseg.tasks.ingestion.pinning import pin_ingestion

__all__ = ["pin_ingestion", "run_ingestion"]
