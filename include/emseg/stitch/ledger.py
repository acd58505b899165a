"""The ledger: every vote that could have joined two supervoxels, and the reason of what became of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emseg.array_types import Flags, Ids
from emseg.errors import IntegrityError
from emseg.sorted_ids import find_pairs
from emseg.stitch.candidates import NO_CANDIDATE, JudgedVotes
from emseg.stitch.constrained_union import ALREADY, JOINED
from emseg.stitch.joining import OUTCOMES, Decided
from emseg.stitch.votes import VOTE_SCHEMA

LEDGER_SCHEMA = pa.schema(
    [
        *VOTE_SCHEMA,
        ("weak", pa.bool_()),
        ("joined", pa.bool_()),
        ("parked", pa.bool_()),
        ("reason", pa.string()),
        ("apart_first", pa.uint64()),
        ("apart_second", pa.uint64()),
    ]
)
_REASONS = (*NO_CANDIDATE, *OUTCOMES)
_PARKED = "parked"


def ledger_of(judged: JudgedVotes, weak: Flags, decided: Decided) -> pa.Table:
    """Rows of `LEDGER_SCHEMA`, as the votes come. `weak` tells it of each candidate.

    `decided` has every candidate that might have been refused, and may have others. IntegrityError where it lacks a
    weak one.
    """
    rows, taken = len(judged.votes), judged.refusal < 0
    outcome, apart = _outcomes(judged, weak, decided)
    reason = judged.refusal.astype(np.int8)
    reason[taken] = outcome + len(NO_CANDIDATE)
    is_weak, joined, blamed = np.zeros(rows, bool), np.zeros(rows, bool), np.zeros((2, rows), np.uint64)
    is_weak[taken], blamed[:, taken] = weak, apart
    joined[taken] = (outcome == JOINED) | (outcome == ALREADY)
    parked = np.array([text.startswith(_PARKED) for text in _REASONS])[reason]
    columns = [
        *judged.votes.to_arrow().columns,
        pa.array(is_weak),
        pa.array(joined),
        pa.array(parked),
        pa.DictionaryArray.from_arrays(pa.array(reason), pa.array(_REASONS)).cast(pa.string()),
        *(pa.array(side, mask=side == 0) for side in blamed),
    ]
    return pa.Table.from_arrays(columns, schema=LEDGER_SCHEMA)


def _outcomes(judged: JudgedVotes, weak: Flags, decided: Decided) -> tuple[npt.NDArray[np.int8], Ids]:
    """Outcome of each candidate, and the two supervoxels that refused it, uint64 (2, N)."""
    candidates = judged.candidates
    row, found = find_pairs((candidates.first, candidates.second), (decided.first, decided.second))
    if (lost := np.flatnonzero(weak & ~found)).size:
        raise IntegrityError(
            "writing the ledger",
            f"the vote of supervoxels {candidates.first[lost[0]]} and {candidates.second[lost[0]]}",
            f"nothing says what became of it and of {len(lost) - 1} others",
            "Remove the folder of phase `resolve` with this key: its tables are of other evidence; then try again",
        )
    outcome, apart = np.full(len(candidates), JOINED, np.int8), np.zeros((2, len(candidates)), np.uint64)
    outcome[found] = decided.outcome[row[found]]
    apart[:, found] = decided.apart_first[row[found]], decided.apart_second[row[found]]
    return outcome, apart
