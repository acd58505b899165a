"""Joining bodies across subvolumes: votes in the overlaps, rules that take or refuse them, bodies over all."""

from emseg.array_types import Ids
from emseg.geometry.supervoxel_ids import LOCAL_BITS, cells_of, supervoxel_ids
from emseg.stitch.body_mapping import MAPPING_SCHEMA, BodyMapping
from emseg.stitch.body_sums import BodyCounts, BodyParts, body_counts, body_parts
from emseg.stitch.crossings import CROSSING_SCHEMA, Crossings, Ends, ends_at, inside_crossings, seam_crossings
from emseg.stitch.ledger import LEDGER_SCHEMA
from emseg.stitch.pair_constraints import PairConstraints, contradicted
from emseg.stitch.resolve import Evidence, Resolution, resolve
from emseg.stitch.supervoxels import (
    CONTACT_SCHEMA,
    SUPERVOXEL_SCHEMA,
    Contacts,
    Supervoxels,
    contacts_of,
    supervoxels_of,
)
from emseg.stitch.votes import VOTE_SCHEMA, Votes, count_votes

__all__ = [
    "CONTACT_SCHEMA",
    "CROSSING_SCHEMA",
    "LEDGER_SCHEMA",
    "LOCAL_BITS",
    "MAPPING_SCHEMA",
    "SUPERVOXEL_SCHEMA",
    "VOTE_SCHEMA",
    "BodyCounts",
    "BodyMapping",
    "BodyParts",
    "Contacts",
    "Crossings",
    "Ends",
    "Evidence",
    "Ids",
    "PairConstraints",
    "Resolution",
    "Supervoxels",
    "Votes",
    "body_counts",
    "body_parts",
    "cells_of",
    "contacts_of",
    "contradicted",
    "count_votes",
    "ends_at",
    "inside_crossings",
    "resolve",
    "seam_crossings",
    "supervoxel_ids",
    "supervoxels_of",
]
