"""Volumes from files into DVID: images, labels, masks. `open_source` reads them, `ingest_*` write them."""

from emseg.ingest.grayscale import ingest_grayscale
from emseg.ingest.labels import ingest_labels
from emseg.ingest.opening import MissingChunks, open_source
from emseg.ingest.progress import IngestReceipt, Progress
from emseg.ingest.roi import ingest_roi
from emseg.ingest.sources import VolumeSource

__all__ = [
    "IngestReceipt",
    "MissingChunks",
    "Progress",
    "VolumeSource",
    "ingest_grayscale",
    "ingest_labels",
    "ingest_roi",
    "open_source",
]
