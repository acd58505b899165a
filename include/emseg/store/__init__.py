"""Objects, markers, phase folders: where emseg keeps what it computed, and how it knows what is done.

Leases and request slots are here, too: what processes that know nothing of each other agree on.
"""

from emseg.store.ahead import ahead
from emseg.store.folder import FolderStore
from emseg.store.lease import Lease, LeaseHeldError, LeaseLostError
from emseg.store.manifest import Markers, content_digest, sums
from emseg.store.markers import Artefact, Figures, ItemMarker, PhaseMarker
from emseg.store.objects import ObjectMissingError, ObjectStore, StoredObject, join_key
from emseg.store.phase_folder import PhaseFolder
from emseg.store.request_slots import RequestSlots
from emseg.store.s3 import S3Store
from emseg.store.slot_board import SlotBoard
from emseg.store.slot_view import SlotTimes

__all__ = [
    "Artefact",
    "Figures",
    "FolderStore",
    "ItemMarker",
    "Lease",
    "LeaseHeldError",
    "LeaseLostError",
    "Markers",
    "ObjectMissingError",
    "ObjectStore",
    "PhaseFolder",
    "PhaseMarker",
    "RequestSlots",
    "S3Store",
    "SlotBoard",
    "SlotTimes",
    "StoredObject",
    "ahead",
    "content_digest",
    "join_key",
    "sums",
]
