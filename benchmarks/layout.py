"""What a distant store costs: labels of a subvolume as one object or as many, tables read ahead or one after the other.

Both run `segment` and `match` on the same 27 subvolumes in this process, one after the other, on a store that answers
20 ms later.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from benchmarks.rows import Row
from emseg.config.dataset import Segmentation
from emseg.config.stitching import Stitching
from emseg.engine.items import InProcess
from emseg.phases import phase_named
from emseg.phases.match.artefacts import VOTES
from emseg.stitch import Votes
from emseg.store import Artefact, FolderStore, PhaseFolder
from emseg.synthetic import make_volume
from emseg.tasks.jobs import run_phases
from emseg.tasks.local import run_on_array

DELAY_S = 0.02
CORE_VOX, CELLS = 64, 3


class Distant(FolderStore):
    """A folder that answers late, and counts what it is asked."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.requests = Counter[str]()

    def _asked(self, what: str) -> None:
        self.requests[what] += 1
        time.sleep(DELAY_S)

    def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        self._asked("write")
        super().put(key, data, content_type)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        self._asked("write")
        return super().put_if_absent(key, data)

    def get(self, key: str) -> bytes:
        self._asked("read")
        return super().get(key)

    def get_part(self, key: str, start: int, size: int) -> bytes:
        self._asked("read")
        return super().get_part(key, start, size)


def run() -> list[Row]:
    """Both layouts, and how they compare."""
    rows: list[Row] = []
    layouts: dict[str, Callable[[], AbstractContextManager[object]]] = {
        "an object for each overlap": _each_alone,
        "one object a subvolume": nullcontext,
    }
    seconds = []
    for name, layout in layouts.items():
        with TemporaryDirectory() as folder, layout():
            store = Distant(Path(folder))
            seconds.append(_segmented_and_matched(store))
            said = f"{CELLS**3} subvolumes, {name}"
            objects = len([key for key in store.keys_under("local/phases/segment") if "/attempt-" in key])
            rows += [
                Row(f"{said}: objects of labels", objects / CELLS**3, "a subvolume"),
                Row(f"{said}: writes", store.requests["write"] / CELLS**3, "a subvolume"),
                Row(f"{said}: reads", store.requests["read"] / CELLS**3, "a subvolume"),
                Row(f"{said}: segment and match, {1000 * DELAY_S:.0f} ms a request", seconds[-1], "s"),
            ]
            read = _times_faster_ahead(PhaseFolder(store, "local", "match", _key_of(store), ""))
    return [
        *rows,
        Row("one object a subvolume is faster by", seconds[0] / seconds[1], "x"),
        Row(f"votes of {CELLS**3} subvolumes read ahead, beside one after the other: faster by", read, "x"),
    ]


def _key_of(store: FolderStore) -> str:
    (key,) = store.folders_under("local/phases/match")
    return key


def _times_faster_ahead(matched: PhaseFolder) -> float:
    """How many times faster the tables of a finished phase are read by several threads than by one."""
    markers = matched.manifest()
    started = time.perf_counter()
    one_by_one = [Votes.from_arrow(VOTES.read(matched, marker)) for marker in markers]
    turned = time.perf_counter()
    ahead = list(VOTES.read_as(Votes, matched, markers))
    ended = time.perf_counter()
    assert [len(votes) for votes in ahead] == [len(votes) for votes in one_by_one]
    return (turned - started) / (ended - turned)


def _segmented_and_matched(store: FolderStore) -> float:
    """Seconds of both phases."""
    edge = CORE_VOX * CELLS
    grayscale = make_volume((edge, edge, edge), seed=3).grayscale
    cut = Segmentation(core_vox=(CORE_VOX,) * 3, halo_vox=(20, 20, 20))
    context = run_on_array(grayscale, cut, Stitching(), store)
    started = time.perf_counter()
    run_phases("layout", (phase_named("segment"), phase_named("match")), context, InProcess())
    return time.perf_counter() - started


@contextmanager
def _each_alone() -> Iterator[None]:
    """Every part is an object, and a marker tells all of them."""
    told: dict[str, dict[str, Artefact]] = {}

    def write_parts(folder: PhaseFolder, item: str, name: str, parts: Mapping[str, bytes]) -> Artefact:
        told[item] = {part: folder.write_artefact(item, part, data) for part, data in parts.items()}
        return Artefact.of(name, item, b"")

    with (
        mock.patch.object(PhaseFolder, "write_parts", write_parts),
        mock.patch.object(PhaseFolder, "parts", lambda _, artefact: told[artefact.key]),
    ):
        yield
