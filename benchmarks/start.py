"""What a start costs: `emseg --help`, a task of Airflow, and the first task of a Spark worker.

Each runs in a process of its own, several times in turn; figures are CPU time of the whole process. A worker is made as
Spark makes one: it unpickles the work on an item, which imports what the work needs, and calls it.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.data import PROJECT
from benchmarks.rows import Row
from benchmarks.side_by_side import side_by_side
from emseg.config.resources import ONE_COMPILER

ROUNDS = 5
EMSEG = Path(sys.executable).with_name("emseg")
PLUGINS, DAG = PROJECT / "plugins", PROJECT / "dags" / "segment_volume.py"
_TINY = """from pyspark import SparkContext
with SparkContext() as context:
    assert context.parallelize(range(4), 4).map(abs).collect() == [0, 1, 2, 3]
"""
_PARSE = "import importlib, sys; sys.path[:0] = sys.argv[1:3]; importlib.import_module(sys.argv[3])"


def run() -> list[Row]:
    """CPU seconds of each start, and how they compare."""
    with TemporaryDirectory() as folder:
        work, tiny = Path(folder) / "work", Path(folder) / "tiny.py"
        tiny.write_text(_TINY)
        work.write_bytes(_pickled_work(Path(folder)))
        later: list[float] = []
        found = side_by_side(
            {
                "import numpy": _process(sys.executable, "-c", "import numpy"),
                "emseg --help": _process(str(EMSEG), "--help"),
                "import airflow.sdk": _process(sys.executable, "-c", "import airflow.sdk"),
                "parse of a DAG": _process(sys.executable, "-c", _PARSE, *map(str, (PLUGINS, DAG.parent)), DAG.stem),
                "Spark": _on_spark(tiny),
                "Spark, one compiler": _on_spark(tiny, f"--conf=spark.driver.defaultJavaOptions={ONE_COMPILER}"),
                "two tasks": lambda: later.append(_two_tasks(work)),
            },
            ROUNDS,
            _children_cpu_s,
        )
    bare, shown, two = (found.median_s(name) for name in ("import numpy", "emseg --help", "two tasks"))
    second = median(later)
    return [
        Row("import numpy: CPU of the process", bare, "s"),
        Row("emseg --help: CPU of the process", shown, "s"),
        Row("emseg --help, beside import numpy", found.ratio("emseg --help", "import numpy"), "x"),
        Row("parse of a DAG, as each task of Airflow does: CPU of the process", found.median_s("parse of a DAG"), "s"),
        Row("parse of a DAG, beside import airflow.sdk", found.ratio("parse of a DAG", "import airflow.sdk"), "x"),
        Row("Spark driver with a tiny job: CPU", found.median_s("Spark"), "s"),
        Row("Spark driver with a tiny job, one compiler of Java", found.ratio("Spark, one compiler", "Spark"), "x"),
        Row("first task of a worker, above a later one: CPU", two - 2 * second, "s"),
        Row("a later task, of 64^3 voxels: CPU", second, "s"),
    ]


def _process(*command: str) -> Callable[[], object]:
    return partial(subprocess.run, command, check=True, stdout=subprocess.DEVNULL)


def _on_spark(program: Path, *options: str) -> Callable[[], object]:
    here = Path(sys.executable).parent
    environment = {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    environment |= {"PATH": os.pathsep.join([str(here), os.environ["PATH"]])}
    command = [str(here / "spark-submit"), "--master", "local[2]", *options, str(program)]
    return partial(subprocess.run, command, check=True, capture_output=True, env={**os.environ, **environment})


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _pickled_work(folder: Path) -> bytes:
    from pyspark import cloudpickle

    from emseg.config.dataset import Segmentation
    from emseg.config.stitching import Stitching
    from emseg.engine.items import attempt_item
    from emseg.phases import phase_named
    from emseg.store import FolderStore
    from emseg.synthetic import make_volume
    from emseg.tasks.local import run_on_array

    grayscale = make_volume((64, 64, 128), seed=3).grayscale
    cut = Segmentation(core_vox=(64, 64, 64), halo_vox=(20, 20, 20))
    run_ = run_on_array(grayscale, cut, Stitching(), FolderStore(folder / "store"))
    work = partial(attempt_item, phase_named("segment").prepare(run_))
    return bytes(cloudpickle.dumps(work))  # type: ignore[no-untyped-call]


def _two_tasks(work: Path) -> float:
    """CPU seconds of the second of two tasks in a new process."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.start", str(work)], check=True, capture_output=True, text=True
    )
    return float(json.loads(done.stdout))


def main(work: str) -> None:
    """What a worker does; prints the CPU seconds of its second task."""
    from pyspark import cloudpickle

    do = cloudpickle.loads(Path(work).read_bytes())
    first = do("sv-00000000")
    started = time.process_time()
    second = do("sv-00000001")
    print(json.dumps(time.process_time() - started))
    assert {first.item, second.item} == {"sv-00000000", "sv-00000001"}, (first, second)


if __name__ == "__main__":
    main(sys.argv[1])
