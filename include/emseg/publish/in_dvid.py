"""Releases as DVID knows them: whether a record fits its node, and a lost record read back from the node's log.

`publish` leaves all of a record but its number and what it supersedes in the log of the node that it commits. The node
of a lost record is known from the next record, which supersedes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import ValidationError

from emseg.dvid import DvidServer, Node, NotFoundError
from emseg.publish.record import ReleaseRecord

RECORD_LINE = "emseg release record "
"""Begins the line of a node's log that holds the record."""


def record_line(record: ReleaseRecord) -> str:
    """The line of the log for a record whose number is not known yet."""
    return RECORD_LINE + record.model_dump_json(exclude={"number", "supersedes", "restores"})


def fault_in_dvid(server: DvidServer, record: ReleaseRecord) -> str | None:
    """What DVID says against a record, None where nothing."""
    node = Node(server, record.uuid)
    try:
        if not node.is_locked():
            return f"node {record.uuid} is open, and a release is committed"
        if not node.is_released_as(record.fingerprint):
            return (
                f"the log of node {record.uuid} does not say that fingerprint {record.fingerprint} was released in it"
            )
    except NotFoundError:
        return f"DVID at {server.url} knows no node {record.uuid}"
    return None


class ReleasesInDvid:
    """Reads lost records back, for `mending.faults`."""

    def __init__(self, server: DvidServer) -> None:
        self._server = server

    def __call__(self, number: int, chain: Mapping[int, ReleaseRecord]) -> ReleaseRecord | None:
        """The record of a number that stands between two others (or is the first); None where DVID does not tell."""
        after, before = chain.get(number + 1), chain.get(number - 1)
        if after is None or after.supersedes is None or (before is None and number > 1):
            return None
        place = {"number": number, "supersedes": None if before is None else before.uuid}
        same_node = [each for each in chain.values() if each.number < number and each.uuid == after.supersedes]
        if same_node:  # a rollback; which of several numbers it named nobody knows
            known = same_node[0] if len(same_node) == 1 else None
            unknown = {"approved_by": None, "why": None}
            return known and known.model_copy(update=place | unknown | {"restores": known.number})
        try:
            lines = Node(self._server, after.supersedes).log()
        except NotFoundError:
            return None
        texts = [line.partition(RECORD_LINE)[2] for line in lines if RECORD_LINE in line]
        return _record(texts[-1], place) if texts else None


def _record(text: str, place: Mapping[str, object]) -> ReleaseRecord | None:
    try:
        return ReleaseRecord.model_validate({**json.loads(text), **place})
    except (ValueError, TypeError, ValidationError):
        return None
