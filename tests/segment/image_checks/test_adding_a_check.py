"""The checks and their configuration agree, and a check that is added in two files is known wherever checks are."""

from __future__ import annotations

from pathlib import Path

from tests.library_copy import insert, library_copy, told_by

from emseg.config.checks import ImageChecks
from emseg.segment.image_checks.checks import DAMAGE_CHECKS, TISSUE_CHECKS

FIELD = '    dust: Policy = Field(default=Policy.MASK, description="Dust on the section")\n'
FUNCTION = """
def dust(image):
    where = image.gray == 7
    if where.any():
        yield ImageFault("dust", "dusty", where)


"""
ENTRY = '    Check(("dust",), dust),\n'
SCRIPT = """
import json
import numpy as np
from emseg.config import Dataset
from emseg.segment import Pipeline, preset
from emseg.synthetic import make_volume
gray = make_volume((40, 64, 64), seed=5).grayscale
gray[gray == 7] = 8
gray[3::10, 5::10, 5::10] = 7
found = Pipeline(preset("classical"), (10.0, 10.0, 10.0)).segment_subvolume(gray, np.ones(gray.shape, bool))
print(json.dumps({
    "field": Dataset.model_json_schema()["$defs"]["ImageChecks"]["properties"]["dust"],
    "finding": found.statistics["finding.dust"],
    "labelled": int((found.labels[gray == 7] > 0).sum()),
}))
"""


def test_each_fault_that_a_check_can_find_has_one_policy_and_each_policy_one_check():
    """Kills a check without a policy, and a field of the configuration that does nothing."""
    names = [name.replace("-", "_") for check in (*DAMAGE_CHECKS, *TISSUE_CHECKS) for name in check.names]
    assert sorted(names) == sorted(ImageChecks.model_fields.keys() - {"fill_sections"})


def test_a_check_is_added_in_two_files(tmp_path: Path):
    """Kills a second list of the checks: schema, policy, mask and findings must follow from field and function."""
    copy = library_copy(tmp_path)
    insert(copy / "config" / "checks.py", "    fill_sections", FIELD)
    insert(copy / "segment" / "image_checks" / "checks.py", "DAMAGE_CHECKS = (", FUNCTION)
    insert(copy / "segment" / "image_checks" / "checks.py", '    Check(("blank"', ENTRY)
    shown = told_by(copy, SCRIPT)
    assert shown["field"]["description"] == "Dust on the section"
    assert shown["field"]["default"] == "mask"
    assert shown["finding"] == "0.1% of the voxels dusty; masked"
    assert shown["labelled"] == 0
