"""The main of every Spark job: one stage of one run. `spark-submit spark_jobs/run_stage.py STAGE DATASET RUN`.

An ingestion is the stage `ingest` of a run in the folder `ingestions`, which stands where a dataset's name stands. An
evaluation of any two labelmaps is the stage `evaluate` of a run in the folder `evaluations`.

Services come from the environment. The exit code tells Airflow whether a retry is of use; the run folder says why. A
driver in the cluster gets a fourth argument, its submission: it tells there that it lives, and how it ended.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from uuid import uuid4

from pyspark import SparkConf, SparkContext

from emseg.config.base import EVALUATIONS, INGESTIONS
from emseg.engine.exchange import Merge, S, Split, T, attempt_merge, attempt_split
from emseg.engine.failures import ItemFailure
from emseg.engine.items import Outcome, Work, attempt_item
from emseg.engine.progress import Progress
from emseg.engine.report import Failure, StageReport
from emseg.errors import EmsegError, NoRoomError
from emseg.meanwhile import meanwhile
from emseg.phases.services import DvidServices, services_of_run
from emseg.tasks.driver_life import Driver
from emseg.tasks.jobs import run_stage
from emseg.tasks.one_run import one_run_at_a_time
from emseg.tasks.run_folder import RunFolder

log = logging.getLogger("emseg.job")

ITEMS_A_JOB = 20_000
"""More go as several Spark jobs, one after the other: the driver holds the outcomes and the tasks of one job."""


class SparkExecutor:
    """Runs items as Spark tasks, one item a task. Only item names go out, only markers come back.

    Tables are exchanged by Spark's own shuffle, as bytes; no voxel goes through it.

    Spark is started for the first item that has to be computed: a stage whose markers are all there needs none.
    """

    def __init__(self, application: str) -> None:
        self._application = application
        self._context: SparkContext | None = None

    def outcomes(self, work: Work, items: Sequence[str], progress: Progress) -> Iterator[Outcome]:
        """One outcome an item, when all of a job are there; progress is logged meanwhile.

        The engine asks for a first wave before the rest, so a stage that fails at once costs one small Spark job.
        """
        if not items:
            return
        context = self._started()
        # A group of its own for each wave: the watcher counts the tasks of a group.
        group = f"{progress.what}-{uuid4().hex[:8]}"
        context.setJobGroup(group, f"{progress.what}: {len(items)} items")
        with _watched(context, group, progress):
            for start in range(0, len(items), ITEMS_A_JOB):
                some = items[start : start + ITEMS_A_JOB]
                yield from context.parallelize(some, len(some)).map(partial(attempt_item, work)).collect()

    def exchanged(
        self, split: Split[S], sources: Sequence[S], merge: Merge[T], partitions: int, progress: Progress
    ) -> Iterator[T | ItemFailure]:
        """What `merge` makes of each partition, when all are there. A source or a partition is a Spark task.

        What was split waits on the executors' disks, and a partition's pieces reach `merge` one after the other.
        """
        context = self._started()
        group = f"{progress.what}-{uuid4().hex[:8]}"
        context.setJobGroup(group, f"{progress.what}: {len(sources)} sources, {partitions} partitions")
        with _watched(context, group, progress):
            numbered = context.parallelize(list(enumerate(sources)), max(len(sources), 1))
            sent = numbered.flatMap(partial(attempt_split, split, partitions)).partitionBy(partitions, int)
            yield from sent.mapPartitionsWithIndex(partial(attempt_merge, merge)).collect()

    def stop(self) -> None:
        """Stop Spark, if it was started. A Spark that died says so in the log: the error that came first goes on."""
        if self._context is None:
            return
        try:
            self._context.stop()
        except Exception:  # whatever py4j raises about a JVM that is gone
            log.exception("Spark could not be stopped")

    def _started(self) -> SparkContext:
        if self._context is None:
            self._context = SparkContext(conf=SparkConf().setAppName(self._application))
        return self._context


@contextmanager
def _watched(context: SparkContext, group: str, progress: Progress) -> Iterator[None]:
    tracker = context.statusTracker()

    def watch() -> bool:
        jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(group)]
        stages = [tracker.getStageInfo(stage) for job in jobs if job for stage in job.stageIds]
        progress.reached(sum(stage.numCompletedTasks for stage in stages if stage))
        return True

    with meanwhile(watch, 1.0):
        yield
    progress.reached(progress.total)


def main(stage: str, dataset: str, run: str, submission: str = "") -> int:
    """One stage as a Spark driver; the exit code is 0, or that of the error."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout)
    try:
        folder = RunFolder(services_of_run(dataset, run)().store, dataset, run)
        return Driver(folder, stage, submission).drive(lambda: _exit_code(stage, folder))
    except EmsegError as error:
        log.error("%s: %s", type(error).__name__, error)
        return error.exit_code


def _exit_code(stage: str, folder: RunFolder) -> int:
    try:
        folder.remove(f"failure-{stage}")
        try:
            _run(stage, folder)
        except (EmsegError, OSError, MemoryError) as error:
            known = error if isinstance(error, EmsegError) else NoRoomError.of(error, f"running {stage}", folder.run)
            if known is None:
                raise
            folder.write(f"failure-{stage}", Failure.of(stage, known))
            raise known from error
    except EmsegError as error:
        log.error("%s: %s", type(error).__name__, error)
        return error.exit_code
    return 0


def _run(stage: str, folder: RunFolder) -> None:
    executor = SparkExecutor(f"emseg {stage} {folder.dataset} {folder.run}")
    try:
        report = _JOBS.get(folder.dataset, _segmented)(stage, folder, executor)
    finally:
        executor.stop()
    log.info("%s: %d items done, %d reused, %.1f s", stage, report.items_done, report.items_reused, report.seconds)


def _services(folder: RunFolder) -> Callable[[], DvidServices]:
    return services_of_run(folder.dataset, folder.run)


def _segmented(stage: str, folder: RunFolder, executor: SparkExecutor) -> StageReport:
    run = folder.context(uuid4().hex[:12], _services(folder), before=stage)
    with one_run_at_a_time(folder.store, folder.dataset, folder.run):
        report = run_stage(stage, run, executor).report
    folder.write_report(report, run)
    return report


def _ingested(stage: str, folder: RunFolder, executor: SparkExecutor) -> StageReport:
    from emseg.config.ingestion import IngestSpec  # only here: no other driver waits for it
    from emseg.tasks.ingestion import run_ingestion

    spec = folder.read("ingestion", IngestSpec)
    report = run_ingestion(spec, uuid4().hex[:12], _services(folder), executor)
    folder.write(f"report-{stage}", report)
    return report


def _evaluated(stage: str, folder: RunFolder, executor: SparkExecutor) -> StageReport:
    from emseg.config.evaluation import EvaluationSpec
    from emseg.tasks.evaluation import run_evaluation
    from emseg.tasks.evaluation.job import context_of

    spec = folder.read("evaluation", EvaluationSpec)
    report = run_evaluation(context_of(spec, uuid4().hex[:12], _services(folder)), executor)
    folder.write(f"report-{stage}", report)
    return report


_JOBS = {INGESTIONS: _ingested, EVALUATIONS: _evaluated}
"""What is no run of a dataset, by the folder that stands where a dataset's name stands."""


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
