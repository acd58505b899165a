"""Volumes from files into DVID: images, labels, masks. `open_source` reads them, `ingest_*` write them."""

from emseg.ingest.folders import Gaps
from emseg.ingest.grayscale import ingest_grayscale
from emseg.ingest.labels import ingest_labels
from emseg.ingest.opening import MissingChunks, open_source
from emseg.ingest.placing import Place, offset_of, placed
from emseg.ingest.progress import IngestReceipt, Progress
from emseg.ingest.roi import ingest_roi
from emseg.ingest.sources import VolumeSource
from emseg.ingest.window import WindowedSource

__all__ = [
    "Gaps",
    "IngestReceipt",
    "MissingChunks",
    "Place",
    "Progress",
    "VolumeSource",
    "WindowedSource",
    "ingest_grayscale",
    "ingest_labels",
    "ingest_roi",
    "offset_of",
    "open_source",
    "placed",
]
