"""What each Spark job of a dataset gets: executors, cores, memory, GPUs. It shapes the time of a job, not its result.

Example: `spark: {segment: {executors: 8, cores: 4, python_memory_mb: 24000, gpus: 1, tasks_per_gpu: 4}}` runs 32 tasks
of `segment` at a time, four on each of eight GPUs. What is left out is as the deployment says (`spark-defaults.conf`).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from emseg.config.base import Record

ONE_COMPILER = "-XX:TieredStopAtLevel=1"
"""Option of Java for a driver on a `local` master. Java only hands out tasks there, and its second compiler takes
nearly half the CPU of a start (`python -m benchmarks start`)."""

Mb = Annotated[int, Field(ge=512, le=2**24)]


class JobResources(Record):
    """What the Spark job of one stage gets; `null`: as the deployment says."""

    executors: int | None = Field(default=None, ge=1, le=10_000, description="How many; needs `cores`")
    cores: int | None = Field(default=None, ge=1, le=1024, description="Cores of an executor")
    task_cores: int = Field(default=1, ge=1, le=1024, description="Cores that a task takes of them")
    memory_mb: Mb | None = Field(default=None, description="Heap of an executor's Java process")
    python_memory_mb: Mb | None = Field(default=None, description="The rest of an executor: its Python workers")
    gpus: int = Field(default=0, ge=0, le=64, description="GPUs of an executor")
    tasks_per_gpu: int = Field(default=1, ge=1, le=64, description="Tasks that share a GPU")
    driver_memory_mb: Mb | None = Field(default=None, description="Heap of the driver's Java process")
    driver_python_memory_mb: Mb | None = Field(default=None, description="The rest of a driver in cluster mode")

    @model_validator(mode="after")
    def _uses_what_it_takes(self) -> JobResources:
        if self.executors is not None and self.cores is None:
            raise ValueError("executors: a number of executors says nothing without `cores`. Give both, or neither")
        if self.task_cores > 1 and self.cores is None:
            raise ValueError("task_cores: it is a part of the `cores` of an executor. Give `cores`, too")
        if self.cores is not None and self.cores % self.task_cores:
            raise ValueError(
                f"{self.cores} cores cannot be divided into tasks of {self.task_cores}: {self.cores % self.task_cores} "
                "would stay idle. Make `cores` a multiple of `task_cores`"
            )
        if self.gpus and self.cores is None:
            raise ValueError("gpus: tasks share the GPUs of an executor by its `cores`. Give `cores`, too")
        if self.tasks_per_gpu > 1 and not self.gpus:
            raise ValueError("tasks_per_gpu: no GPU is asked for, so none would be used. Give `gpus`, too")
        by_cores, by_gpus = (self.cores or 0) // self.task_cores, self.gpus * self.tasks_per_gpu
        if self.gpus and by_cores > by_gpus:
            raise ValueError(
                f"{by_cores} tasks would fit on the cores and {by_gpus} on the GPUs, so cores would stay idle. "
                "Raise `tasks_per_gpu` or `task_cores`, or take fewer `cores`"
            )
        if by_cores < self.gpus:
            raise ValueError(
                f"{by_cores} tasks fit on the cores, so {self.gpus - by_cores} of {self.gpus} GPUs would stay idle. "
                "Raise `cores`, or take fewer `gpus`"
            )
        return self

    def __str__(self) -> str:
        """Only what was asked for: `8 executors, 4 cores, 24000 MB for Python`."""
        told = {
            "executors": self.executors,
            "cores": self.cores,
            "cores a task": self.task_cores if self.task_cores > 1 else None,
            "MB of heap": self.memory_mb,
            "MB for Python": self.python_memory_mb,
            "GPUs": self.gpus or None,
            "tasks a GPU": self.tasks_per_gpu if self.gpus else None,
            "MB of heap for the driver": self.driver_memory_mb,
            "MB for Python in the driver": self.driver_python_memory_mb,
        }
        return ", ".join(f"{value} {name}" for name, value in told.items() if value is not None)
