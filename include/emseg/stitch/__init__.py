"""Joining bodies across subvolumes: votes in the overlaps, rules that take or refuse them, bodies over all."""

from emseg.stitch.modes import decide, mutual_best
from emseg.stitch.resolve import LEDGER_SCHEMA, MAPPING_SCHEMA, Mapping, Resolution, join, resolve
from emseg.stitch.supervoxels import LOCAL_BITS, cells_of, supervoxel_ids
from emseg.stitch.votes import VOTE_SCHEMA, Votes, count_votes

__all__ = [
    "LEDGER_SCHEMA",
    "LOCAL_BITS",
    "MAPPING_SCHEMA",
    "VOTE_SCHEMA",
    "Mapping",
    "Resolution",
    "Votes",
    "cells_of",
    "count_votes",
    "decide",
    "join",
    "mutual_best",
    "resolve",
    "supervoxel_ids",
]
