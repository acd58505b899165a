"""Training data in DVID: the voxels that were ingested, under the right name, and everything else refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from tests.refusals import refused

from emseg.config import load_dataset
from emseg.errors import PermanentError
from emseg.geometry import Box
from emseg.segment.model import TrainingRegion, dvid_source
from emseg.tasks.training_data import sources_in_dvid

ISOTROPIC = (10.0, 10.0, 10.0)


@pytest.mark.services
@pytest.mark.usefixtures("volume")
class TestInDvid:
    BOX = Box((10, 20, 30), (42, 60, 80))

    def read(self, dataset_files, server, *boxes, **volume):
        dataset = load_dataset(dataset_files, "trained")
        changed = dataset.model_copy(update={"volume": dataset.volume.model_copy(update=volume)})
        return sources_in_dvid(changed, boxes, server)

    def test_boxes_hold_the_voxels_that_were_ingested(self, dataset_files, server, volume):
        """Kills boxes shifted or turned on the way from DVID's X Y Z, and a name that changes with each new node."""
        second = Box((64, 0, 0), (100, 50, 50))
        found = self.read(dataset_files, server, self.BOX, second)
        for source, box in zip(found, (self.BOX, second), strict=True):
            assert np.array_equal(source.volume.grayscale, volume.grayscale[box.slices()])
            assert np.array_equal(source.volume.groundtruth, volume.groundtruth[box.slices()])
            assert source.volume.voxel_size_nm == ISOTROPIC
            expected = TrainingRegion(source=dvid_source(volume.node, "grayscale"), start=box.start, stop=box.stop)
            assert source.region == expected

    def test_boxes_are_refused_before_a_voxel_is_read(self, dataset_files, server, monkeypatch):
        """Kills a day of reading before the memory is gone."""
        dataset = load_dataset(dataset_files, "trained")
        small = dataset.model_copy(update={"limits": dataset.limits.model_copy(update={"max_task_memory_mb": 1001})})
        monkeypatch.setattr("emseg.dvid.Grayscale.read", lambda *_: pytest.fail("a voxel was read"))
        with refused(PermanentError, "limits.max_task_memory_mb = 1001"):
            sources_in_dvid(small, [self.BOX], server)

    @pytest.mark.parametrize(
        ("boxes", "volume_fields", "values"),
        [
            ([], {}, ("trained", "box")),
            ([Box((0, 0, 0), (0, 9, 9))], {}, ("trained", (0, 0, 0), (0, 9, 9))),
            ([Box((0, 0, 0), (129, 9, 9))], {}, ("trained", (129, 9, 9), (128, 192, 192))),
            ([BOX, Box((41, 59, 79), (60, 70, 90))], {}, ("trained", (41, 59, 79), (60, 70, 90))),
            ([BOX], {"grayscale": "nothing"}, ("nothing",)),
            ([BOX], {"node": "0123456789abcdef"}, ("0123456789abcdef",)),
        ],
    )
    def test_boxes_that_cannot_be_read_are_refused_by_name(self, dataset_files, server, boxes, volume_fields, values):
        with refused(PermanentError, *values):
            self.read(dataset_files, server, *boxes, **volume_fields)
