"""The table of DVID's refusals: every row by the server's own words, and no other file of the library reads them.

The words are copied from answers of real servers and from DVID's source; a real server gives most of them again here.
"""

from __future__ import annotations

import ast
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import emseg
from emseg.dvid import DvidServer, Node
from emseg.dvid.errors import (
    NEVER,
    READS,
    READS_AND_WRITES,
    REFUSALS,
    AdministratorOnlyError,
    AlreadyExistsError,
    NodeLockedError,
    NoInstanceError,
    NoLargestLabelError,
    NotFoundError,
    Refusal,
    refusal,
)
from emseg.errors import EmsegError, NoRoomError, PermanentError, TransientError

Answer = tuple[int, str]

EXPECTED: dict[str, tuple[type[EmsegError], frozenset[str], list[Answer]]] = {
    "the disk of the server is full": (
        NoRoomError,
        NEVER,
        [
            (500, "write /dvid/db/000012.log: no space left on device"),
            (400, "unable to put data: Disk quota exceeded"),
        ],
    ),
    "a server or proxy has no storage left": (NoRoomError, NEVER, [(507, "")]),
    "the server is stopping, or it runs as many throttled requests as it may": (
        TransientError,
        READS_AND_WRITES,
        [
            (503, "DVID server is unavailable."),
            (503, "Server already running 1 throttled operations (max = 1)"),
        ],
    ),
    "the server's list of blocked users or computers names this one": (
        PermanentError,
        NEVER,
        [(429, 'User "emseg" is blocked: too many requests'), (429, 'IP "10.1.2.3" is blocked: not found in list')],
    ),
    "a proxy lets no more requests through for now": (
        TransientError,
        READS_AND_WRITES,
        [(429, ""), (429, "<html>429 Too Many Requests</html>")],
    ),
    "the server's code failed on this request": (
        TransientError,
        READS,
        [
            (500, "Panic detected on request 5: runtime error: index out of range [0] with length 0"),
            (500, "Panic detected on request 5: branch not found"),  # the status goes before words of another row
        ],
    ),
    "a proxy got no answer from the server": (TransientError, READS, [(502, "<html>Bad Gateway</html>"), (504, "")]),
    "another fault of the server": (TransientError, NEVER, [(501, ""), (505, "")]),
    "the parent of a new node must be locked, and is open": (
        PermanentError,
        NEVER,
        [(400, "can't branch an unlocked node (/api/node/3f2a).")],
    ),
    "several versions have a UUID that begins so": (
        PermanentError,
        NEVER,
        [(400, "more than one UUID matches f211 (/api/repo/f211/info).")],
    ),
    "the node is committed": (
        NodeLockedError,
        NEVER,
        [
            (400, 'Cannot do POST on endpoint "blocks" of locked node 3f2a (/api/node/3f2a/seg/blocks).'),
            (400, "New data instance cannot be created on locked node 3f2a"),
            (400, "Cannot do post on locked node"),
            (400, "can't modify locked node"),
        ],
    ),
    "there is no such address, label or key": (NotFoundError, NEVER, [(404, "404 page not found"), (404, "")]),
    "there is no such node": (
        NotFoundError,
        NEVER,
        [
            (400, "could not find UUID with partial match to ffffffffffff (/api/repo/ffffffffffff/info)."),
            (400, "UUID is not present in datastore"),
        ],
    ),
    "there is no such instance": (
        NoInstanceError,
        NEVER,
        [(400, "invalid data instance name (/api/node/3f2a/nowhere/info).")],
    ),
    "there is no such repository, branch or version": (
        NotFoundError,
        NEVER,
        [(400, 'branch "run-1" not found in repo "3f2a"'), (400, "repo 3f2a not found")],
    ),
    "the token is missing, or does not allow this": (PermanentError, NEVER, [(401, ""), (403, "Forbidden")]),
    "the address leads elsewhere": (PermanentError, NEVER, [(301, ""), (302, "Found")]),
    "a repository, branch or instance of this name or UUID is there already": (
        AlreadyExistsError,
        NEVER,
        [
            (400, "UUID already exists in datastore (/api/repos)."),
            (400, 'Data named "seg" already exists in repo (root 3f2a)'),
            (400, "branch already exists with given name"),
        ],
    ),
    "this version of a labelmap has no largest label of its own": (
        NoLargestLabelError,
        NEVER,
        [(400, "No maximum label found for seg version 3 (/api/node/3f2a/seg/maxlabel).")],
    ),
    "only an administrator of the server may do this": (
        AdministratorOnlyError,
        NEVER,
        [(400, "Creating a repo requires admin privileges (admintoken or DSG admin) (/api/repos).")],
    ),
    "another client made an instance with a voxel size of nan or infinity, and JSON has no such number": (
        PermanentError,
        NEVER,
        [
            (400, "json: unsupported value: NaN (/api/node/e5e9/gray/info)."),
            (400, "json: error calling MarshalJSON for type datastore.DataService: json: unsupported value: +Inf"),
        ],
    ),
    "any other refusal": (
        PermanentError,
        NEVER,
        [
            (400, "cannot store voxels in non-block aligned geometry"),
            (400, "Setting for 'MaxDownresLevel' was not a string: 2"),
            (400, ""),
        ],
    ),
}


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: row.means)
def test_every_row_takes_its_own_answers_and_says_what_follows(row: Refusal) -> None:
    """Kills a row that an earlier one hides, and one that is added without the words that it is for."""
    error, repeated, answers = EXPECTED[row.means]
    assert (row.error, row.repeated) == (error, repeated)
    for status, text in answers:
        assert refusal(status, text) is row
    assert all((row.remedy, row.why, row.seen))


