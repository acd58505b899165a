"""Metrics by short name: those of installed packages that the deployment allows.

A package offers metrics as entry points in group `emseg.metrics`, and a dataset file names those that it wants. Only
packages named in EMSEG_METRIC_PACKAGES are imported. Airflow's workers and Spark's drivers need the same value.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import lru_cache

from emseg.allowed_packages import Offer, allowed_packages, offers, told_packages
from emseg.errors import PermanentError
from emseg.evaluate.plugin import MetricPlugin, declaration_faults

GROUP = "emseg.metrics"
ALLOWED = "EMSEG_METRIC_PACKAGES"
"""Environment variable with the names of the packages whose metrics may run, separated by commas."""


@dataclass(frozen=True)
class KnownMetric:
    """A metric of an allowed package, `NAME==VERSION`."""

    plugin: type[MetricPlugin]
    package: str


def known_metrics() -> dict[str, KnownMetric]:
    """All metrics of allowed packages, by name; PermanentError, which names a package that cannot be used."""
    return dict(sorted(_plugins(allowed_packages(ALLOWED)).items()))


def known_metric(name: str) -> KnownMetric:
    """The metric called `name`; PermanentError with the known names if there is none."""
    known = known_metrics()
    if name not in known:
        remedy = f"Known metrics: {', '.join(known) or 'none'}; {told_packages(GROUP, ALLOWED)}"
        raise PermanentError("looking up the metric", name, "no metric has this name", remedy)
    return known[name]


@lru_cache(maxsize=1)
def _plugins(allowed: tuple[str, ...]) -> dict[str, KnownMetric]:
    """Metrics of the allowed packages. No other package is imported."""
    found: dict[str, KnownMetric] = {}
    for offer in offers(GROUP, "metrics", allowed):
        plugin = _checked(offer)
        if plugin.name in found:
            raise offer.refused(f"metric {plugin.name} is taken by {found[plugin.name].package}", "Rename the metric")
        found[plugin.name] = KnownMetric(plugin, offer.package)
    return found


def _checked(offer: Offer) -> type[MetricPlugin]:
    plugin = offer.loaded()
    if not (inspect.isclass(plugin) and issubclass(plugin, MetricPlugin) and not inspect.isabstract(plugin)):
        remedy = "Derive it from emseg.evaluate.plugin.MetricPlugin"
        raise offer.refused("it is not a complete metric class", remedy)
    fault = next(declaration_faults(plugin), None)
    if fault is not None:
        raise offer.refused(fault, "Declare it as docs/plugins.md says")
    return plugin
