"""A process of its own that works on a store, for tests that race processes or kill them. Not a test.

    python store_process.py FOLDER|- DOING NAME

Works on FOLDER, or on the S3 server of the environment (`-`). Says `ready`, waits for a line, then says the outcome.
"""

import os
import sys
from pathlib import Path

from emseg.config.connections import s3_connection
from emseg.store import FolderStore, Lease, ObjectStore, PhaseFolder, S3Store


def take_key(store: ObjectStore, name: str) -> str:
    """Put 1 MB of its own under the key all rivals want."""
    return str(store.put_if_absent("race/winner", name.encode() * 100_000))


def commit_item(store: ObjectStore, name: str) -> str:
    """Compute and commit the item all rivals compute; says whose marker counts."""
    folder = PhaseFolder(store, "medulla", "segment", "key1", name)
    artefact = folder.write_artefact("sv-00000001", "labels", b"labels" * 50_000)
    return folder.commit_item("sv-00000001", [artefact], {"voxels": 27}).attempt


def write_artefact_only(store: ObjectStore, name: str) -> str:
    """Write the artefact of an item, and wait to be killed before its marker."""
    PhaseFolder(store, "medulla", "segment", "key1", name).write_artefact("sv-00000001", "labels", b"labels" * 50_000)
    say("written")
    sys.stdin.readline()
    return "not killed"


def overwrite_for_ever(store: ObjectStore, name: str) -> str:
    """Write one key again and again, until killed."""
    say("writing")
    while True:
        for byte in (b"a", b"b"):
            store.put("torn/object", byte * 3_000_000)


def hold_lease(store: ObjectStore, name: str) -> str:
    """Take a lease of half a second; on the next line try to renew it, and say what came of it."""
    lease = Lease(store, "lease/stitch.json", name, ttl_s=0.5)
    say(f"fence {lease.take_within(30, pause_s=0.05)}")
    sys.stdin.readline()
    try:
        return f"renewed {lease.renew()}"
    except Exception as error:  # noqa: BLE001
        return type(error).__name__


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    folder, doing, own_name = sys.argv[1:]
    the_store = S3Store.open(s3_connection(os.environ), probe=False) if folder == "-" else FolderStore(Path(folder))
    say("ready")
    sys.stdin.readline()
    say(
        {f.__name__: f for f in (take_key, commit_item, write_artefact_only, overwrite_for_ever, hold_lease)}[doing](
            the_store, own_name
        )
    )
