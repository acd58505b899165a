"""Repositories of a DVID server: their versions (nodes), who descends from whom, and the instances they hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emseg.dvid.coordinates import told_box
from emseg.dvid.errors import AlreadyExistsError, NotFoundError
from emseg.dvid.http import DvidServer, path
from emseg.errors import IntegrityError, PermanentError
from emseg.geometry import Box

MASTER = ""
"""How DVID names the master branch inside a node's record."""


@dataclass(frozen=True)
class NodeInfo:
    """One version of a repository. `branch` is empty on master; `parents` and `children` are full UUIDs."""

    uuid: str
    branch: str
    locked: bool
    parents: tuple[str, ...]
    children: tuple[str, ...]
    note: str
    version_id: int


@dataclass(frozen=True)
class InstanceInfo:
    """One data instance; `data_uuid` stays the same over all versions.

    `shown` are the extents that viewers are told, whatever version they show: see `emseg.dvid.extents`.
    """

    name: str
    type: str
    data_uuid: str
    shown: Box | None


@dataclass(frozen=True)
class RepoInfo:
    """A repository: its root UUID, all nodes by full UUID, all instances by name."""

    root: str
    alias: str
    nodes: Mapping[str, NodeInfo]
    instances: Mapping[str, InstanceInfo]

    def node(self, prefix: str) -> NodeInfo:
        """The one node whose UUID is `prefix` or begins with it."""
        found = [uuid for uuid in self.nodes if uuid.startswith(prefix)]
        if prefix in self.nodes:
            found = [prefix]
        if len(found) != 1 or not prefix:
            raise NotFoundError(
                "finding a node",
                f"{prefix!r} in repository {self.root}",
                f"{len(found)} nodes have this UUID",
                "Give the full UUID",
            )
        return self.nodes[found[0]]

    def leaf(self, branch: str) -> NodeInfo:
        """The newest node of a branch (`master` or a branch's name)."""
        name = MASTER if branch == "master" else branch
        on_branch = {uuid: node for uuid, node in self.nodes.items() if node.branch == name}
        for node in on_branch.values():
            if not any(child in on_branch for child in node.children):
                return node
        raise NotFoundError(
            "finding a branch", f"{branch!r} in repository {self.root}", "there is none", "Check the branch's name"
        )


def create_repo(server: DvidServer, alias: str, description: str, root: str | None = None) -> str:
    """Create a repository and return its root UUID. With `root` (32 hex digits) a second call finds the first one."""
    wanted = {"alias": alias, "description": description} | ({"root": root} if root else {})
    try:
        answer = server.post_json(path("repos"), wanted)
    except AlreadyExistsError:
        if root is None:
            raise
        _check_same_alias(repo_info(server, root), alias, root)
        return root
    return str(json.loads(answer)["root"])


def _check_same_alias(found: RepoInfo, alias: str, root: str) -> None:
    if found.alias != alias or found.root != root:
        raise PermanentError(
            "creating a repository",
            f"root {root}",
            f"this UUID belongs to the repository {found.alias!r}",
            "Choose another root UUID",
        )


def repo_info(server: DvidServer, uuid: str) -> RepoInfo:
    """What the server knows of the repository that holds the node `uuid` (a full UUID or a unique prefix of one)."""
    where = path("repo", uuid, "info")
    try:
        return _parsed(server.get_json(where))
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(
            "reading a repository's record",
            f"GET {where}",
            f"it is not such a record ({type(error).__name__} {error})",
            "Check that the address is a DVID server of version 1.0 or later",
        ) from None


def _parsed(record: Mapping[str, Any]) -> RepoInfo:
    records = record["DAG"]["Nodes"]
    uuid_of = {node["VersionID"]: uuid for uuid, node in records.items()}
    nodes = {
        uuid: NodeInfo(
            uuid,
            node["Branch"],
            node["Locked"],
            tuple(uuid_of[version] for version in node["Parents"] or ()),
            tuple(uuid_of[version] for version in node["Children"] or ()),
            node["Note"],
            node["VersionID"],
        )
        for uuid, node in records.items()
    }
    instances = {
        name: InstanceInfo(name, instance["Base"]["TypeName"], instance["Base"]["DataUUID"], told_box(instance))
        for name, instance in record["DataInstances"].items()
    }
    return RepoInfo(record["Root"], record["Alias"], nodes, instances)
