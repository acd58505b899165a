"""Nodes: the versions that emseg reads from, writes to, branches off and commits.

Every change can be asked for again after a lost answer: the second call finds what the first one did, and takes it only
if it is what the caller wants.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from emseg.dvid.errors import NodeLockedError, NoInstanceError
from emseg.dvid.http import DvidServer, path
from emseg.dvid.repos import NodeInfo, RepoInfo, repo_info
from emseg.errors import PermanentError, TransientError

RELEASE_LINE = "emseg release, fingerprint "
"""Begins the line of a node's log that says which result was committed in it."""


def resolve_node(server: DvidServer, reference: str) -> NodeInfo:
    """The node of a full UUID, a unique UUID prefix, or `prefix:branch` (the newest node of that branch)."""
    prefix, colon, branch = reference.partition(":")
    repo = repo_info(server, prefix)
    return repo.leaf(branch) if colon else repo.node(prefix)


def resolve_locked_node(server: DvidServer, reference: str) -> NodeInfo:
    """The committed node to read from: the newest locked one of a branch, or that of a UUID, which must be locked."""
    node = resolve_node(server, reference)
    if node.locked:
        return node
    if ":" in reference and node.parents:
        # Only a locked node can have a child, so at most the leaf of a branch is open.
        parent = repo_info(server, node.uuid).nodes[node.parents[0]]
        if parent.branch == node.branch:
            return parent
    raise PermanentError(
        "pinning the version to read",
        f"reference {reference}, node {node.uuid}",
        "the node is open, so its data can still change",
        "Commit it, or name a committed node",
    )


class Node:
    """One version of a repository, by full UUID."""

    def __init__(self, server: DvidServer, uuid: str) -> None:
        """Nothing is sent."""
        self.server, self.uuid = server, uuid

    def path(self, *names: str) -> str:
        """Address of something in this node, e.g. `node.path("seg", "blocks")`."""
        return path("node", self.uuid, *names)

    def repo(self) -> RepoInfo:
        """Record of the repository that holds this node, as of now."""
        return repo_info(self.server, self.uuid)

    def info(self) -> NodeInfo:
        """This node's record, as of now."""
        return self.repo().node(self.uuid)

    def has(self, instance: str) -> bool:
        """Whether the repository of this node has an instance of this name. NotFoundError where it has no such node.

        Not read from the repository's record: see `is_locked`.
        """
        try:
            self.server.get_json(self.path(instance, "info"))
        except NoInstanceError:
            return False
        return True

    def is_locked(self) -> bool:
        """Whether this node is committed, as of now.

        Around a commit call this and not `info`: DVID v1.0.0 may hang for good when a commit meets a request for the
        repository's record. By its source the request holds a lock for reading while it asks for the same lock again,
        and a commit that asks for it in between waits for ever.
        """
        return bool(self.server.get_json(self.path("status"))["Locked"])

    def commit(self, note: str, log: Sequence[str] = ()) -> None:
        """Lock this node for good. Every writer must have ended: DVID does not wait for open writes.

        A node that is locked with the same note counts as committed by an earlier call. Its log holds the note, too.
        """
        if not self.is_locked():
            self.server.post_json(self.path("commit"), {"note": note, "log": [note, *log]})
            return
        if any(line.endswith(note) for line in self.log()):
            return
        found = self.info().note
        if found != note:
            raise NodeLockedError(
                "committing a node", f"node {self.uuid}", f"it is already committed with note {found!r}", "Branch it"
            )

    def branch(self, name: str, uuid: str | None = None, note: str = "") -> Node:
        """First node of the branch `name` off this (locked) node: made now, or found if an earlier call made it."""
        found = self._existing_branch(name, uuid)
        if found is not None:
            return found
        wanted = {"branch": name, "note": note} | ({"uuid": uuid} if uuid else {})
        try:
            answer = self.server.post_json(self.path("branch"), wanted)
        except (PermanentError, TransientError):
            # The answer was lost, or somebody made the same branch meanwhile: the graph of nodes tells.
            found = self._existing_branch(name, uuid)
            if found is None:
                raise
            return found
        return Node(self.server, str(json.loads(answer)["child"]))

    def log(self) -> tuple[str, ...]:
        """Lines of the node's log; the server puts the time before each."""
        return tuple(self.server.get_json(self.path("log"))["log"] or ())

    def is_released_as(self, fingerprint: str) -> bool:
        """Whether this node's log says that the result with this fingerprint was committed in it."""
        return any(line.endswith(RELEASE_LINE + fingerprint) for line in self.log())

    def _existing_branch(self, branch: str, uuid: str | None) -> Node | None:
        """The child on `branch`; refuses a branch of this name that begins elsewhere or has another UUID."""
        on_branch = [node for node in self.repo().nodes.values() if node.branch == branch]
        for child in on_branch:
            if self.uuid in child.parents and uuid in {None, child.uuid}:
                return Node(self.server, child.uuid)
        if on_branch:
            first = min(on_branch, key=lambda node: node.version_id)
            raise PermanentError(
                "branching a node",
                f"node {self.uuid}, branch {branch!r}",
                f"a branch of this name begins at node {first.uuid}, child of {', '.join(first.parents)}",
                "Choose another name, or go on from that node",
            )
        return None
