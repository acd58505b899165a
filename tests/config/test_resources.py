"""What a dataset file asks of Spark: checked where it is read, shown in the plan, and in no key."""

from __future__ import annotations

from typing import Any

import pytest
from tests.refusals import refused
from tests.running import a_spec

from emseg.config import Dataset
from emseg.config.base import validated
from emseg.config.resources import JobResources
from emseg.errors import PermanentError
from emseg.geometry import Box
from emseg.phases.keys import phase_keys


def dataset(spark: dict[str, Any]) -> Dataset:
    volume = {"node": "abcd", "groundtruth": {"instance": "groundtruth"}}
    given = {"name": "brain", "description": "d", "volume": volume, "spark": spark}
    return validated(Dataset, given, "checking the dataset file", "brain.yaml")


@pytest.mark.parametrize(
    ("segment", "told"),
    [
        ({"executors": 4}, "`cores`. Give both"),
        ({"cores": 5, "task_cores": 2}, "1 would stay idle"),
        ({"gpus": 1}, "Give `cores`"),
        ({"cores": 4, "tasks_per_gpu": 2}, "Give `gpus`"),
        ({"task_cores": 4}, "Give `cores`"),
        ({"cores": 1, "gpus": 64}, "63 of 64 GPUs would stay idle"),
        ({"cores": 8, "gpus": 1, "tasks_per_gpu": 4}, "8 tasks would fit on the cores and 4 on the GPUs"),
        ({"cores": 0}, "greater than or equal to 1"),
        ({"memory_mb": 100}, "greater than or equal to 512"),
        ({"memory_gb": 4}, "accepted here: executors, cores, task_cores"),
    ],
)
def test_what_cannot_be_used_is_refused_where_the_file_is_read(segment: dict[str, int], told: str) -> None:
    """Kills a job that Spark takes and never starts, or that leaves cores idle for days."""
    with refused(PermanentError, "spark.segment", told):
        dataset({"segment": segment})


def test_it_is_in_no_key() -> None:
    """Kills a run that computes everything again because it got more memory."""
    plain = a_spec(Box((0, 0, 0), (64, 64, 64)))
    asked = plain.model_copy(update={"spark": {"segment": JobResources(cores=4)}})
    assert phase_keys(asked) == phase_keys(plain)


def test_people_read_only_what_was_asked_for() -> None:
    asked = dataset({"segment": {"executors": 8, "cores": 4, "gpus": 2, "tasks_per_gpu": 2}}).spark["segment"]
    assert str(asked) == "8 executors, 4 cores, 2 GPUs, 2 tasks a GPU"
    assert str(JobResources()) == ""
