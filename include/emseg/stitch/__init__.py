"""Joining bodies across subvolumes: votes in the overlaps, rules that take or refuse them, bodies over all."""

from emseg.stitch.link_constraints import Links, contradicted
from emseg.stitch.pieces import CONTACT_SCHEMA, PIECE_SCHEMA, Contacts, Pieces, contacts_of, pieces_of
from emseg.stitch.resolve import LEDGER_SCHEMA, MAPPING_SCHEMA, Evidence, Mapping, Resolution, resolve
from emseg.stitch.supervoxels import LOCAL_BITS, cells_of, supervoxel_ids
from emseg.stitch.votes import VOTE_SCHEMA, Ids, Votes, count_votes

__all__ = [
    "CONTACT_SCHEMA",
    "LEDGER_SCHEMA",
    "LOCAL_BITS",
    "MAPPING_SCHEMA",
    "PIECE_SCHEMA",
    "VOTE_SCHEMA",
    "Contacts",
    "Evidence",
    "Ids",
    "Links",
    "Mapping",
    "Pieces",
    "Resolution",
    "Votes",
    "cells_of",
    "contacts_of",
    "contradicted",
    "count_votes",
    "pieces_of",
    "resolve",
    "supervoxel_ids",
]
