"""The gate as a Great Expectations suite: it judges the metric rows and leaves Data Docs that open without a network.

The rows come from `quality.rows`, the limits from the dataset's gate policy as run-time parameters of the suite. The
only module that imports great_expectations (some 15 s), and only when the suite runs.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from emseg.disk import scratch_folder
from emseg.errors import IntegrityError
from emseg.quality.datadocs import written_offline
from emseg.quality.rows import SIGNED, Metric, MetricRow, required

COLUMNS = {"row": "int64", "scope": "object", "subject": "object", "metric": "object", "value": "float64"}
LISTED_IN_DOCS = 200
"""Failing rows that the Data Docs list for one expectation; GX lists no more."""

_SITE = "gate"
_TALKATIVE = ("great_expectations", "great_expectations.data_context.types.base")
"""Loggers that tell each step of Great Expectations at level INFO; the second has a level of its own."""


@dataclass(frozen=True)
class SuiteResult:
    """What the suite found: `failed_rows` are positions in the rows given, `failed_checks` expectations that failed."""

    passed: bool
    failed_rows: frozenset[int]
    failed_checks: tuple[str, ...]


def run_suite(
    rows: Sequence[MetricRow], metrics: Sequence[Metric], limits: Mapping[str, float], docs: Path, run: str
) -> SuiteResult:
    """Validate the rows and write Data Docs into folder `docs` (`index.html`, `suite.html`).

    `limits` are by the limit name of the `metrics`, which are all that a row may be about.

    IntegrityError when an expectation could not be computed at all.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx

    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas(_SITE).add_dataframe_asset("metric rows")
    definition = gx.ValidationDefinition(
        name=_SITE,
        data=asset.add_batch_definition_whole_dataframe("all rows"),
        suite=context.suites.add(gx.ExpectationSuite(_SITE, expectations=_expectations(metrics))),
    )
    with scratch_folder() as site:
        context.add_data_docs_site(_SITE, _site(str(site)))
        checkpoint = gx.Checkpoint(
            name=_SITE,
            validation_definitions=[context.validation_definitions.add(definition)],
            actions=[gx.checkpoint.UpdateDataDocsAction(name="docs", site_names=[_SITE])],
            result_format={
                "result_format": "COMPLETE",
                "unexpected_index_column_names": ["row", "subject"],
                "partial_unexpected_count": LISTED_IN_DOCS,
            },
        )
        outcome = checkpoint.run(
            batch_parameters={"dataframe": _table(rows)},
            expectation_parameters=dict(limits),
            run_id=gx.RunIdentifier(run_name=run),
        )
        written_offline(site, docs)
    (validation,) = outcome.run_results.values()
    return _result(validation.results, run)


def _table(rows: Sequence[MetricRow]) -> Any:
    import pandas as pd

    values = [None if row.value is None or not isfinite(row.value) else row.value for row in rows]
    records = [
        (i, row.scope, row.subject, row.metric, value) for i, (row, value) in enumerate(zip(rows, values, strict=True))
    ]
    return pd.DataFrame.from_records(records, columns=list(COLUMNS)).astype(COLUMNS)


def _expectations(metrics: Sequence[Metric]) -> list[Any]:
    """One check of every metric against its limit, and four of the table: a rule over no rows would pass."""
    import great_expectations.expectations as gxe
    from great_expectations.expectations.row_conditions import Column

    table = [
        gxe.ExpectTableRowCountToBeBetween(min_value=1),
        gxe.ExpectColumnValuesToNotBeNull(column="value"),
        gxe.ExpectColumnValuesToBeInSet(column="metric", value_set=sorted({m.name for m in metrics})),
        gxe.ExpectColumnDistinctValuesToContainSet(column="metric", value_set=required(metrics)),
        gxe.ExpectCompoundColumnsToBeUnique(column_list=["scope", "subject", "metric"]),
    ]
    limits = [
        gxe.ExpectColumnValuesToBeBetween(
            column="value",
            min_value=_least(metric),
            max_value={"$PARAMETER": metric.limit_name} if metric.direction == "max" else None,
            row_condition=(Column("scope") == metric.scope) & (Column("metric") == metric.name),
        )
        for metric in metrics
    ]
    return table + limits


def _least(metric: Metric) -> Any:
    if metric.direction == "min":
        return {"$PARAMETER": metric.limit_name}
    return None if metric.scope in SIGNED else 0


def _site(folder: str) -> dict[str, Any]:
    return {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": folder},
    }


def _result(results: Sequence[Any], run: str) -> SuiteResult:
    failed_rows: set[int] = set()
    failed_checks = []
    for result in results:
        if result.exception_info.get("raised_exception"):
            raise IntegrityError(
                "judging the metrics with Great Expectations",
                f"run {run}, {result.expectation_config.type}",
                f"the expectation could not be computed: {result.exception_info.get('exception_message')}",
                "Run the gate again; if it stays, check the installed great_expectations against requirements.txt",
            )
        if not result.success:
            failed_checks.append(str(result.expectation_config.type))
            failed_rows |= {int(index["row"]) for index in result.result.get("unexpected_index_list") or ()}
    return SuiteResult(not failed_checks, frozenset(failed_rows), tuple(sorted(failed_checks)))
