"""Metrics of other packages: a class that gets the contingency table of all voxels that count, and gives numbers.

`emseg.evaluate.plugin_registry` finds the classes that packages offer. docs/plugins.md leads through a whole package.

A plugin cannot break the evaluation: where it raises, or gives what it did not promise, its figures have no value and
the reason in its place. A figure without a value keeps no limit.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, ClassVar

import numpy as np

from emseg.config.base import NAME_PATTERN
from emseg.evaluate.contingency import ContingencyTable
from emseg.evaluate.figure import Figure, Value
from emseg.evaluate.marginals import Marginals, marginals

FIGURE_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"
LONGEST_REASON = 300


class MetricPlugin(ABC):
    """Made without arguments. It must be a pure function of the table: the same numbers on any machine."""

    name: ClassVar[str]
    """Short id in dataset files."""
    version: ClassVar[int]
    """To be raised with every change of the numbers, so that no run takes stored ones of older code."""
    figures: ClassVar[tuple[Figure, ...]]
    """All numbers that it gives. Their names are used in dataset files, too; each is 0 or more."""

    @abstractmethod
    def measure(self, table: ContingencyTable, sizes: Marginals) -> Mapping[str, float]:
        """The numbers by name. The arrays are read-only; `table` has at least one row."""


def measured_by(plugin: type[MetricPlugin], table: ContingencyTable) -> dict[str, Value]:
    """Every figure of a plugin, with its value or the reason why it has none."""
    try:
        sizes = marginals(table)
        given = plugin().measure(_read_only(table), _read_only(sizes))
        return {figure.name: _value(plugin, figure, given) for figure in plugin.figures}
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the border to an author's code: any error is a reason
        reason = f"metric {plugin.name} raised {type(error).__name__}: {error}"[:LONGEST_REASON]
        return dict.fromkeys((figure.name for figure in plugin.figures), reason)


def declaration_faults(plugin: type[MetricPlugin]) -> Iterator[str]:
    """Each fault in the declarations of a metric."""
    name, version, figures = (getattr(plugin, field, None) for field in ("name", "version", "figures"))
    if not (isinstance(name, str) and re.fullmatch(NAME_PATTERN, name)):
        yield f"its name is {name!r}, not one like {NAME_PATTERN}"
    if not (isinstance(version, int) and version >= 1):
        yield f"its version is {version!r}, not a whole number from 1"
    if not (isinstance(figures, tuple) and figures and all(isinstance(each, Figure) for each in figures)):
        yield "its figures are no tuple of emseg.evaluate.Figure"
        return
    for each in figures:
        if not _is_figure_name(each.name):
            others = "change_, trend_, version_"
            yield f"figure {each.name!r}: not a name like {FIGURE_PATTERN}, or one of other rows ({others})"
        if not (isinstance(each.title, str) and each.title.strip() and isinstance(each.unit, str)):
            yield f"figure {each.name!r}: its title is empty, or its unit is no text"
        if each.worse not in (1, -1):
            yield f"figure {each.name!r}: worse is {each.worse!r}; give 1 where more is worse, -1 where less is"
    if len({each.name for each in figures}) < len(figures):
        yield "two of its figures have one name"


def _is_figure_name(name: Any) -> bool:
    is_name = isinstance(name, str) and re.fullmatch(FIGURE_PATTERN, name) is not None
    return is_name and not name.startswith(("change_", "trend_", "version_"))


def _value(plugin: type[MetricPlugin], figure: Figure, given: Any) -> Value:
    """What a plugin gave for a figure, if it is a number that can be judged."""
    if not isinstance(given, Mapping):
        return f"metric {plugin.name} gave {type(given).__name__}, not numbers by name"
    if unknown := sorted(map(str, given.keys() - {each.name for each in plugin.figures})):
        return f"metric {plugin.name} gave {', '.join(unknown)}, which it does not declare"[:LONGEST_REASON]
    value: Any = given.get(figure.name)
    is_number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not is_number or not isfinite(value) or value < 0:
        told = "nothing" if value is None else repr(value)[:80]
        return f"metric {plugin.name} gave {told} for {figure.name}, not a finite number from 0"
    return float(value)


def _read_only(columns: Any) -> Any:
    """The same table or marginals, whose arrays nobody can change."""
    views = {name: array.view() for name, array in vars(columns).items()}
    for view in views.values():
        view.flags.writeable = False
    return type(columns)(**views)
