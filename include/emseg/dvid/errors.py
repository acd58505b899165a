"""What DVID's refusals mean: the only file that reads the server's error texts.

DVID answers nearly all that it refuses with status 400 and a sentence. For example, `Cannot do POST on endpoint
"blocks" of locked node 3f2a` means that the node is committed: the caller gets a `NodeLockedError`, and nothing is
sent again. `REFUSALS` says so for each text, `refusal` finds the row of an answer. Callers catch the error class of a
row; they never look into the text.

To add a row: put the server's own words into `tests/dvid/test_errors.py`, too, which goes through every row.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from emseg.errors import RUN_AGAIN, EmsegError, NoRoomError, PermanentError, TransientError


class NotFoundError(PermanentError):
    """DVID has no such repository, node, instance or key."""


class NoInstanceError(NotFoundError):
    """The repository has no instance of this name."""


class NodeLockedError(PermanentError):
    """The node is committed: nothing can be written to it any more."""


class AlreadyExistsError(PermanentError):
    """There is a repository, branch or instance of this name or UUID."""


class NoLargestLabelError(PermanentError):
    """This version of the labelmap has no largest label of its own."""


class AdministratorOnlyError(PermanentError):
    """Only an administrator of the server may do this."""


NEVER: frozenset[str] = frozenset()
READS = frozenset({"GET"})
READS_AND_WRITES = frozenset({"GET", "POST"})
"""Requests that are sent again by themselves. A POST is one of them only where its caller declares it repeatable."""

ANY_VERSION = "v1.0.0, v1.0.0-254-g3400c2cb"
NOT_DVID = "proxies before DVID"


@dataclass(frozen=True)
class Refusal:
    """One row: an answer of one of `statuses` (empty: of any) that holds `text` (a regular expression) means `means`.

    The caller gets an `error` with `remedy`. Requests of the methods `repeated` are sent again; `why` gives the reason.
    `seen` are the builds of DVID that give this answer. After `is_busy` (the server wants fewer requests) and
    `is_silent` (it did not answer a proxy) less is sent; a busy server is asked again for longer.
    """

    means: str
    error: type[EmsegError]
    remedy: str
    repeated: frozenset[str]
    why: str
    seen: str
    statuses: Collection[int] = ()
    text: str = ""
    is_busy: bool = False
    is_silent: bool = False

    def fits(self, status: int, text: str) -> bool:
        """Whether an answer is of this row."""
        return (not self.statuses or status in self.statuses) and re.search(self.text, text) is not None


_LATER = "Try again later; if it stays so, read the server's log"
_NAME = "Check the name, and that the node holds it"

REFUSALS = (
    Refusal(
        means="the disk of the server is full",
        error=NoRoomError,
        remedy=f"Free space on the disk of the DVID server, then {RUN_AGAIN}",
        repeated=NEVER,
        why="it stays full until somebody makes room",
        seen=ANY_VERSION,
        text="(?i)no space left on device|disk quota exceeded",
    ),
    Refusal(
        means="a server or proxy has no storage left",
        error=NoRoomError,
        remedy=f"Free space on the disk of the DVID server, then {RUN_AGAIN}",
        repeated=NEVER,
        why="it stays full until somebody makes room",
        seen=NOT_DVID,
        statuses=(507,),
    ),
    Refusal(
        means="the server is stopping, or it runs as many throttled requests as it may",
        error=TransientError,
        remedy=_LATER,
        repeated=READS_AND_WRITES,
        why="it refuses before it does anything",
        seen=ANY_VERSION,
        statuses=(503,),
        is_busy=True,
    ),
    Refusal(
        means="the server's list of blocked users or computers names this one",
        error=PermanentError,
        remedy="Ask an administrator of the server to take user `emseg` and this computer off its block list",
        repeated=NEVER,
        why="it stays blocked until somebody changes the list",
        seen=ANY_VERSION,
        statuses=(429,),
        text="is blocked",
    ),
    Refusal(
        means="a proxy lets no more requests through for now",
        error=TransientError,
        remedy="Try again later; if it stays so, lower max_requests of the connection, or raise the limit of the proxy",
        repeated=READS_AND_WRITES,
        why="it refuses before DVID sees the request",
        seen=NOT_DVID,
        statuses=(429,),
        is_busy=True,
    ),
    Refusal(
        means="the server's code failed on this request",
        error=TransientError,
        remedy=_LATER,
        repeated=READS,
        why="a POST may have been carried out in part",
        seen=ANY_VERSION,
        statuses=(500,),
    ),
    Refusal(
        means="a proxy got no answer from the server",
        error=TransientError,
        remedy=_LATER,
        repeated=READS,
        why="the server may have carried a POST out",
        seen=NOT_DVID,
        statuses=(502, 504),
        is_silent=True,
    ),
    Refusal(
        means="another fault of the server",
        error=TransientError,
        remedy=_LATER,
        repeated=NEVER,
        why="nothing is known of it",
        seen=NOT_DVID,
        statuses=range(501, 600),
    ),
    Refusal(
        means="the parent of a new node must be locked, and is open",
        error=PermanentError,
        remedy="Commit the node first",
        repeated=NEVER,
        why="it stays so until somebody commits",
        seen=ANY_VERSION,
        text="unlocked node",
    ),
    Refusal(
        means="several versions have a UUID that begins so",
        error=PermanentError,
        remedy="Give more digits of the UUID",
        repeated=NEVER,
        why="the prefix stays ambiguous",
        seen=ANY_VERSION,
        text="(?i)more than one UUID matches",
    ),
    Refusal(
        means="the node is committed",
        error=NodeLockedError,
        remedy="Write to a new version or branch of this node",
        repeated=NEVER,
        why="a commit is for good",
        seen=ANY_VERSION,
        text="locked node",
    ),
    Refusal(
        means="there is no such address, label or key",
        error=NotFoundError,
        remedy=_NAME,
        repeated=NEVER,
        why="it stays away until somebody makes it",
        seen=ANY_VERSION,
        statuses=(404,),
    ),
    Refusal(
        means="there is no such node",
        error=NotFoundError,
        remedy=_NAME,
        repeated=NEVER,
        why="it stays away until somebody makes it",
        seen=ANY_VERSION,
        text="(?i)could not find UUID|not present in datastore",
    ),
    Refusal(
        means="there is no such instance",
        error=NoInstanceError,
        remedy=_NAME,
        repeated=NEVER,
        why="it stays away until somebody makes it",
        seen=ANY_VERSION,
        text="(?i)invalid data instance name",
    ),
    Refusal(
        means="there is no such repository, branch or version",
        error=NotFoundError,
        remedy=_NAME,
        repeated=NEVER,
        why="it stays away until somebody makes it",
        seen=ANY_VERSION,
        text="(?i)not found",
    ),
    Refusal(
        means="the token is missing, or does not allow this",
        error=PermanentError,
        remedy="Give a token that may do this (EMSEG_DVID_TOKEN)",
        repeated=NEVER,
        why="the same token is refused again",
        seen=NOT_DVID,
        statuses=(401, 403),
    ),
    Refusal(
        means="the address leads elsewhere",
        error=PermanentError,
        remedy="Redirects are not followed: configure the server's own address",
        repeated=NEVER,
        why="a redirect could carry a token to another host",
        seen=NOT_DVID,
        statuses=range(300, 400),
    ),
    Refusal(
        means="a repository, branch or instance of this name or UUID is there already",
        error=AlreadyExistsError,
        remedy="Choose another name or UUID",
        repeated=NEVER,
        why="DVID deletes none of them over HTTP",
        seen=ANY_VERSION,
        text="already exists",
    ),
    Refusal(
        means="this version of a labelmap has no largest label of its own",
        error=NoLargestLabelError,
        remedy="Ask the parent of the node",
        repeated=NEVER,
        why="it stays so until the version gets labels",
        seen="v1.0.0; v1.0.0-254-g3400c2cb asks the parent by itself",
        text="No maximum label",
    ),
    Refusal(
        means="only an administrator of the server may do this",
        error=AdministratorOnlyError,
        remedy="Ask an administrator of the server",
        repeated=NEVER,
        why="the right stays missing",
        seen="v1.0.0-254-g3400c2cb, for POST /maxlabel and /repos; v1.0.0 allows both to everybody",
        text="admin",
    ),
    Refusal(
        means="another client made an instance with a voxel size of nan or infinity, and JSON has no such number",
        error=PermanentError,
        remedy="An instance of this repository has a voxel size that is no number. Its name is in GET "
        "/api/repo/UUID/log; set the true size in an open node, nm, X first: POST [8, 8, 8] to "
        "/api/node/UUID/INSTANCE/resolution",
        repeated=NEVER,
        why="it stays so until somebody sets the voxel size",
        seen=ANY_VERSION,
        text="json: unsupported value",
    ),
    Refusal(
        means="any other refusal",
        error=PermanentError,
        remedy="Correct the request or the server's configuration",
        repeated=NEVER,
        why="an answer below 500 is the server's verdict on the request",
        seen=ANY_VERSION,
    ),
)
"""In the order in which they are tried: the first row that fits is taken, and the last fits every answer."""


def refusal(status: int, text: str) -> Refusal:
    """The meaning of an answer that is no success; `text` is its body, or the beginning of that."""
    return next(row for row in REFUSALS if row.fits(status, text))
