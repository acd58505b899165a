"""Posts of mappings take about a second each, on whatever server: one that outlasts a shutdown leaves a torn log."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from emseg.dvid import post_mappings
from emseg.dvid.labels import labelindex_pb2
from emseg.dvid.labels import mappings as label_mappings

SHUTDOWN_DELAY_S = 5.0


class Server:
    """Takes `operation_s` for an operation and 1/300 of it for a supervoxel, by a clock of its own."""

    def __init__(self, operation_s: float) -> None:
        self.operation_s, self.now = operation_s, 0.0
        self.took: list[float] = []
        self.mapped: dict[int, int] = {}

    def post(self, _: str, data: bytes) -> None:
        message: Any = labelindex_pb2.MappingOps.FromString(data)  # type: ignore[attr-defined]
        cost = 0.0
        for operation in message.mappings:
            cost += 1 + len(operation.original) / 300
            self.mapped |= dict.fromkeys(operation.original, operation.mapped)
        self.took.append(cost * self.operation_s)
        self.now += self.took[-1]


def posted(monkeypatch: pytest.MonkeyPatch, server: Server, sizes: list[int]) -> dict[int, np.ndarray]:
    none = np.empty(0, np.uint64)
    monkeypatch.setattr(label_mappings, "mappings", lambda _: (none, none))
    monkeypatch.setattr(label_mappings.time, "perf_counter", lambda: server.now)
    node = SimpleNamespace(path=lambda *_: "", server=server)
    starts = np.cumsum([0, *sizes]) + 1_000_000
    bodies = {
        number: np.arange(start, start + size).astype(np.uint64)
        for number, (start, size) in enumerate(zip(starts, sizes, strict=False), 1)
    }
    post_mappings(SimpleNamespace(node=node, instance="seg"), bodies)  # type: ignore[arg-type]
    return bodies


@pytest.mark.parametrize("operation_s", [0.00005, 0.0005, 0.002, 0.01])
@pytest.mark.parametrize("sizes", [[1] * 20_000, [1_500_000], [40] * 3000 + [300_000, 1] + [3000] * 50])
def test_no_post_outlasts_the_shutdown_of_any_server(monkeypatch, operation_s: float, sizes: list[int]) -> None:
    """Kills posts of a fixed size, and a body of a million supervoxels that is one post."""
    server = Server(operation_s)
    bodies = posted(monkeypatch, server, sizes)
    assert max(server.took) < SHUTDOWN_DELAY_S
    assert server.mapped == {int(one): body for body, each in bodies.items() for one in each}
    assert len(server.took) <= 12 + 3 * server.now, "posts are not made small for nothing"


def test_a_server_that_becomes_slow_gets_smaller_posts_at_once(monkeypatch) -> None:
    """Kills a pace that is measured once."""
    server = Server(0.0005)
    original = server.post

    def slower(where: str, data: bytes) -> None:
        original(where, data)
        if len(server.took) == 6:
            server.operation_s *= 4

    server.post = slower  # type: ignore[method-assign]
    posted(monkeypatch, server, [1] * 30_000)
    assert max(server.took[7:]) < 1.5 * label_mappings.POST_S
