"""Run benchmarks, one after the other: all that take minutes, or those named. Rows stay in `build/bench/NAME.json`."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks import (
    arrays,
    bridges,
    contingency,
    dvid,
    finish,
    forest,
    ingest,
    label_block,
    label_codecs,
    large,
    layout,
    quality,
    regression,
    requests,
    resolution,
    resume,
    robustness,
    scale,
    start,
    stitch_modes,
    stitching,
    write,
)
from benchmarks.rows import Row, save, shown
from emseg.errors import EmsegError

BENCHMARKS: dict[str, Callable[[], Iterable[Row]]] = {
    "contingency": contingency.run,
    "label_block": label_block.run,
    "arrays": arrays.run,
    "label_codecs": label_codecs.run,
    "stitching": stitching.run,
    "stitch_modes": stitch_modes.run,
    "bridges": bridges.run,
    "resolution": resolution.run,
    "scale": scale.run,
    "start": start.run,
    "resume": resume.run,
    "large": large.run,
    "layout": layout.run,
    "dvid": dvid.run,
    "write": write.run,
    "finish": finish.run,
    "ingest": ingest.run,
    "forest": forest.run,
    "robustness": robustness.run,
    "regression": regression.run,
    "requests": requests.run,
    "quality": quality.run,
}
LONG = {"finish", "large", "quality", "scale"}
"""Ten minutes to an hour each: they run where they are named."""
OUT = Path(__file__).resolve().parents[1] / "build" / "bench"


def main(names: Sequence[str]) -> int:
    """Exit code: 0, 1 when a benchmark could not run (the others still do), 2 for an unknown name."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"No benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # servers that one started are stopped
    failed = [name for name in names or [each for each in BENCHMARKS if each not in LONG] if not _ran(name)]
    return 1 if failed else 0


def _ran(name: str) -> bool:
    started = time.perf_counter()
    rows: list[Row] = []
    try:
        for row in BENCHMARKS[name]():
            rows.append(row)
            if name in LONG:
                print(f"after {time.perf_counter() - started:.0f} s: {shown([row])}", file=sys.stderr, flush=True)
    except EmsegError as error:
        print(f"\n{name}: not measured: {error}", file=sys.stderr)
        return False
    save(rows, OUT / f"{name}.json")
    print(f"\n{name} ({time.perf_counter() - started:.0f} s)\n{shown(rows)}", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
