"""Every stitching mode has its rules, and a mode that is added in two files can be chosen and decides."""

from __future__ import annotations

from pathlib import Path

from tests.library_copy import insert, library_copy, told_by

from emseg.config import StitchMode
from emseg.stitch.modes import MODES

VALUE = '    CAREFUL = "careful"\n'
MODE = """    StitchMode.CAREFUL: (REACH, MUTUAL, Rule("no contact", lambda case: case.votes.contact_nm2 <= 0)),
"""
SCRIPT = """
import json
import numpy as np
from emseg.config import Dataset, StitchMode
from emseg.config.stitching import Stitching
from emseg.stitch import Evidence, Votes, resolve
cell = 1 << 24
columns = [[1, 2], [cell | 1, cell | 2], [90, 90], [100, 100], [100, 100], [0.0, 400.0], [True, True], [True, True]]
kinds = [np.uint64, np.uint64, np.int64, np.int64, np.int64, np.float64, bool, bool]
votes = Votes(*(np.array(column, kind) for column, kind in zip(columns, kinds, strict=True)))
ledger = resolve(Evidence(votes), Stitching(mode=StitchMode("careful")), (10.0, 10.0, 10.0)).ledger
print(json.dumps({
    "accepted": Dataset.model_json_schema()["$defs"]["StitchMode"]["enum"],
    "joined": ledger["joined"].to_pylist(),
    "reason": ledger["reason"].to_pylist(),
}))
"""


def test_each_mode_has_its_rules():
    assert set(MODES) == set(StitchMode)


def test_a_mode_is_added_in_two_files(tmp_path: Path):
    """Kills a second list of the modes or of the refusals: schema, form and ledger must follow from the two lines."""
    copy = library_copy(tmp_path)
    insert(copy / "config" / "stitching.py", before='    IOU = "iou"', text=VALUE)
    insert(copy / "stitch" / "modes.py", before="    StitchMode.IOU:", text=MODE)
    told = told_by(copy, SCRIPT)
    assert "careful" in told["accepted"]
    assert told["joined"] == [False, True]
    assert told["reason"] == ["no contact", "joined"]
