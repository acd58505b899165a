"""What a task sees of Airflow while it runs, for tests that call the function of a task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow.sdk.definitions._internal.contextmanager import _CURRENT_CONTEXT


@contextmanager
def running(**context: Any) -> Iterator[None]:
    """Inside, `get_current_context` gives these values."""
    _CURRENT_CONTEXT.append(context)
    try:
        yield
    finally:
        _CURRENT_CONTEXT.pop()