def test_no_two_rows_mean_the_same() -> None:
    assert [row.means for row in REFUSALS] == list(EXPECTED)


def test_a_repetition_is_safe_only_where_a_task_may_try_again() -> None:
    """Kills a permanent error that is repeated all the same."""
    assert all(issubclass(row.error, TransientError) for row in REFUSALS if row.repeated)


@pytest.mark.services
def test_the_real_server_says_so(server: DvidServer, node: Node) -> None:
    """Oracle: DVID itself. Kills a pattern that is misspelt here and in the table alike."""
    root = {"alias": "again", "description": "", "root": node.uuid}
    instance = {"typename": "labelmap", "dataname": "seg", "BlockSize": "64,64,64"}
    instances, unused = f"/api/repo/{node.uuid}/instance", uuid.uuid4().hex
    asked: list[tuple[type[EmsegError], Callable[[], object]]] = [
        (PermanentError, lambda: server.post_json(node.path("branch"), {"branch": "run-1", "note": ""})),
        (AlreadyExistsError, lambda: server.post_json("/api/repos", root)),
        (NotFoundError, lambda: server.get(f"/api/repo/{unused}/info")),
        (NoInstanceError, lambda: server.get(node.path("nowhere", "info"))),
        (NotFoundError, lambda: server.get("/api/nowhere")),
        (
            PermanentError,
            lambda: server.post_json(f"/api/repo/{node.uuid}/instance", instance | {"typename": "nothing"}),
        ),
    ]
    server.post_json(instances, instance)
    asked.append((AlreadyExistsError, lambda: server.post_json(instances, instance)))
    asked.append((NoLargestLabelError, lambda: server.get(node.path("seg", "maxlabel"))))
    for kind, ask in asked:
        with pytest.raises(EmsegError) as caught:
            ask()
        assert type(caught.value) is kind, caught.value
    node.commit("done")
    with pytest.raises(NodeLockedError):
        server.post_json(node.path("note"), {"note": "late"})
    node.branch("run-1")
    with pytest.raises(AlreadyExistsError):
        server.post_json(node.path("branch"), {"branch": "run-1", "note": ""})


SEARCHES = {"search", "match", "fullmatch", "findall", "compile", "startswith", "endswith", "find", "index", "count"}


def looked_for(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Line, text and what the text is looked for in, of each `"text" in X`, `X == "text"` and `X.find("text")`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            for side in sides:
                if isinstance(side, ast.Constant) and isinstance(side.value, str):
                    yield node.lineno, side.value, " ".join(ast.unparse(s) for s in sides if s is not side)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SEARCHES:
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield node.lineno, argument.value, ast.unparse(node.func.value)


def reads_an_answer(text: str, source: str) -> bool:
    """Whether a text is one of the server's, or is looked for in the message of an error or the body of an answer."""
    in_table = any(row.text and re.search(row.text, text) for row in REFUSALS)
    return in_table or re.search(r"\.found\b|\.text\b|str\((error|caught|answer)\)", source) is not None


def test_no_other_file_reads_the_servers_words() -> None:
    """Kills a second place that matches DVID's text, and goes wrong when a build says it in other words."""
    package = Path(emseg.__file__).parent
    found = [
        f"{file.relative_to(package)}:{line}: {text!r}"
        for file in sorted(package.rglob("*.py"))
        if file != package / "dvid" / "errors.py"
        for line, text, source in looked_for(ast.parse(file.read_text()))
        if reads_an_answer(text, source)
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        'if "already exists" not in error.found: raise',
        'if "locked" in str(error): raise',
        'WORDS = re.compile("is not present in datastore")',
        'if answer.text.startswith("No maximum"): pass',
    ],
)
def test_such_a_reading_would_be_found(line: str) -> None:
    assert any(reads_an_answer(text, source) for _, text, source in looked_for(ast.parse(line)))
