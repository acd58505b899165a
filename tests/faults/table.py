"""The plugin of `make faults`: it prints the fault matrix after the tests, with their figures.

A line that no test shows, or whose test failed, makes the command fail.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import pytest
from tests.faults.matrix import FAULTS


@dataclass
class Line:
    """What the tests of one fault came to."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """One word for the table."""
        return "NOT SHOWN" if not self.passed and not self.failed else "FAILED" if self.failed else "holds"


LINES: defaultdict[str, Line] = defaultdict(Line)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each report carries the lines that its test shows, also from a worker of xdist."""
    for item in items:
        item.user_properties += [("fault", mark.args[0]) for mark in item.iter_markers("fault")]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count a test that ended."""
    if report.when != "call" and report.passed:
        return
    for line in [LINES[str(value)] for name, value in report.user_properties if name == "fault"]:
        if report.passed:
            line.passed += 1
            line.figures += [str(value) for name, value in report.user_properties if name == "figure"]
        else:
            line.failed.append(report.nodeid)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table."""
    terminalreporter.section("fault matrix")
    for fault, what in FAULTS.items():
        line = LINES[fault]
        terminalreporter.write_line(f"{fault:4} {line.outcome:9} {line.passed:4} tests  {what}")
        for text in [*line.figures, *(f"failed: {test}" for test in line.failed)]:
            terminalreporter.write_line(f"{'':26}{text}")
    short = [fault for fault in FAULTS if LINES[fault].outcome != "holds"]
    terminalreporter.write_line(f"{len(short)} of {len(FAULTS)} lines short{': ' if short else ''}{', '.join(short)}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A line that nobody shows is a failure."""
    if not hasattr(session.config, "workerinput") and any(LINES[fault].outcome != "holds" for fault in FAULTS):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
