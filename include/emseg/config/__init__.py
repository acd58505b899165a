"""Configuration at the border: connections, dataset files, run parameters, and the RunSpec made from them."""

from emseg.config.connections import DvidConnection, S3Connection, dvid_connection, environment_of, s3_connection
from emseg.config.dataset import Dataset, dataset_names, datasets_folder, load_dataset
from emseg.config.parameters import RunParameters
from emseg.config.pipeline import PipelineConfig, StepConfig
from emseg.config.runspec import PinnedStep, RunSpec
from emseg.config.stitching import StitchMode

__all__ = [
    "Dataset",
    "DvidConnection",
    "PinnedStep",
    "PipelineConfig",
    "RunParameters",
    "RunSpec",
    "S3Connection",
    "StepConfig",
    "StitchMode",
    "dataset_names",
    "datasets_folder",
    "dvid_connection",
    "environment_of",
    "load_dataset",
    "s3_connection",
]
