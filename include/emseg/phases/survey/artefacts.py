"""What `survey` leaves."""

from __future__ import annotations

import pyarrow as pa

from emseg.phases.artefact import TableArtefact
from emseg.stitch import BodyParts

SIZES = TableArtefact(
    "sizes",
    "bodies and voxels by size: from each power of two to the next",
    pa.schema([("from_vox", pa.int64()), ("bodies", pa.int64()), ("voxels", pa.int64())]),
)
LARGEST = TableArtefact(
    "largest", "the 100 largest bodies, as DVID names them", pa.schema([("body", pa.uint64()), ("voxels", pa.int64())])
)
PARTS = TableArtefact("parts", "what a region has of bodies of several supervoxels", BodyParts.SCHEMA)
