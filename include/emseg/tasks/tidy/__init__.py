"""Housekeeping: what no marker, release, kept run or running attempt names is removed, after a policy."""

from emseg.tasks.tidy.report import TidyReport
from emseg.tasks.tidy.sweep import tidy

__all__ = ["TidyReport", "tidy"]
