"""The conformance check of metrics: call `check_metric(MyMetric)` in the tests of a package.

It tries the metric on small tables that real evaluations have too: a perfect segmentation, one segment for all, nothing
assigned, a single voxel, ids up to 2^64 - 1 and 10^13 voxels in a row. All broken promises are listed at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from emseg.errors import PermanentError
from emseg.evaluate import ContingencyTable, merged
from emseg.evaluate.plugin import MetricPlugin, declaration_faults, measured_by


def check_metric(plugin: type[MetricPlugin]) -> None:
    """PermanentError that lists every promise which the metric breaks."""
    problems = metric_problems(plugin)
    if problems:
        on = f"metric {getattr(plugin, 'name', plugin.__name__)}"
        raise PermanentError("checking a metric", on, "; ".join(problems), "Mend it: docs/plugins.md has the rules")


def metric_problems(plugin: type[MetricPlugin]) -> list[str]:
    """Every promise that the metric breaks, in words; empty for one that conforms."""
    found = list(declaration_faults(plugin))
    if found:
        return found  # a metric that does not say what it gives cannot be tried
    for what, table in tables().items():
        found += (f"{what}: {problem}" for problem in _of_table(plugin, table))
    return found


def tables() -> Mapping[str, ContingencyTable]:
    """The tables that a metric is tried on, by what they show."""
    rng = np.random.default_rng(4)
    rows = [_table(s, g, n) for s, g, n in rng.integers(1, 9, (60, 3)).tolist()]
    large = 2**64 - 1
    return {
        "random bodies": merged(rows),
        "a perfect segmentation": merged(_table(body, body, 100 + body) for body in range(1, 6)),
        "one segment for all": merged(_table(1, body, 100) for body in range(1, 6)),
        "nothing assigned": merged(_table(0, body, 100) for body in range(1, 6)),
        "a single voxel": _table(3, 7, 1),
        "ids up to 2^64 - 1 and 10^13 voxels": merged([_table(large, large, 10**13), _table(large - 1, large, 10**13)]),
    }


def _table(segment: int, body: int, count: int) -> ContingencyTable:
    return ContingencyTable(np.array([segment], np.uint64), np.array([body], np.uint64), np.array([count], np.int64))


def _of_table(plugin: type[MetricPlugin], table: ContingencyTable) -> Iterator[str]:
    first, second = measured_by(plugin, table), measured_by(plugin, table)
    reasons = dict.fromkeys(value for value in first.values() if isinstance(value, str))
    yield from reasons
    if first != second:
        yield "two runs gave different numbers"
